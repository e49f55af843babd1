package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync"

	"sitemon"
	"sitemon/store/postgres"
)

// documents stores the document of a source that several monitors may share, so
// that they do not fight over it. Each monitor remembers in a file what it last
// saw on disk: what has changed since is applied, also content from before, a
// rollback; the same content again leaves the stored document as it is. A monitor
// without memory applies its file only if the source never held it.
type documents struct {
	*postgres.DB
	source string
	file   string
	log    *slog.Logger

	mu     sync.Mutex
	asked  bool   // somebody wants the file applied, whatever there is
	seen   string // hash of what was seen last; "" nothing
	loaded bool
}

// ask makes the next document be applied in any case.
func (d *documents) ask() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = true
}

// SyncSites implements [reload.Store].
func (d *documents) SyncSites(ctx context.Context, doc sitemon.Document) (sitemon.Generation, sitemon.Plan, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.recall(); err != nil {
		return sitemon.Generation{}, sitemon.Plan{}, err
	}
	if !d.asked && (d.seen == "" || d.seen == doc.Hash) {
		leave, err := d.leave(ctx, doc)
		if err != nil {
			return sitemon.Generation{}, sitemon.Plan{}, err
		}
		if leave {
			_, gen, err := d.Known(ctx)
			if err != nil {
				return sitemon.Generation{}, sitemon.Plan{}, err
			}
			return gen, sitemon.Plan{Generation: gen.Number, Unchanged: gen.Sites}, d.remember(doc.Hash)
		}
	}
	gen, plan, err := d.DB.SyncSites(ctx, doc)
	if err != nil {
		return gen, plan, err
	}
	d.asked = false
	return gen, plan, d.remember(doc.Hash)
}

// leave reports whether the stored document stays: this file was seen before, or
// the source held it once.
func (d *documents) leave(ctx context.Context, doc sitemon.Document) (bool, error) {
	held, current, err := d.Held(ctx, d.source, doc.Hash)
	if err != nil || !held {
		return false, err
	}
	if current != doc.Hash {
		d.log.Warn("the store has another document of this source, which stays: POST /api/v1/config/reload applies the file", "source", d.source)
	}
	return true, nil
}

// memory is the file of what was seen last.
type memory struct {
	Source string `json:"source"`
	Hash   string `json:"hash"`
}

// recall reads the memory, once.
func (d *documents) recall() error {
	if d.loaded {
		return nil
	}
	content, err := os.ReadFile(d.file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var m memory
	if err == nil && json.Unmarshal(content, &m) == nil && m.Source == d.source {
		d.seen = m.Hash
	}
	d.loaded = true
	return nil
}

// remember writes the memory. Losing it costs a question to the store.
func (d *documents) remember(hash string) error {
	if d.seen == hash {
		return nil
	}
	d.seen = hash
	content, err := json.Marshal(memory{d.source, hash})
	if err == nil {
		err = os.WriteFile(d.file, content, 0o600)
	}
	if err != nil {
		d.log.Warn("what was seen of the sites file could not be remembered", "err", err)
	}
	return nil
}
