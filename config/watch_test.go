package config_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"

	"sitemon/config"
)

const (
	rounds = 20
	// settle is short to make many rounds quick, poll so long that only events
	// can be what a test sees.
	settle = 10 * time.Millisecond
	never  = time.Hour
	// patience is how long a test waits for what must come; it says nothing about
	// how fast it should.
	patience = 30 * time.Second
)

// save is one way in which people and tools write a file.
type save struct {
	name string
	// prepare makes the first content and returns the path to watch.
	prepare func(t *testing.T, dir string) string
	write   func(t *testing.T, path, content string)
}

func saves() []save {
	plain := func(t *testing.T, dir string) string {
		path := filepath.Join(dir, "sites.yaml")
		put(t, path, "first")
		return path
	}
	return []save{
		{"in place", plain, writeInPlace},
		{"truncate and write", plain, put},
		{"slow partial write", plain, writeSlowly},
		{"rename over", plain, renameOver},
		{"move away and create", plain, moveAwayAndCreate},
		{"remove and create", plain, removeAndCreate},
		{"remove, later create", plain, func(t *testing.T, path, content string) {
			check(t, os.Remove(path))
			time.Sleep(3 * settle)
			put(t, path, content)
		}},
		{"touch, then write", plain, func(t *testing.T, path, content string) {
			check(t, os.Chtimes(path, time.Now(), time.Now()))
			time.Sleep(2 * settle)
			put(t, path, content)
		}},
		{"symlink swap as Kubernetes does", kubernetesMount, kubernetesSwap},
		{"file behind a symlink", linkedFile, func(t *testing.T, path, content string) {
			put(t, filepath.Join(filepath.Dir(path), "real", "target.yaml"), content)
		}},
		{"file behind two symlinks, rename over", linkedTwice, func(t *testing.T, path, content string) {
			renameOver(t, filepath.Join(filepath.Dir(path), "b", "target.yaml"), content)
		}},
		{"symlink to another file", linkedFile, func(t *testing.T, path, content string) {
			target := filepath.Join(filepath.Dir(path), "real", content+".yaml")
			put(t, target, content)
			check(t, os.Symlink(target, path+".new"))
			check(t, os.Rename(path+".new", path))
		}},
		{"symlink to a file that was there", linkedAhead, func(t *testing.T, path, content string) {
			check(t, os.Symlink(filepath.Join("real", content), path+".new"))
			check(t, os.Rename(path+".new", path))
		}},
		{"folder removed and made anew", inFolder, func(t *testing.T, path, content string) {
			check(t, os.RemoveAll(filepath.Dir(path)))
			check(t, os.Mkdir(filepath.Dir(path), 0o755))
			put(t, path, content)
		}},
		{"folder removed, later made anew", inFolder, func(t *testing.T, path, content string) {
			check(t, os.RemoveAll(filepath.Dir(path)))
			time.Sleep(3 * settle)
			check(t, os.Mkdir(filepath.Dir(path), 0o755))
			time.Sleep(3 * settle)
			put(t, path, content)
		}},
		{"folder swapped for another", inFolder, func(t *testing.T, path, content string) {
			dir := filepath.Dir(path)
			check(t, os.Mkdir(dir+".new", 0o755))
			put(t, filepath.Join(dir+".new", "sites.yaml"), content)
			check(t, os.RemoveAll(dir+".old"))
			check(t, os.Rename(dir, dir+".old"))
			check(t, os.Rename(dir+".new", dir))
		}},
	}
}

func TestWatchSeesEveryWayOfSaving(t *testing.T) {
	t.Parallel()
	for _, s := range saves() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			path := s.prepare(t, t.TempDir())
			seen := watch(t, path, contentOf)
			seen.waitFor(t, "first")
			for i := range rounds {
				content := fmt.Sprintf("content %d", i)
				s.write(t, path, content)
				seen.waitFor(t, content)
			}
		})
	}
}

func TestWatchOfFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	seen := watch(t, dir, contentsOf)
	seen.waitFor(t, "")
	for i := range rounds {
		content := fmt.Sprintf("content %d", i)
		put(t, filepath.Join(dir, "a.yaml"), content)
		seen.waitFor(t, "a.yaml="+content)
		put(t, filepath.Join(dir, "b.yml"), content)
		seen.waitFor(t, "a.yaml="+content+" b.yml="+content)
		check(t, os.Rename(filepath.Join(dir, "b.yml"), filepath.Join(dir, "c.yml")))
		seen.waitFor(t, "a.yaml="+content+" c.yml="+content)
		check(t, os.Remove(filepath.Join(dir, "c.yml")))
		seen.waitFor(t, "a.yaml="+content)
	}
	check(t, os.RemoveAll(dir))
	seen.waitFor(t, "unreadable")
	check(t, os.Mkdir(dir, 0o755))
	put(t, filepath.Join(dir, "z.yaml"), "back")
	seen.waitFor(t, "z.yaml=back")
}

