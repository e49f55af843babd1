//go:build linux || darwin

package sqlite

import "golang.org/x/sys/unix"

// diskOf tells how many bytes are free of the disk that a folder is on, and how many
// it has; 0 where that can't be told.
func diskOf(folder string) (free, all int64) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return 0, 0
	}
	return int64(s.Bavail) * int64(s.Bsize), int64(s.Blocks) * int64(s.Bsize)
}
