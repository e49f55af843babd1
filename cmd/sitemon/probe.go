package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sitemon"
	"sitemon/config"
	"sitemon/probes"
)

func (a *app) probeCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "probe NAME|URL", Short: "Probe one site now and show everything that was seen",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("probe takes one name of a site, or one URL: sitemon probe https://example.org")
			}
			return nil
		},
		Long: "Probe makes one probe of a site of the sites file, or of any URL, and shows its phases\n" +
			"and every expectation with what was seen; where it is not up, also the beginning of the\n" +
			"answer. It is made once, whatever retries says, and nothing is recorded.\n" +
			"Exit status: 0 up or degraded, 1 not.",
		Example: "  sitemon probe docs\n  sitemon probe https://example.org --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.settings(cmd)
			if err != nil {
				return err
			}
			site, err := findSite(s, args[0])
			if err != nil {
				return err
			}
			report, detail := probeOnce(cmd.Context(), s, &site)
			if asJSON {
				err = a.printJSON(probeResult{report, detail})
			} else {
				err = a.printProbe(&site, report, detail)
			}
			if err == nil && !report.Outcome.Good() {
				return exitError{code: 1}
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print report and details as JSON")
	return cmd
}

// probeResult is one probe as JSON, here and in the API.
type probeResult struct {
	Report sitemon.Report `json:"report"`
	probes.Detail
}

// findSite returns the site of the sites file with that name, or one made of a
// URL.
func findSite(s config.Settings, nameOrURL string) (sitemon.Site, error) {
	if strings.Contains(nameOrURL, "://") || strings.HasPrefix(nameOrURL, "dns:") {
		return config.SiteFromURL(nameOrURL)
	}
	content, err := readDocument(s)
	if err != nil {
		return sitemon.Site{}, fmt.Errorf("look up site %q: %w (a URL needs its scheme, as in https://example.org)", nameOrURL, err)
	}
	doc, _, err := content.Parse()
	if err != nil {
		return sitemon.Site{}, fmt.Errorf("the sites file has errors:\n%w", err)
	}
	for _, site := range doc.Sites {
		if site.Name == nameOrURL {
			return site, nil
		}
	}
	return sitemon.Site{}, fmt.Errorf("look up site %q in %s: %w (a URL needs its scheme, as in https://example.org)", nameOrURL, s.Sites, sitemon.ErrNotFound)
}

// probeOnce probes a site as the daemon would.
func probeOnce(ctx context.Context, s config.Settings, site *sitemon.Site) (sitemon.Report, probes.Detail) {
	var beats probes.Heartbeats
	if site.Kind == sitemon.KindHeartbeat {
		if db, err := openStored(ctx, s); err == nil { // else the report says that there is none
			defer func() { _ = db.Close() }() // it only read
			beats = db
		}
	}
	set := newProbes(s, nil, beats)
	defer set.Close()
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, site.Timeout)
	defer cancel()
	r, detail := set.Explain(ctx, site)
	return offSlot(r, s, site, start), detail
}

func (a *app) printProbe(site *sitemon.Site, r sitemon.Report, d probes.Detail) error {
	paint := painter(a.out)
	var b strings.Builder
	outcome := map[sitemon.Outcome]colour{
		sitemon.OutcomeUp: green, sitemon.OutcomeDegraded: yellow, sitemon.OutcomeDown: red, sitemon.OutcomeUnknown: yellow,
	}[r.Outcome]
	fmt.Fprintf(&b, "%s is %s", shown(site.Name), paint(outcome, string(r.Outcome)))
	if r.Reason != "" {
		fmt.Fprintf(&b, " (%s): %s", r.Reason, shown(r.Error))
	}
	fmt.Fprintf(&b, "\n\n")
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for i, phase := range r.Phases.All() {
		if phase > 0 {
			fmt.Fprintf(w, "%s\t%s\n", sitemon.PhaseNames[i], millis(phase))
		}
	}
	fmt.Fprintf(w, "total\t%s\n", millis(r.Duration))
	printSteps(w, d.Steps)
	for i, hop := range d.Hops {
		fmt.Fprintf(w, "request %d\t%s %s\t%s %d from %s\n", i+1, shown(hop.Method), shown(hop.URL), shown(hop.Protocol), hop.StatusCode, hop.RemoteAddr)
	}
	if d.Exchange != nil {
		fmt.Fprintf(w, "request\t%s %s\n", shown(d.Exchange.Request.Method), shown(d.Exchange.Request.URL))
	}
	if len(d.Hops) == 0 && r.RemoteAddr != "" {
		fmt.Fprintf(w, "address\t%s\n", r.RemoteAddr)
	}
	if !r.CertificateExpiresAt.IsZero() {
		fmt.Fprintf(w, "certificate\tvalid until %s (%d days)\n", r.CertificateExpiresAt.Format(time.DateOnly),
			int(time.Until(r.CertificateExpiresAt).Hours()/24))
	}
	if r.BodyBytes > 0 {
		note := ""
		if r.BodyTruncated {
			note = ", longer than its limit"
		}
		fmt.Fprintf(w, "body\t%d bytes%s\n", r.BodyBytes, note)
	}
	for name, n := range r.Values.All() {
		fmt.Fprintf(w, "value %s\t%s\n", shown(name), strconv.FormatFloat(n, 'g', -1, 64))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	printChecks(&b, paint, d.Checks)
	if d.Exchange != nil {
		printAnswer(&b, d.Exchange.Response)
	} else {
		printEvidence(&b, r.Evidence)
	}
	_, err := io.WriteString(a.out, b.String())
	return err
}

// printChecks lists the expectations with what was seen.
func printChecks(b *strings.Builder, paint func(colour, string) string, checks []probes.Check) {
	if len(checks) == 0 {
		return
	}
	b.WriteByte('\n')
	for _, c := range checks {
		mark := paint(green, "ok  ")
		if !c.OK {
			mark = paint(red, "FAIL")
		}
		fmt.Fprintf(b, "%s  %s: expected %s, seen %s\n", mark, shown(c.Name), shown(c.Expected), shown(c.Seen))
	}
}

// printEvidence shows the answer of a probe that was not up, as reports carry it.
func printEvidence(b *strings.Builder, evidence string) {
	var e sitemon.ProbeEvidence
	if evidence != "" && json.Unmarshal([]byte(evidence), &e) == nil {
		printAnswer(b, e.Response)
	}
}

// printAnswer shows an answer, nil for none.
func printAnswer(b *strings.Builder, r *sitemon.EvidenceResponse) {
	if r == nil {
		return
	}
	fmt.Fprintf(b, "\n%s %s\n", shown(r.Protocol), shown(r.Status))
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		fmt.Fprintf(b, "%s: %s\n", shown(name), shown(r.Headers[name]))
	}
	if r.Body != "" {
		fmt.Fprintf(b, "\n%s\n", shownLines(strings.TrimRight(r.Body, "\n")))
	}
}

// millis writes a duration in milliseconds, as people compare latencies.
func millis(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }
