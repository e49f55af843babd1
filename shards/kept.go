package shards

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// kept is the file in which a share outlives its process.
type kept struct {
	Topic      string `json:"topic"`
	Group      string `json:"group"`
	Generation int32  `json:"generation"` // of the group, in which the shards were given
	Shards     []int  `json:"shards"`
	Of         int    `json:"of"`
}

func (k kept) share() Share { return NewShare(k.Of, k.Shards...) }

// equal reports whether two files say the same.
func (k kept) equal(l kept) bool {
	return k.Topic == l.Topic && k.Group == l.Group && k.Generation == l.Generation && k.Of == l.Of && slices.Equal(k.Shards, l.Shards)
}

// load reads the share that was kept for a group. ok is false where there is
// none: no file, or one of another group.
func load(path, topic, group string) (k kept, ok bool, err error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return kept{}, false, nil
	}
	if err != nil {
		return kept{}, false, fmt.Errorf("read the kept share: %w", err)
	}
	if err := json.Unmarshal(content, &k); err != nil {
		return kept{}, false, fmt.Errorf("read the kept share from %s: %w", path, err)
	}
	return k, k.Topic == topic && k.Group == group && k.Of > 0, nil
}

// save writes the file in the place of the one before, whole or not at all.
func (k kept) save(path string) (err error) {
	content, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("encode the share: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("keep the share: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name())
		}
	}()
	_, err = tmp.Write(content)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("keep the share: %w", err)
	}
	if err = os.Rename(tmp.Name(), path); err != nil {
		return fmt.Errorf("keep the share: %w", err)
	}
	return nil
}
