package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gofrs/flock"

	"sitemon/config"
)

// lockDataDir makes the data folder, if need be, and takes it for the roles of
// this process. A second process of one of them ends there, with an error that
// names the first.
func lockDataDir(dir string, roles config.Roles) (unlock func() error, err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make the data folder: %w (another one: --data-dir)", err)
	}
	var locks []*flock.Flock
	unlock = func() error {
		var errs []error
		for _, l := range locks {
			errs = append(errs, l.Close())
		}
		return errors.Join(errs...)
	}
	for _, role := range []config.Role{config.RoleMonitor, config.RoleWriter, config.RoleWeb} {
		if !roles.Has(role) {
			continue
		}
		l, err := lockRole(dir, role)
		if err != nil {
			return nil, errors.Join(err, unlock())
		}
		locks = append(locks, l)
	}
	return unlock, nil
}

// lockRole takes the data folder for one role.
func lockRole(dir string, role config.Role) (*flock.Flock, error) {
	owner := filepath.Join(dir, string(role)+".pid")
	lock := flock.New(filepath.Join(dir, string(role)+".lock"))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the data folder %s: %w", dir, err)
	}
	if !ok {
		pid, _ := os.ReadFile(owner) // best effort, for the message alone
		return nil, fmt.Errorf("the data folder %s is in use by another sitemon with the role %s (process %s): stop it, or give this one a folder of its own with --data-dir",
			dir, role, strings.TrimSpace(string(pid)))
	}
	if err := os.WriteFile(owner, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o640); err != nil {
		return nil, errors.Join(fmt.Errorf("take the data folder: %w", err), lock.Close())
	}
	return lock, nil
}
