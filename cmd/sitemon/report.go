package main

import (
	_ "embed" // for report.html
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"math"
	"net/url"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sitemon"
	"sitemon/availability"
)

// monthReport is the API's MonthReport.
type monthReport struct {
	From      time.Time     `json:"from"`
	To        time.Time     `json:"to"`
	Total     reportSum     `json:"total"`
	Groups    []reportGroup `json:"groups"`
	Sites     []reportSite  `json:"sites"`
	Incidents []incidentRow `json:"incidents"`
}

// reportSum is what some sites come to together.
type reportSum struct {
	availability.Figure
	DownS        float64 `json:"down_s"`
	MaintenanceS float64 `json:"maintenance_s"`
	Reports      int     `json:"reports"`
	Incidents    int     `json:"incidents"`
	Latency      *struct {
		Mean int64  `json:"mean"`
		P50  *int64 `json:"p50"`
		P95  *int64 `json:"p95"`
		P99  *int64 `json:"p99"`
		Max  int64  `json:"max"`
	} `json:"latency_us"`
}

type reportGroup struct {
	Group string `json:"group"`
	Sites int    `json:"sites"`
	reportSum
}

type reportSite struct {
	Site  string `json:"site"`
	Group string `json:"group"`
	reportSum
}

// reportFormats writes a report in each format but JSON, which is the API's own.
var reportFormats = map[string]func(w io.Writer, r *monthReport) error{
	"text": writeReportText, "csv": writeReportCSV, "html": writeReportHTML,
}

func (a *app) reportCommand() *cobra.Command {
	var month, format, zone, api string
	var include bool
	cmd := &cobra.Command{
		Use: "report", Short: "Sum up a month: availability, percentiles and incidents", Args: cobra.NoArgs,
		Long: "Report asks a running daemon to sum up a month for each site and group. Where none answers\n" +
			"and --api names none, it sums up what was stored last in --data-dir. Time of a group is that\n" +
			"of its sites, added up. Exit status: 0, 1 error.",
		Example: "  sitemon report --month 2026-11\n  sitemon report --month 2026-11 --tz Europe/Berlin --format html > november.html",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			s, err := a.settings(cmd)
			if err != nil {
				return err
			}
			write, known := reportFormats[format]
			if !known && format != "json" {
				return fmt.Errorf("--format %s: it is one of text, json, csv, html", format)
			}
			query := url.Values{}
			for name, value := range map[string]string{"month": month, "tz": zone} {
				if value != "" {
					query.Set(name, value)
				}
			}
			if include {
				query.Set("maintenance", "include")
			}
			q := a.ask(s, api)
			defer func() { err = errors.Join(err, q.close()) }()
			var raw json.RawMessage
			if err := q.get(cmd.Context(), "/api/v1/report?"+query.Encode(), &raw); err != nil {
				return err
			}
			if format == "json" {
				return a.printJSON(raw)
			}
			var r monthReport
			if err := json.Unmarshal(raw, &r); err != nil {
				return fmt.Errorf("read the answer of %s: %w", sitemon.RedactURL(q.base), err)
			}
			return write(a.out, &r)
		},
	}
	cmd.Flags().StringVar(&month, "month", "", "the month, such as 2026-11 (default: the one that runs)")
	cmd.Flags().StringVar(&format, "format", "text", "text, json, csv or html")
	cmd.Flags().StringVar(&zone, "tz", "", "the time zone of the month (default UTC)")
	cmd.Flags().BoolVar(&include, "include-maintenance", false, "count time in maintenance like any other")
	cmd.Flags().StringVar(&api, "api", "", "address of the daemon (default: that of --listen)")
	return cmd
}

