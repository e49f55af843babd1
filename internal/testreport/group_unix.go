//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// interruptible lets the end of cmd's context interrupt its children too: go
// test alone would wait for its tests.
func interruptible(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
}
