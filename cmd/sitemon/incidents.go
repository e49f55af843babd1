package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sitemon"
)

// incidentRow is what the table needs of the API's Incident.
type incidentRow struct {
	ID        int64                  `json:"id"`
	Site      string                 `json:"site"`
	Status    sitemon.IncidentStatus `json:"status"`
	StartedAt time.Time              `json:"started_at"`
	EndedAt   *time.Time             `json:"ended_at"`
	Reason    sitemon.Reason         `json:"reason"`
	Error     string                 `json:"error"`
	Parent    string                 `json:"parent"`
}

func (a *app) incidentsCommand() *cobra.Command {
	var asJSON, open bool
	var api, site string
	var limit int
	cmd := &cobra.Command{
		Use: "incidents", Short: "Show when sites were down, and why", Args: cobra.NoArgs,
		Long: "Incidents asks a running daemon for the newest incidents and prints them as a table. Where\n" +
			"none answers and --api names none, it prints what was stored last in --data-dir.\n" +
			"Exit status: 0, 1 error.",
		Example: "  sitemon incidents --open\n  sitemon incidents --site docs --limit 10 --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.settings(cmd)
			if err != nil {
				return err
			}
			if limit < 1 {
				return errors.New("--limit is how many incidents to show, at least 1")
			}
			q := a.ask(s, api)
			raw, rows, err := fetchIncidents(cmd.Context(), q, site, open, limit)
			if err = errors.Join(err, q.close()); err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(map[string][]json.RawMessage{"incidents": raw})
			}
			return a.printIncidents(rows)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's incidents as JSON")
	cmd.Flags().BoolVar(&open, "open", false, "only those that go on")
	cmd.Flags().StringVar(&site, "site", "", "only those of this site")
	cmd.Flags().IntVar(&limit, "limit", 100, "how many to show, newest first")
	cmd.Flags().StringVar(&api, "api", "", "address of the daemon (default: that of --listen)")
	return cmd
}

func fetchIncidents(ctx context.Context, q *asked, site string, open bool, limit int) (raw []json.RawMessage, rows []incidentRow, err error) {
	query := url.Values{}
	if site != "" {
		query.Set("site", site)
	}
	if open {
		query.Set("open", "true")
	}
	raw = []json.RawMessage{}
	err = q.pages(ctx, "/api/v1/incidents?"+query.Encode(), "incidents", limit, func(item json.RawMessage) error {
		var row incidentRow
		err := json.Unmarshal(item, &row)
		raw, rows = append(raw, item), append(rows, row)
		return err
	})
	return raw, rows, err
}

func (a *app) printIncidents(rows []incidentRow) error {
	paint := painter(a.out)
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "ID\t%s\tSITE\tSTARTED\tLASTED\tREASON\tERROR\n", paint(bold, "STATUS"))
	for _, r := range rows {
		lasted := time.Since(r.StartedAt)
		colour := red
		if r.EndedAt != nil {
			lasted, colour = r.EndedAt.Sub(r.StartedAt), grey
		}
		what := r.Error
		if r.Parent != "" {
			what = fmt.Sprintf("depends on %s, which is down; %s", r.Parent, what)
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, paint(colour, shown(string(r.Status))), shown(r.Site),
			r.StartedAt.UTC().Format(time.DateTime), spell(lasted), shown(string(r.Reason)), shown(what))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprint(a.out, b.String())
	return err
}
