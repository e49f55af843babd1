package testkit

import (
	"testing"

	"sitemon/internal/servers"
)

// RedisOptions say what a server of a test's own asks of its clients.
type RedisOptions = servers.RedisOptions

// RedisServer is a server of a test's own.
type RedisServer struct {
	control
	Addr  string // host:port
	CAPEM string // the authority of its certificate; empty without TLS
}

// StartRedis starts an empty server that ends with the test.
func StartRedis(t testing.TB, options RedisOptions) *RedisServer {
	t.Helper()
	r, err := servers.StartRedis(t.Context(), options)
	started(t, err)
	t.Cleanup(func() { closed(t, r.Close()) })
	s := &RedisServer{control: control{t, r}, Addr: r.Addr}
	if r.Authority != nil {
		s.CAPEM = r.Authority.PEM
	}
	return s
}
