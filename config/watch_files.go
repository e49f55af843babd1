package config

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// fingerprint is equal for equal content that was written at the same time.
type fingerprint [sha256.Size]byte

// fingerprintOf sums up the sites file at path, or the files of the folder at
// path: names, times of change and content. What can't be read has a fingerprint
// too, that of its error.
//
// The time is in it because the caller may have read the file between two looks:
// content that went away and came back must not pass for untouched.
func fingerprintOf(path string) fingerprint {
	h := sha256.New()
	for _, file := range filesOf(path) {
		fmt.Fprintf(h, "%q ", file)
		if err := addFile(h, file); err != nil {
			fmt.Fprintf(h, "%q ", err)
		}
	}
	return fingerprint(h.Sum(nil))
}

// addFile adds one file to a sum. Anything but a regular file is left unopened:
// opening a pipe waits for its writer.
func addFile(w io.Writer, file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s %d %d ", info.Mode().Type(), info.ModTime().UnixNano(), info.Size())
	if !info.Mode().IsRegular() {
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

// filesOf lists what may change with the sites files behind path: path itself, and
// if it is a folder its sites files.
func filesOf(path string) []string {
	files, _ := folderFiles(path) // none: a file, or nothing yet
	return append([]string{path}, files...)
}

// foldersOf lists the real folders in which something must change before the
// sites files at path can: those that hold the files and those that hold a
// symbolic link on the way to one. Where the way ends early it is the folder in
// which the next part would appear.
func foldersOf(path string) []string {
	var dirs []string
	for _, file := range filesOf(path) {
		dirs = append(dirs, foldersOfFile(file)...)
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// maxLinks is how many symbolic links a path may lead through, as in Linux.
const maxLinks = 40

func foldersOfFile(file string) []string {
	abs, err := filepath.Abs(file)
	if err != nil {
		return nil // the working directory is gone
	}
	at, rest := splitRoot(abs)
	root := at
	var dirs []string
	links := 0
	for len(rest) > 0 {
		next := filepath.Join(at, rest[0])
		info, err := os.Lstat(next)
		if err != nil {
			return append(dirs, at)
		}
		rest = rest[1:]
		if info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		dirs = append(dirs, at)
		target, err := os.Readlink(next)
		if links++; err != nil || links > maxLinks {
			return dirs
		}
		if filepath.IsAbs(target) {
			at, target = root, strings.TrimPrefix(target, root)
		}
		rest = append(splitPath(target), rest...)
	}
	dirs = append(dirs, filepath.Dir(at))
	if info, err := os.Stat(at); err == nil && info.IsDir() {
		dirs = append(dirs, at)
	}
	return dirs
}

// splitRoot splits an absolute path into its root and the names below.
func splitRoot(abs string) (root string, names []string) {
	root = filepath.VolumeName(abs) + string(filepath.Separator)
	return root, splitPath(strings.TrimPrefix(abs, root))
}

func splitPath(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r < utf8.RuneSelf && os.IsPathSeparator(uint8(r)) })
}
