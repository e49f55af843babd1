//go:build !linux && !darwin

package sqlite

// diskOf can't tell how much of a disk is free on this system.
func diskOf(string) (free, all int64) { return 0, 0 }
