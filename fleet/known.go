package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sitemon"
)

// known is the file of the last known sites.
type known struct {
	Generation sitemon.Generation `json:"generation"`
	Sites      []knownSite        `json:"sites"`
}

type knownSite struct {
	Name       string          `json:"name"`
	Source     string          `json:"source"`
	Definition json.RawMessage `json:"definition"`
}

// Load takes up the last known sites from the file, for as long as the store says
// nothing else, and probes them. A file that is not there is no error.
func (f *Fleet) Load() error {
	content, err := os.ReadFile(f.opts.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the last known sites: %w", err)
	}
	var k known
	if err := json.Unmarshal(content, &k); err != nil {
		return fmt.Errorf("read the last known sites from %s: %w", f.opts.File, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.read {
		return nil // the store has said what there is
	}
	for _, s := range k.Sites {
		site, err := f.opts.Decode(s.Name, s.Definition)
		if err != nil {
			f.log.Warn("a last known site can't be read: it is not probed until the store is there", "site", s.Name, "err", err)
			continue
		}
		f.rows[s.Name] = &row{site: &site, source: s.Source}
	}
	f.apply(k.Generation, sitemon.Plan{})
	return nil
}

// Known returns the sites of the store, or where it does not answer those of the
// file, for a start while the document has faults.
func (f *Fleet) Known(ctx context.Context) ([]sitemon.Site, sitemon.Generation, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.refresh(ctx)
	if err != nil && f.gen.LoadedAt.IsZero() {
		return nil, sitemon.Generation{}, fmt.Errorf("read the sites of the store: %w", err)
	}
	var sites []sitemon.Site
	for _, r := range f.rows {
		if r.site != nil {
			sites = append(sites, *r.site)
		}
	}
	return sites, f.gen, nil
}

// save writes the last known sites, in place of those before. A failure costs
// only a start without the store.
func (f *Fleet) save() {
	k := known{Generation: f.gen, Sites: make([]knownSite, 0, len(f.rows))}
	for name, r := range f.rows {
		if r.site != nil {
			k.Sites = append(k.Sites, knownSite{name, r.source, r.site.Definition})
		}
	}
	err := func() error {
		content, err := json.Marshal(k)
		if err != nil {
			return err
		}
		return writeFile(f.opts.File, content)
	}()
	if err != nil {
		f.log.Warn("the last known sites could not be written: a start without the store would not know them", "err", err)
	}
}

// writeFile puts a file in the place of the one before, whole or not at all.
func writeFile(path string, content []byte) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name())
		}
	}()
	_, err = tmp.Write(content)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
