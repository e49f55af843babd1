package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sitemon"
	"sitemon/availability"
)

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
		Use: "status", Short: "Show the sites of a running daemon",
		Args: func(cmd *cobra.Command, args []string) error { return exitWith(2, cobra.NoArgs(cmd, args)) },
		Long: "Status asks a running daemon for its sites and prints them as a table. Where none answers\n" +
			"and --api names none, it prints what was stored last in --data-dir.\n" +
			"Exit status: 0 none down, 1 some down, 2 no answer, or another error.",
		Example: "  sitemon status\n  sitemon status --api http://monitor.example:8080 --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.settings(cmd)
			if err != nil {
				return exitError{2, err}
			}
			q := a.ask(s, api)
			raw, rows, err := fetchSites(cmd.Context(), q)
			if err = errors.Join(err, q.close()); err != nil {
				return exitError{2, err}
			}
			if asJSON {
				err = a.printJSON(map[string][]json.RawMessage{"sites": raw})
			} else {
				err = a.printSites(rows)
			}
			if err != nil {
				return exitError{2, err}
			}
			if q.stored() {
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
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return exitWith(2, err) })
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's sites as JSON")
	cmd.Flags().StringVar(&api, "api", "", "address of the daemon (default: that of --listen)")
	return cmd
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

// fetchSites reads all sites from the API.
func fetchSites(ctx context.Context, q *asked) (raw []json.RawMessage, rows []siteRow, err error) {
	err = q.pages(ctx, "/api/v1/sites", "sites", 0, func(item json.RawMessage) error {
		var row siteRow
		err := json.Unmarshal(item, &row)
		raw, rows = append(raw, item), append(rows, row)
		return err
	})
	return raw, rows, err
}

func (a *app) printSites(rows []siteRow) error {
	paint := painter(a.out)
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "SITE\t%s\tSINCE\tLATENCY\t24H\t30D\tREASON\n", paint(bold, "STATUS"))
	for _, r := range rows {
		latency, reason := "", ""
		if r.LastReport != nil {
			reason = shown(string(r.LastReport.Reason))
			if r.LastReport.Outcome.Good() {
				latency = millis(r.LastReport.Duration)
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", shown(r.Name), paint(statusColour(r.Status), shown(string(r.Status))), ago(r.Since), latency,
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
	return spell(time.Since(*t))
}

// spell writes a duration in its two largest units.
func spell(d time.Duration) string {
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
