package main

import (
	"bufio"
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	_ "modernc.org/sqlite" // the driver of the daemon's store

	"sitemon/slot"
)

// tally is what became of the slots of some sites.
type tally struct {
	sites, planned, reports, gaps int
	twice, off                    int            // reports of a slot that has one, and of moments that are none
	outcomes                      map[string]int // of reports at planned slots, with the reason where there is one
	late, took                    []time.Duration
	sample                        string // an error
}

// recorded is a row of what the daemon recorded.
type recorded struct {
	slot, started time.Time
	outcome       string // with the reason
	problem       string
	took          time.Duration
}

// missing is a run of slots without a report.
type missing struct{ from, to time.Time }

// add counts one site in the window [from, to).
func (t *tally) add(g slot.Grid, from, to time.Time, reports []recorded, gaps []missing) {
	first := g.After(from.Add(-1))
	t.sites++
	t.planned += g.Count(first, to)
	seen := map[time.Time]bool{}
	for _, r := range reports {
		switch {
		case r.slot.Before(from) || !r.slot.Before(to):
			continue
		case !g.AtOrBefore(r.slot).Equal(r.slot):
			t.off++
			continue
		case seen[r.slot]:
			t.twice++
			continue
		}
		seen[r.slot] = true
		t.reports++
		t.outcomes[r.outcome]++
		t.late, t.took = append(t.late, r.started.Sub(r.slot)), append(t.took, r.took)
		t.sample = cmp.Or(t.sample, r.problem)
	}
	for _, m := range gaps {
		for at := first; at.Before(to); at = at.Add(g.Interval) {
			if !at.Before(m.from) && !at.After(m.to) {
				t.gaps++
			}
		}
	}
}

// join counts what o counts too.
func (t *tally) join(o *tally) {
	t.sites, t.planned, t.reports, t.gaps = t.sites+o.sites, t.planned+o.planned, t.reports+o.reports, t.gaps+o.gaps
	t.twice, t.off = t.twice+o.twice, t.off+o.off
	for outcome, n := range o.outcomes {
		t.outcomes[outcome] += n
	}
	t.late, t.took = append(t.late, o.late...), append(t.took, o.took...)
}

// count reads what the daemon recorded in the measured time, and prints it.
func (f *fleet) count(ctx context.Context, from time.Time, spent usage) error {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(f.dir, "data", "sitemon.db")+"?mode=ro")
	if err != nil {
		return fmt.Errorf("open what was recorded: %w", err)
	}
	defer db.Close()
	from, to := from.UTC().Truncate(time.Millisecond), from.UTC().Truncate(time.Millisecond).Add(f.dur)
	reports, err := readReports(ctx, db, from, to)
	if err != nil {
		return fmt.Errorf("read the reports: %w", err)
	}
	gaps, err := readGaps(ctx, db, from, to)
	if err != nil {
		return fmt.Errorf("read the gaps: %w", err)
	}
	byKind, all := map[string]*tally{}, &tally{outcomes: map[string]int{}}
	for id := range f.sites {
		name, k := siteName(id), f.kindOf(id).name
		if byKind[k] == nil {
			byKind[k] = &tally{outcomes: map[string]int{}}
		}
		byKind[k].add(slot.NewGrid(name, f.interval), from, to, reports[name], gaps[name])
	}
	names := make([]string, 0, len(f.kinds))
	for _, k := range f.kinds {
		names = append(names, k.name)
		all.join(byKind[k.name])
	}
	byKind["all"] = all
	if err := showKinds(os.Stdout, append(names, "all"), byKind); err != nil {
		return err
	}
	fmt.Printf("CPU of the daemon: %.3f ms a report, %.0f %% of one core\n",
		1000*spent.cpu.Seconds()/float64(max(all.reports, 1)), 100*spent.cpu.Seconds()/f.dur.Seconds())
	return nil
}

func readReports(ctx context.Context, db *sql.DB, from, to time.Time) (map[string][]recorded, error) {
	rows, err := db.QueryContext(ctx, `SELECT site, slot, coalesce(started_at, slot), outcome || coalesce(' ' || reason, ''), coalesce(error, ''), duration_us
		FROM reports WHERE slot >= ? AND slot < ?`, from.UnixMicro(), to.UnixMicro())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string][]recorded{}
	for rows.Next() {
		var site string
		var at, started, took int64
		var r recorded
		if err := rows.Scan(&site, &at, &started, &r.outcome, &r.problem, &took); err != nil {
			return nil, err
		}
		r.slot, r.started, r.took = time.UnixMicro(at).UTC(), time.UnixMicro(started).UTC(), time.Duration(took)*time.Microsecond
		all[site] = append(all[site], r)
	}
	return all, rows.Err()
}

func readGaps(ctx context.Context, db *sql.DB, from, to time.Time) (map[string][]missing, error) {
	rows, err := db.QueryContext(ctx, `SELECT site, from_slot, to_slot FROM gaps WHERE to_slot >= ? AND from_slot < ?`, from.UnixMicro(), to.UnixMicro())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string][]missing{}
	for rows.Next() {
		var site string
		var first, last int64
		if err := rows.Scan(&site, &first, &last); err != nil {
			return nil, err
		}
		all[site] = append(all[site], missing{time.UnixMicro(first).UTC(), time.UnixMicro(last).UTC()})
	}
	return all, rows.Err()
}

// showKinds writes the table. Lost are the slots of which nobody knows anything.
func showKinds(w io.Writer, names []string, by map[string]*tally) error {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tab, "kind\tsites\tslots\treports\tin gaps\tlost\ttwice\toff the grid\tlate p50 ms\tp99\tmax\ttook p50 ms\tp99\toutcomes\t")
	for _, name := range names {
		t := by[name]
		var outcomes []string
		for _, outcome := range slices.Sorted(maps.Keys(t.outcomes)) {
			outcomes = append(outcomes, fmt.Sprintf("%d %s", t.outcomes[outcome], outcome))
		}
		fmt.Fprintf(tab, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%s\t\n", name, t.sites, t.planned, t.reports, t.gaps,
			t.planned-t.reports-t.gaps, t.twice, t.off, share(t.late, .5), share(t.late, .99), share(t.late, 1), share(t.took, .5), share(t.took, .99),
			strings.Join(outcomes, ", "))
	}
	if err := tab.Flush(); err != nil {
		return fmt.Errorf("print the results: %w", err)
	}
	for _, name := range names {
		if s := by[name].sample; s != "" {
			fmt.Fprintf(w, "%s: %s\n", name, s)
		}
	}
	return nil
}

// share is the duration, in milliseconds, that a part q of all is at most as long as.
func share(all []time.Duration, q float64) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return 1000 * all[min(int(q*float64(len(all))), len(all)-1)].Seconds()
}

// vitals are what the daemon says of its own process.
type vitals struct{ goroutines, files, heap float64 }

func (f *fleet) vitals() (v vitals, err error) {
	client := &http.Client{Timeout: time.Minute}
	resp, err := client.Get(f.api + "/metrics")
	if err != nil {
		return v, fmt.Errorf("read the daemon's metrics: %w", err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, text, _ := strings.Cut(lines.Text(), " ")
		into := map[string]*float64{"go_goroutines": &v.goroutines, "process_open_fds": &v.files, "go_memstats_heap_alloc_bytes": &v.heap}[name]
		if into == nil {
			continue
		}
		if *into, err = strconv.ParseFloat(text, 64); err != nil {
			return v, fmt.Errorf("read the daemon's %s: %w", name, err)
		}
	}
	return v, lines.Err()
}
