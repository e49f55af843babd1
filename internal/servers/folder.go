package servers

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// folder is a server's folder. A lock in it tells other processes that its
// owner is alive; those of owners that were killed are removed by the next one.
type folder struct {
	path string
	lock *flock.Flock
}

func newFolder(kind string) (*folder, error) {
	sweep()
	path, err := os.MkdirTemp("", folderPrefix+kind+"-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for a server: %w", err)
	}
	f := &folder{path: path, lock: flock.New(filepath.Join(path, lockName))}
	if _, err := f.lock.TryLock(); err != nil {
		return nil, errors.Join(fmt.Errorf("lock a server's folder: %w", err), f.remove())
	}
	return f, nil
}

const (
	folderPrefix = "sitemon-server-"
	lockName     = "owner.lock"
)

// sweep removes the folders that nobody owns any more, as far as it may.
func sweep() {
	left, err := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*"))
	if err != nil {
		return
	}
	for _, path := range left {
		info, err := os.Stat(filepath.Join(path, lockName))
		if err != nil || time.Since(info.ModTime()) < time.Minute { // it may be about to be locked
			continue
		}
		f := &folder{path: path, lock: flock.New(filepath.Join(path, lockName), flock.SetFlag(os.O_RDWR))}
		if free, err := f.lock.TryLock(); err == nil && free {
			_ = f.remove()
		}
	}
}

func (f *folder) remove() error {
	return errors.Join(f.lock.Close(), os.RemoveAll(f.path))
}

func (f *folder) file(name string) string { return filepath.Join(f.path, name) }
