//go:build !linux

package postgres

import "syscall"

// limitUnheard does nothing: deadlines and keep-alives do what it does elsewhere.
func limitUnheard(string, string, syscall.RawConn) error { return nil }