func writeReportText(out io.Writer, r *monthReport) error {
	fmt.Fprintf(out, "%s to %s (UTC)\n\n", r.From.Format(time.DateTime), r.To.Format(time.DateTime))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SITE\tGROUP\tAVAILABILITY\tDOWN\tINCIDENTS\tP50\tP95\tP99\tREPORTS")
	line := func(site, group string, s *reportSum) {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%d\n", site, group, figure(s.Figure), s.Down(), s.Incidents,
			s.Percentile(50), s.Percentile(95), s.Percentile(99), s.Reports)
	}
	for i := range r.Sites {
		line(shown(r.Sites[i].Site), shown(r.Sites[i].Group), &r.Sites[i].reportSum)
	}
	for i := range r.Groups {
		line("("+count(r.Groups[i].Sites, "site")+")", shown(r.Groups[i].Name()), &r.Groups[i].reportSum)
	}
	line("(all "+count(len(r.Sites), "site")+")", "", &r.Total)
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nIncidents: %d\n", len(r.Incidents))
	for _, i := range r.Incidents {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", i.StartedAt.UTC().Format(time.DateTime), i.Lasted(r.To), shown(i.Site), shown(string(i.Reason)), shown(i.Error))
	}
	return w.Flush()
}

// writeReportCSV writes a row for each site, group, and all together.
func writeReportCSV(out io.Writer, r *monthReport) error {
	w := csv.NewWriter(out)
	_ = w.Write([]string{
		"kind", "site", "group", "from", "to", "availability", "coverage", "down_s", "maintenance_s", "incidents", "reports",
		"latency_mean_us", "latency_p50_us", "latency_p95_us", "latency_p99_us", "latency_max_us",
	})
	row := func(kind, site, group string, s *reportSum) {
		number := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
		known := ""
		if s.Availability != nil {
			known = number(*s.Availability)
		}
		cells := []string{
			kind, sitemon.SpreadsheetText(site), sitemon.SpreadsheetText(group), r.From.Format(time.RFC3339), r.To.Format(time.RFC3339),
			known, number(s.Coverage), number(s.DownS), number(s.MaintenanceS), strconv.Itoa(s.Incidents), strconv.Itoa(s.Reports),
		}
		latency := make([]string, 5)
		if l := s.Latency; l != nil {
			for i, us := range []*int64{&l.Mean, l.P50, l.P95, l.P99, &l.Max} {
				if us != nil {
					latency[i] = strconv.FormatInt(*us, 10)
				}
			}
		}
		_ = w.Write(slices.Concat(cells, latency)) // Error tells
	}
	for i := range r.Sites {
		row("site", r.Sites[i].Site, r.Sites[i].Group, &r.Sites[i].reportSum)
	}
	for i := range r.Groups {
		row("group", "", r.Groups[i].Group, &r.Groups[i].reportSum)
	}
	row("all", "", "", &r.Total)
	w.Flush()
	return w.Error()
}

//go:embed report.html
var reportHTML string

func writeReportHTML(out io.Writer, r *monthReport) error {
	t, err := template.New("report").Funcs(template.FuncMap{
		"time":   func(t time.Time) string { return t.UTC().Format(time.DateTime) },
		"figure": figure,
	}).Parse(reportHTML)
	if err != nil {
		return err
	}
	return t.Execute(out, r)
}

// Name is the group's, in words where it has none.
func (g *reportGroup) Name() string {
	if g.Group == "" {
		return "no group"
	}
	return g.Group
}

// Down is the time in which sites were down.
func (s *reportSum) Down() string {
	if s.DownS == 0 {
		return "0s"
	}
	return spell(time.Duration(math.Round(s.DownS)) * time.Second)
}

// Percentile is one of the durations, in words.
func (s *reportSum) Percentile(percent int) string {
	if s.Latency == nil {
		return "-"
	}
	us := map[int]*int64{50: s.Latency.P50, 95: s.Latency.P95, 99: s.Latency.P99}[percent]
	if us == nil {
		return "-"
	}
	return millis(time.Duration(*us) * time.Microsecond)
}

// Lasted is how long the incident lasted, or has by now.
func (r *incidentRow) Lasted(now time.Time) string {
	if r.EndedAt != nil {
		now = *r.EndedAt
	}
	return spell(now.Sub(r.StartedAt))
}
