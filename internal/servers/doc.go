// Package servers runs Kafka, Postgres and a TCP proxy on the loopback interface,
// for tests and demonstrations. Every server is a child process with a folder
// and a port of its own that is stopped, killed, frozen and started again at
// will, keeping both. On Linux the kernel ends it with the process that started it,
// however that one ends.
//
//	k, err := servers.StartKafka(ctx, servers.KafkaOptions{})
//	if err != nil { … }
//	defer k.Close()
//
// Nothing is downloaded or installed here, except by [FetchKafka]: what is
// missing is an error that wraps [ErrMissing].
//
// All methods may be called by several goroutines.
package servers

import "errors"

// ErrMissing is wrapped by the error of a server whose program is not on this
// machine.
var ErrMissing = errors.New("not on this machine")

// ErrUnsupported is wrapped by the errors of what this operating system cannot do.
var ErrUnsupported = errors.New("needs Linux")
