package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

// lockDataDir makes the data folder, if need be, and takes it for this process.
// A second process ends there, with an error that names the first.
func lockDataDir(dir string) (unlock func() error, err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make the data folder: %w (another one: --data-dir)", err)
	}
	owner := filepath.Join(dir, "sitemon.pid")
	lock := flock.New(filepath.Join(dir, "sitemon.lock"))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the data folder %s: %w", dir, err)
	}
	if !ok {
		pid, _ := os.ReadFile(owner) // best effort, for the message alone
		return nil, fmt.Errorf("the data folder %s is in use by another sitemon (process %s): stop it, or give this one a folder of its own with --data-dir",
			dir, strings.TrimSpace(string(pid)))
	}
	if err := os.WriteFile(owner, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o640); err != nil {
		return nil, fmt.Errorf("take the data folder: %w", err)
	}
	return lock.Close, nil
}
