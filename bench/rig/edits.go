package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// added is how many sites the second edit brings in and the third takes out.
const added = 100

// page is the page of site id after the edits: every site has that of its own
// number, but an edited one.
type page struct{ site, id int }

// edits saves the sites file of a running daemon in several ways, and measures
// from each save to the first probe of what it brought, and whether any other
// site lost or shifted a slot.
func edits(ctx context.Context, o options) error {
	s, err := setUp(o)
	if err != nil {
		return err
	}
	defer s.close()
	p, err := start(s.daemon, o.log)
	if err != nil {
		return err
	}
	e := editor{s.options, s.target, filepath.Join(s.dir, "sites.yaml"), strings.TrimSuffix(s.daemon.metrics, "/metrics"), p}
	return errors.Join(e.run(ctx), p.end())
}

// editor edits the sites file of one running daemon.
type editor struct {
	options
	target *target
	file   string
	api    string
	daemon *running
}

func (e editor) run(ctx context.Context) error {
	if err := e.daemon.wait(ctx, e.warmUp()); err != nil {
		return err
	}
	edited := page{e.sites / 2, 10 * e.sites}
	var more []page
	for i := range added {
		more = append(more, page{e.sites + i, e.sites + i})
	}
	fmt.Printf("%d sites every %s; each edit saved by a rename, then watched for two intervals\n", e.sites, e.interval)
	for _, step := range []struct {
		what string
		text []byte
		new  []page
	}{
		{"one URL edited", e.document(edited), []page{edited}},
		{"100 sites added", e.document(append(more, edited)...), more},
		{"100 sites removed", e.document(edited), nil},
		{"a broken file", append(e.document(edited), "  - { nam: broken }\n"...), nil},
		{"the good file again", e.document(edited), nil},
	} {
		if err := e.edit(ctx, step.what, step.text, step.new, edited.site); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

// edit saves one version and prints what came of it.
func (e editor) edit(ctx context.Context, what string, text []byte, brought []page, except int) error {
	saved := time.Now()
	if err := os.WriteFile(e.file+".new", text, 0o644); err != nil {
		return err
	}
	if err := os.Rename(e.file+".new", e.file); err != nil {
		return err
	}
	if err := e.daemon.wait(ctx, 2*e.interval+2*time.Second); err != nil {
		return err
	}
	o := e.options
	o.dur = 2 * e.interval
	k := e.target.judge(o, saved, true, except)
	line := fmt.Sprintf("%-20s", what)
	if len(brought) > 0 {
		first, last := e.target.firstArrivals(brought)
		line += fmt.Sprintf("  first probe after %4d ms, the last of %d after %d ms;", first.Sub(saved).Milliseconds(), len(brought), last.Sub(saved).Milliseconds())
	}
	line += fmt.Sprintf("  other sites: %d slots, %d missed, %d extra, late p99 %.1f ms", k.planned, k.missed, k.extra, 1000*k.p99.Seconds())
	fault, err := e.fault(ctx)
	if fault != "" {
		line += ";  refused: " + fault
	}
	fmt.Println(line)
	return err
}

// document is a sites file of the usual sites, with these pages edited or added.
func (e editor) document(pages ...page) []byte {
	o := e.options
	text := sitemonFile(o)
	for _, p := range pages {
		line := func(id int) []byte {
			return fmt.Appendf(nil, "  - { name: %s, url: \"%s/s/%d\" }\n", siteName(p.site), e.base, id)
		}
		if p.site < e.sites {
			text = bytes.Replace(text, line(p.site), line(p.id), 1)
		} else {
			text = append(text, line(p.id)...)
		}
	}
	return text
}

// fault is the error that the API shows, "" where there is none.
func (e editor) fault(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.api+"/api/v1/config", nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	var config struct {
		LastError *struct {
			Errors []struct {
				File         string
				Line, Column int
				Message      string
			}
		} `json:"last_error"`
	}
	if err := json.Unmarshal(b, &config); err != nil || config.LastError == nil {
		return "", err
	}
	f := config.LastError.Errors[0]
	return fmt.Sprintf("%s:%d:%d: %s", filepath.Base(f.File), f.Line, f.Column, f.Message), nil
}

// firstArrivals is when the first and when the last of some pages was asked for
// the first time; a page that never was counts as now.
func (t *target) firstArrivals(pages []page) (first, last time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range pages {
		at := time.Now()
		if seen := t.arrivals[p.id]; len(seen) > 0 {
			at = seen[0]
		}
		if first.IsZero() || at.Before(first) {
			first = at
		}
		if at.After(last) {
			last = at
		}
	}
	return first, last
}
