package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// settled is how long a page gets to be live and its charts to be drawn.
const settled = time.Second

// shot is a picture to take of a page.
type shot struct {
	name, path string
	act        string // a script to run before, or ""
}

// pictures starts the daemon on a store with some past and loopback sites, and takes
// pictures of its pages into a folder, in each width, light and dark.
func pictures(ctx context.Context, o options) (err error) {
	dir, err := os.MkdirTemp("", "sitemon-pictures-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	web := httptest.NewServer(http.HandlerFunc(pictured))
	defer web.Close()
	fleet := demoFleet(o.sites)
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	began := time.Now()
	if err := demoPast(ctx, filepath.Join(data, "sitemon.db"), fleet, o.days, time.Now().UTC().Truncate(time.Minute)); err != nil {
		return fmt.Errorf("make the past: %w", err)
	}
	fmt.Fprintf(os.Stderr, "rig: %d days of %d sites were made in %s\n", o.days, len(fleet), time.Since(began).Round(time.Second))
	daemon, err := daemonIn(dir, demoFile(fleet, web.URL, o.interval))
	if err != nil {
		return err
	}
	base := strings.TrimSuffix(daemon.metrics, "/metrics")
	daemon.command = append(daemon.command, "--instance", "host-1")
	d, err := start(daemon, o.log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.end()) }()
	if err := d.wait(ctx, o.warmUp()); err != nil {
		return err
	}
	shots, err := demoShots(ctx, base, fleet)
	if err != nil {
		return err
	}
	return takeAll(ctx, base, shots, o)
}

// demoShots lists the pages.
func demoShots(ctx context.Context, base string, fleet []demoSite) ([]shot, error) {
	shots := []shot{{name: "overview", path: "/"}}
	if len(fleet) > 1 {
		shots = append(shots, shot{name: "site", path: "/sites/" + strings.ReplaceAll(fleet[2].name, " ", "%20") + "?range=7d"},
			shot{name: "site-down", path: "/sites/" + strings.ReplaceAll(fleet[1].name, " ", "%20")})
	}
	shots = append(shots, shot{name: "incidents", path: "/incidents"})
	var list struct{ Incidents []struct{ ID int64 } }
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/api/v1/incidents?open=true", nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, fmt.Errorf("ask for the incidents: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &list); err == nil && len(list.Incidents) > 0 {
		shots = append(shots, shot{name: "incident", path: fmt.Sprintf("/incidents/%d", list.Incidents[len(list.Incidents)-1].ID)})
	}
	return append(shots, shot{name: "configuration", path: "/config"}, shot{name: "monitors", path: "/monitors"}, shot{name: "status", path: "/status/public"}), nil
}

// takeAll takes the pictures.
func takeAll(ctx context.Context, base string, shots []shot, o options) error {
	ctx, stop := newBrowser(ctx)
	defer stop()
	for _, width := range o.widths {
		for _, theme := range []string{"light", "dark"} {
			for _, s := range shots {
				name := filepath.Join(o.out, fmt.Sprintf("%s-%d-%s.png", s.name, width, theme))
				if err := take(ctx, base, s, width, theme, o.full, name); err != nil {
					return fmt.Errorf("take a picture of %s: %w", s.path, err)
				}
			}
		}
	}
	return nil
}

// take takes one picture.
func take(ctx context.Context, base string, s shot, width int64, theme string, full bool, name string) error {
	height := int64(1000)
	if width < 600 {
		height = 800
	}
	options := []chromedp.EmulateViewportOption{}
	if width < 600 {
		options = append(options, chromedp.EmulateMobile)
	}
	err := chromedp.Do(ctx,
		chromedp.EmulateViewport(width, height, options...),
		chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
			})
			return err
		}),
		chromedp.Navigate(base+s.path),
		chromedp.Sleep(settled),
	)
	if err == nil && s.act != "" {
		_, err = chromedp.Run(ctx, chromedp.Evaluate[bool](s.act+"; true"))
	}
	if err != nil {
		return err
	}
	shoot := chromedp.CaptureScreenshot()
	if full {
		shoot = chromedp.FullScreenshot(100)
	}
	picture, err := chromedp.Run(ctx, shoot)
	if err != nil {
		return err
	}
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return err
	}
	var small bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&small, paletted(img)); err != nil {
		return err
	}
	return os.WriteFile(name, small.Bytes(), 0o644)
}
