package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put truncates and writes, as os.WriteFile and shell redirections do.
func put(t *testing.T, path, content string) {
	t.Helper()
	check(t, os.WriteFile(path, []byte(content), 0o600))
}

func writeInPlace(t *testing.T, path, content string) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	check(t, err)
	_, err = f.WriteString(content)
	check(t, err)
	check(t, f.Truncate(int64(len(content))))
	check(t, f.Close())
}

func writeSlowly(t *testing.T, path, content string) {
	f, err := os.Create(path)
	check(t, err)
	_, err = f.WriteString(content[:len(content)/2])
	check(t, err)
	time.Sleep(3 * settle) // longer than the watcher waits: it sees half a file
	_, err = f.WriteString(content[len(content)/2:])
	check(t, err)
	check(t, f.Close())
}

func renameOver(t *testing.T, path, content string) {
	tmp := filepath.Join(t.TempDir(), "new")
	put(t, tmp, content)
	check(t, os.Rename(tmp, path))
}

func moveAwayAndCreate(t *testing.T, path, content string) {
	check(t, os.Rename(path, path+"~"))
	put(t, path, content)
}

func removeAndCreate(t *testing.T, path, content string) {
	check(t, os.Remove(path))
	put(t, path, content)
}

// kubernetesMount is a mounted ConfigMap: sites.yaml → ..data/sites.yaml,
// ..data → a folder with a time in its name.
func kubernetesMount(t *testing.T, dir string) string {
	path := filepath.Join(dir, "sites.yaml")
	check(t, os.Symlink(filepath.Join("..data", "sites.yaml"), path))
	kubernetesSwap(t, path, "first")
	return path
}

func kubernetesSwap(t *testing.T, path, content string) {
	dir := filepath.Dir(path)
	old, _ := os.Readlink(filepath.Join(dir, "..data"))
	now, err := os.MkdirTemp(dir, "..2026_11_25_")
	check(t, err)
	put(t, filepath.Join(now, "sites.yaml"), content)
	check(t, os.Symlink(filepath.Base(now), filepath.Join(dir, "..data_tmp")))
	check(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	if old != "" {
		check(t, os.RemoveAll(filepath.Join(dir, old)))
	}
}

// linkedFile is sites.yaml → real/target.yaml, by its absolute path.
func linkedFile(t *testing.T, dir string) string {
	check(t, os.Mkdir(filepath.Join(dir, "real"), 0o755))
	target := filepath.Join(dir, "real", "target.yaml")
	put(t, target, "first")
	path := filepath.Join(dir, "sites.yaml")
	check(t, os.Symlink(target, path))
	return path
}

// linkedAhead is sites.yaml → real/first, beside which all later contents are
// there already, each as a file of its name.
func linkedAhead(t *testing.T, dir string) string {
	check(t, os.Mkdir(filepath.Join(dir, "real"), 0o755))
	put(t, filepath.Join(dir, "real", "first"), "first")
	for i := range rounds {
		content := fmt.Sprintf("content %d", i)
		put(t, filepath.Join(dir, "real", content), content)
	}
	path := filepath.Join(dir, "sites.yaml")
	check(t, os.Symlink("real/first", path))
	return path
}

// linkedTwice is sites.yaml → a/link.yaml → ../b/target.yaml.
func linkedTwice(t *testing.T, dir string) string {
	check(t, os.Mkdir(filepath.Join(dir, "a"), 0o755))
	check(t, os.Mkdir(filepath.Join(dir, "b"), 0o755))
	put(t, filepath.Join(dir, "b", "target.yaml"), "first")
	check(t, os.Symlink("../b/target.yaml", filepath.Join(dir, "a", "link.yaml")))
	path := filepath.Join(dir, "sites.yaml")
	check(t, os.Symlink("a/link.yaml", path))
	return path
}

func inFolder(t *testing.T, dir string) string {
	check(t, os.Mkdir(filepath.Join(dir, "etc"), 0o755))
	path := filepath.Join(dir, "etc", "sites.yaml")
	put(t, path, "first")
	return path
}
