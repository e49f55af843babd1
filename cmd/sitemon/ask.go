package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sitemon"
	"sitemon/config"
)

// apiTimeout bounds one request to a running daemon.
const apiTimeout = 30 * time.Second

// asked answers as the API of a running daemon, or, where none was reached and
// --api names none, from what was stored last.
type asked struct {
	app      *app
	settings config.Settings
	base     string // the daemon's address
	given    bool   // by --api
	client   http.Client
	db       store // open where it is what answers; else nil
}

// ask prepares asking the daemon at api, or where the settings have it.
func (a *app) ask(s config.Settings, api string) *asked {
	q := &asked{app: a, settings: s, base: api, given: api != "", client: http.Client{Timeout: apiTimeout}}
	if api == "" {
		q.base = scheme(s) + "://" + reachable(s.Listen)
		q.client.Transport = ownDaemon(s)
	}
	if !strings.Contains(q.base, "://") {
		q.base = "http://" + q.base
	}
	q.base = strings.TrimRight(q.base, "/")
	return q
}

// stored reports whether answers are from what was stored last.
func (q *asked) stored() bool { return q.db != nil }

// close ends what asking needed.
func (q *asked) close() error {
	if q.db == nil {
		return nil
	}
	return q.db.Close()
}

// get reads the answer at a path, which begins with a slash.
func (q *asked) get(ctx context.Context, path string, into any) error {
	err := q.fetch(ctx, path, into)
	if err == nil {
		return nil
	}
	if _, unreached := errors.AsType[*url.Error](err); unreached && !q.given && q.db == nil {
		if openErr := q.open(ctx, err); openErr != nil {
			return openErr
		}
		err = q.fetch(ctx, path, into)
	}
	if err != nil {
		return q.failed(err)
	}
	return nil
}

// failed says what came of asking, without the password that an address may have.
func (q *asked) failed(err error) error {
	hint := ""
	if u, unreached := errors.AsType[*url.Error](err); unreached {
		err, hint = unreachedError{u.Err}, " (is it running? another address: --api)"
	}
	return fmt.Errorf("ask the daemon at %s: %w%s", sitemon.RedactURL(q.base), err, hint)
}

// unreachedError says that nothing answers.
type unreachedError struct{ error }

func (e unreachedError) Unwrap() error { return e.error }

// open takes the store, because no daemon was reached. With no store either, the
// error is the one of asking.
func (q *asked) open(ctx context.Context, asking error) error {
	asking = q.failed(asking)
	db, err := openStored(ctx, q.settings)
	if noStore(err) {
		return asking
	}
	if err != nil {
		return errors.Join(asking, err)
	}
	fmt.Fprintf(q.app.err, "sitemon: %v\nsitemon: this is what was stored last in %s\n", asking, q.settings.DataDir)
	q.db, q.base, q.client.Transport = db, "http://localhost", newStoredAPI(db)
	return nil
}

func (q *asked) fetch(ctx context.Context, path string, into any) (err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, q.base+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	if token, ok := q.settings.Environ.Lookup("SITEMON_TOKEN"); ok && token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := q.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusOK {
		var problem struct {
			Detail string `json:"detail"`
		}
		err := fmt.Errorf("the answer was %s", resp.Status)
		if json.NewDecoder(resp.Body).Decode(&problem) == nil && problem.Detail != "" {
			err = fmt.Errorf("%w: %s", err, problem.Detail)
		}
		if resp.StatusCode == http.StatusUnauthorized {
			err = fmt.Errorf("%w (SITEMON_TOKEN is the place for a token)", err)
		}
		return err
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("what answers is not SiteMon's API: %w", err)
	}
	return nil
}

// pages reads a list page by page; key is the name of the list in the answer.
func (q *asked) pages(ctx context.Context, path, key string, limit int, f func(item json.RawMessage) error) error {
	return q.eachPage(ctx, path, limit, func(page map[string]json.RawMessage) (int, error) {
		var items []json.RawMessage
		if err := json.Unmarshal(page[key], &items); err != nil {
			return 0, err
		}
		for _, item := range items {
			if err := f(item); err != nil {
				return 0, err
			}
		}
		return len(items), nil
	})
}

// eachPage reads the pages of a list, up to as many items as limit says, 0 for all. f
// returns how many a page has.
func (q *asked) eachPage(ctx context.Context, path string, limit int, f func(page map[string]json.RawMessage) (int, error)) error {
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	for cursor, n := "", 0; ; {
		size := 10_000
		if limit > 0 {
			size = min(size, limit-n)
		}
		var page map[string]json.RawMessage
		if err := q.get(ctx, fmt.Sprintf("%s%slimit=%d&cursor=%s", path, sep, size, url.QueryEscape(cursor)), &page); err != nil {
			return err
		}
		items, err := f(page)
		cursor, n = "", n+items
		if next, ok := page["next"]; ok && err == nil {
			err = json.Unmarshal(next, &cursor)
		}
		if err != nil {
			return fmt.Errorf("read the answer of %s: %w", sitemon.RedactURL(q.base), err)
		}
		if cursor == "" || limit > 0 && n >= limit {
			return nil
		}
	}
}
