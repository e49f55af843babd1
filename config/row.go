package config

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"sitemon"
)

// Row is a site as people write it into the table sites, instead of a file.
type Row struct {
	Name string
	URL  string // taken as it is: a row refers to no variables and no files
	// Interval and Timeout are 0 where the row leaves them to their defaults.
	Interval, Timeout time.Duration
	Regex             string // "": anything will do
	Enabled           bool
	// Definition is what the file that owns the site says of it; nil: no file owns
	// it. What the row says otherwise goes before it.
	Definition []byte
}

// SiteFromRow makes the site that a row stands for. A row without interval has
// the given one. The error wraps [sitemon.ErrInvalid].
func SiteFromRow(r Row, interval time.Duration) (sitemon.Site, error) {
	keys := map[string]any{"name": r.Name}
	owned := sitemon.Site{Enabled: true}
	if r.Definition != nil {
		var err error
		if owned, err = DecodeSite(r.Name, r.Definition); err != nil {
			return sitemon.Site{}, err
		}
		if err := json.Unmarshal(r.Definition, &keys); err != nil {
			return sitemon.Site{}, fmt.Errorf("read the definition of site %q: %w: %w", r.Name, sitemon.ErrInvalid, err)
		}
	}
	if r.URL != owned.URL {
		keys["url"] = strings.ReplaceAll(r.URL, "${", "$${")
	}
	switch {
	case r.Interval > 0 && r.Interval != owned.Interval:
		keys["interval"] = FormatDuration(r.Interval)
	case r.Interval == 0 && owned.Interval == 0:
		keys["interval"] = FormatDuration(interval)
	}
	if r.Timeout > 0 && r.Timeout != owned.Timeout {
		keys["timeout"] = FormatDuration(r.Timeout)
	}
	if r.Regex != "" {
		keys["regex"] = r.Regex
	}
	if r.Enabled != owned.Enabled {
		keys["enabled"] = r.Enabled
	}
	definition, err := json.Marshal(keys)
	if err != nil {
		return sitemon.Site{}, fmt.Errorf("site %q: %w: %w", r.Name, sitemon.ErrInvalid, err)
	}
	return DecodeSite(r.Name, definition)
}
