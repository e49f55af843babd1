//go:build !unix

package probes_test

import (
	"testing"
	"time"

	"sitemon/internal/testkit"
)

// cpuTime is not known here.
func cpuTime() time.Duration { return 0 }

// fullBacklog needs a socket that listens and has no room.
func fullBacklog(t *testing.T) string {
	t.Helper()
	testkit.Missing(t, "a full backlog is made on Unix only")
	return ""
}
