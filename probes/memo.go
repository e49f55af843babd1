package probes

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// memo keeps values that are dear to make, and forgets those that nobody has
// asked for in an hour. It is safe for concurrent use; two callers may make the
// same value at the same time.
type memo[V any] struct {
	mu      sync.Mutex
	entries map[string]*memoEntry[V]
	swept   time.Time
}

type memoEntry[V any] struct {
	value      V
	err        error
	made, used time.Time
}

// memoIdle is after how long an unused value is forgotten.
const memoIdle = time.Hour

// value returns what is kept under key, made anew when it is older than fresh (0:
// never). Errors are kept like values.
func (m *memo[V]) value(key string, fresh time.Duration, build func() (V, error)) (V, error) {
	now := time.Now()
	m.mu.Lock()
	e, ok := m.entries[key]
	if ok && (fresh == 0 || now.Sub(e.made) < fresh) {
		e.used = now
		v, err := e.value, e.err
		m.mu.Unlock()
		return v, err
	}
	m.mu.Unlock()
	v, err := build()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries == nil {
		m.entries = map[string]*memoEntry[V]{}
	}
	m.entries[key] = &memoEntry[V]{v, err, now, now}
	if now.Sub(m.swept) > memoIdle {
		m.swept = now
		for k, e := range m.entries {
			if now.Sub(e.used) > memoIdle {
				delete(m.entries, k)
			}
		}
	}
	return v, err
}

// fileFresh is how old the content of a file may be: files rotate.
const fileFresh = 10 * time.Second

// maxFile bounds what is read of a file: credentials and certificates are small.
const maxFile = 1 << 20

// fileCache reads files of credentials and certificates.
type fileCache struct{ memo[string] }

// read returns the content of a file without the line breaks at its end.
func (c *fileCache) read(path string) (string, error) {
	return c.value(path, fileFresh, func() (string, error) {
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
		if err == nil && len(b) > maxFile {
			err = fmt.Errorf("read %s: larger than %d bytes", path, maxFile)
		}
		return strings.TrimRight(string(b), "\r\n"), err
	})
}
