//go:build unix

package main

import (
	"log/slog"
	"net"
	"path/filepath"
	"testing"
)

// While the schema is brought up to date, systemd is asked to wait.
func TestSlowStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	t.Setenv("NOTIFY_SOCKET", path)
	d := &daemon{log: slog.New(slog.DiscardHandler)}
	err = d.patiently(func() error {
		b := make([]byte, 100)
		n, err := conn.Read(b)
		if got := string(b[:n]); got != "EXTEND_TIMEOUT_USEC=120000000" {
			t.Errorf("systemd was told %q", got)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
