//go:build !linux

package servers

import (
	"os"
	"syscall"
)

// attributes: elsewhere a child runs as we do, and nothing ends it with us but
// Close and the terminal's Ctrl-C.
func attributes(*account) *syscall.SysProcAttr { return nil }

func killTree(p *os.Process) error { return p.Kill() }

type guard struct{}

func freezeTree(*os.Process) (*guard, error) { return nil, ErrUnsupported }

func (*guard) thaw() error { return nil }

func (*guard) release() {}