func TestWatchOfFolderBehindSymlink(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	link := filepath.Join(base, "sites")
	for i := range rounds {
		check(t, os.Mkdir(filepath.Join(base, fmt.Sprint(i)), 0o755))
		put(t, filepath.Join(base, fmt.Sprint(i), "a.yaml"), fmt.Sprint(i))
	}
	check(t, os.Symlink("0", link))
	seen := watch(t, link, contentsOf)
	for i := range rounds {
		check(t, os.Symlink(fmt.Sprint(i), link+".new"))
		check(t, os.Rename(link+".new", link))
		seen.waitFor(t, "a.yaml="+fmt.Sprint(i))
		put(t, filepath.Join(link, "a.yaml"), "edited "+fmt.Sprint(i))
		seen.waitFor(t, "a.yaml=edited "+fmt.Sprint(i))
	}
}

func TestWatchWaitsForMissingPath(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "not", "yet", "sites.yaml")
	seen := watch(t, path, contentOf)
	seen.waitFor(t, "unreadable")
	check(t, os.MkdirAll(filepath.Dir(path), 0o755))
	put(t, path, "there")
	seen.waitFor(t, "there")
}

func TestWatchUnderConstantWrites(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "sites.yaml")
	put(t, path, "first")
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ctx.Err() == nil; i++ { // never quiet for as long as Settle
			_ = os.WriteFile(filepath.Join(dir, "noise.log"), []byte(fmt.Sprint(i)), 0o600)
			time.Sleep(time.Millisecond)
		}
	}()
	defer func() { cancel(); <-stopped }()
	seen := watchWith(t, path, contentOf, config.WatchOptions{Settle: 100 * time.Millisecond, Poll: never})
	seen.waitFor(t, "first")
	renameOver(t, path, "second")
	seen.waitFor(t, "second")
}

func TestWatchIgnoresOtherFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "sites.yaml")
	put(t, path, "first")
	seen := watch(t, path, contentOf)
	seen.waitFor(t, "first")
	for i := range rounds {
		put(t, filepath.Join(dir, "other.yaml"), fmt.Sprint(i))
		time.Sleep(2 * settle)
	}
	renameOver(t, path, "second")
	if got := <-seen; got != "second" {
		t.Errorf("after changes to another file: a call that saw %q, want none before the change of the file", got)
	}
}

func TestWatchPollsWithoutEvents(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sites.yaml")
	put(t, path, "first")
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var reasons []string
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			opts := config.WatchOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))}
			done <- config.WatchWith(ctx, path, opts, func(reason string) {
				reasons = append(reasons, reason+" "+contentOf(path))
			}, func() (*fsnotify.Watcher, error) { return nil, errors.New("too many open files") })
		}()
		time.Sleep(time.Minute + time.Second) // never at the moment of a poll
		put(t, path, "second")
		time.Sleep(5 * time.Second)
		check(t, os.Remove(path))
		time.Sleep(time.Minute)
		put(t, path, "second")
		time.Sleep(time.Minute)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Watch returned %v, want nil at the end of its context", err)
		}
		want := []string{"start first", "poll second", "poll unreadable", "poll second"}
		if !slices.Equal(reasons, want) {
			t.Errorf("calls:\ngot  %q\nwant %q", reasons, want)
		}
		if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "too many open files") {
			t.Errorf("want one log line with the cause, got:\n%s", log.String())
		}
	})
}

func TestWatchSeesContentThatWentAndCameBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sites.yaml")
	put(t, path, "good")
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			done <- config.WatchWith(ctx, path, config.WatchOptions{}, func(string) { calls++ },
				func() (*fsnotify.Watcher, error) { return nil, errors.New("none") })
		}()
		time.Sleep(time.Second)
		// Between two looks another reader (SIGHUP) may have taken "bad" in.
		put(t, path, "bad")
		put(t, path, "good")
		check(t, os.Chtimes(path, time.Time{}, time.Unix(1, 0)))
		time.Sleep(5 * time.Second)
		cancel()
		check(t, <-done)
		if calls != 2 {
			t.Errorf("got %d calls, want 2: at the start and after the edits", calls)
		}
	})
}

func TestWatchOfEmptyPath(t *testing.T) {
	t.Parallel()
	if err := config.Watch(t.Context(), "", config.WatchOptions{}, func(string) {}); err == nil {
		t.Error("want an error for an empty path")
	}
}

// sightings are the contents that a watcher's caller has read, in order.
type sightings chan string

// watch runs a Watch that settles soon and never polls.
func watch(t *testing.T, path string, read func(string) string) sightings {
	t.Helper()
	return watchWith(t, path, read, config.WatchOptions{Settle: settle, Poll: never})
}

// watchWith runs Watch until the test ends; each call reads the path.
func watchWith(t *testing.T, path string, read func(string) string, opts config.WatchOptions) sightings {
	t.Helper()
	seen := make(sightings, 10000)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		done <- config.Watch(ctx, path, opts, func(string) { seen <- read(path) })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Watch returned %v", err)
		}
	})
	return seen
}

// waitFor waits for a call that read want.
func (s sightings) waitFor(t *testing.T, want string) {
	t.Helper()
	timeout := time.After(patience)
	last := "nothing"
	for {
		select {
		case last = <-s:
			if last == want {
				return
			}
		case <-timeout:
			t.Fatalf("%q was never seen, last was %q", want, last)
		}
	}
}

func contentOf(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return "unreadable"
	}
	return string(b)
}

func contentsOf(dir string) string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "unreadable"
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name()+"="+contentOf(filepath.Join(dir, e.Name())))
	}
	return strings.Join(all, " ")
}
