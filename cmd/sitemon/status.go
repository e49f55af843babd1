package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sitemon"
	"sitemon/availability"
	"sitemon/config"
)

// apiTimeout bounds one request to a running daemon.
const apiTimeout = 10 * time.Second

// siteRow is what the table needs of the API's Site.
type siteRow struct {
	Name       string                         `json:"name"`
	Group      string                         `json:"group"`
	Status     sitemon.Status                 `json:"status"`
	Since      *time.Time                     `json:"since"`
	LastReport *sitemon.Report                `json:"last_report"`
	Figures    map[string]availability.Figure `json:"availability"`
}

func (a *app) statusCommand() *cobra.Command {
	var asJSON bool
	var api string
	cmd := &cobra.Command{
		Use: "status", Short: "Show the sites of a running daemon", Args: cobra.NoArgs,
		Long: "Status asks a running daemon for its sites and prints them as a table. Where none answers\n" +
			"and --api names none, it prints what was stored last in --data-dir.\n" +
			"Exit status: 0 none down, 1 some down, 2 no answer.",
		Example: "  sitemon status\n  sitemon status --api http://monitor.example:8080 --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.settings(cmd)
			if err != nil {
				return exitError{2, err}
			}
			answered := true
			raw, rows, err := fetchSites(cmd.Context(), http.DefaultTransport, baseURL(api, s), s)
			if err != nil && api == "" && noAnswer(err) {
				answered = false
				raw, rows, err = a.lastSites(cmd.Context(), s, err)
			}
			if err != nil {
				return exitError{2, err}
			}
			if asJSON {
				err = json.NewEncoder(a.out).Encode(map[string][]json.RawMessage{"sites": raw})
			} else {
				err = a.printSites(rows)
			}
			if err != nil {
				return err
			}
			if !answered {
				return exitError{code: 2}
			}
			for _, r := range rows {
				if r.Status == sitemon.StatusDown {
					return exitError{code: 1}
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's sites as JSON")
	cmd.Flags().StringVar(&api, "api", "", "address of the daemon (default: that of --listen)")
	return cmd
}

// baseURL is where the daemon's API is: at api, or where the settings have it.
func baseURL(api string, s config.Settings) string {
	if api == "" {
		api = reachable(s.Listen)
	}
	if !strings.Contains(api, "://") {
		api = "http://" + api
	}
	return api
}

// noAnswer reports whether nobody was reached, as opposed to a daemon that refused.
func noAnswer(err error) bool {
	_, unreached := errors.AsType[*url.Error](err)
	return unreached
}

// lastSites reads the sites from the store, because no daemon was reached. With
// no store either, the error is the one of asking.
func (a *app) lastSites(ctx context.Context, s config.Settings, asking error) (raw []json.RawMessage, rows []siteRow, err error) {
	db, err := openStored(ctx, s)
	if noStore(err) {
		return nil, nil, asking
	}
	if err != nil {
		return nil, nil, errors.Join(asking, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	fmt.Fprintf(a.err, "sitemon: %v\nsitemon: this is what was stored last in %s\n", asking, s.DataDir)
	return fetchSites(ctx, newStoredAPI(db), "http://localhost", s)
}

// reachable turns the address of a listener into one to connect to.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// fetchSites reads all sites from the API, page by page.
func fetchSites(ctx context.Context, via http.RoundTripper, api string, s config.Settings) (raw []json.RawMessage, rows []siteRow, err error) {
	client := &http.Client{Transport: via, Timeout: apiTimeout}
	for cursor := ""; ; {
		var page struct {
			Sites []json.RawMessage `json:"sites"`
			Next  string            `json:"next"`
		}
		address := strings.TrimRight(api, "/") + "/api/v1/sites?limit=10000&cursor=" + url.QueryEscape(cursor)
		if err := getJSON(ctx, client, address, s, &page); err != nil {
			return nil, nil, fmt.Errorf("ask the daemon at %s for its sites: %w (is it running? another address: --api)", api, err)
		}
		for _, b := range page.Sites {
			var row siteRow
			if err := json.Unmarshal(b, &row); err != nil {
				return nil, nil, fmt.Errorf("read the answer of %s: %w", api, err)
			}
			raw, rows = append(raw, b), append(rows, row)
		}
		if cursor = page.Next; cursor == "" {
			return raw, rows, nil
		}
	}
}

// getJSON fetches one answer of the API.
func getJSON(ctx context.Context, client *http.Client, address string, s config.Settings, into any) (err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	if token, ok := s.Environ.Lookup("SITEMON_TOKEN"); ok && token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the answer was %s", resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

func (a *app) printSites(rows []siteRow) error {
	paint := painter(a.out)
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "SITE\t%s\tSINCE\tLATENCY\t24H\t30D\tREASON\n", paint(bold, "STATUS"))
	for _, r := range rows {
		latency, reason := "", ""
		if r.LastReport != nil {
			reason = string(r.LastReport.Reason)
			if r.LastReport.Outcome.Good() {
				latency = millis(r.LastReport.Duration)
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, paint(statusColour(r.Status), string(r.Status)), ago(r.Since), latency,
			figure(r.Figures["24h"]), figure(r.Figures["30d"]), reason)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprint(a.out, b.String())
	return err
}

func statusColour(s sitemon.Status) colour {
	switch s {
	case sitemon.StatusUp:
		return green
	case sitemon.StatusDown:
		return red
	case sitemon.StatusDegraded:
		return yellow
	}
	return grey
}

// ago writes how long ago a moment was, in its two largest units.
func ago(t *time.Time) string {
	if t == nil {
		return "never"
	}
	d := time.Since(*t)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
}

// figure writes an availability, and how much of the window is known where that
// is not all of it. Both are rounded down, so that 100 % means everything.
func figure(f availability.Figure) string {
	if f.Availability == nil {
		return "-"
	}
	text := fmt.Sprintf("%.3f%%", float64(int(*f.Availability*100_000))/1000)
	if known := int(f.Coverage * 100); known < 99 {
		text += fmt.Sprintf(" (%d%% known)", known)
	}
	return text
}
