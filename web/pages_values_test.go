package web_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sitemon"
)

// valued is a store whose shop has reports with values, the newest first.
func valued(values ...string) *apiStore {
	f := newAPIStore()
	up := f.reports[1]
	f.reports = nil
	for i, v := range values {
		r := up
		r.Slot, r.Values = up.Slot.Add(-time.Duration(i)*30*time.Second), sitemon.ReadValues(v)
		f.reports = append(f.reports, r)
	}
	return f
}

func TestSiteValues(t *testing.T) {
	many := make([]string, 0, 4)
	for i := range 4 {
		numbers := map[string]float64{}
		for n := range sitemon.MaxValues {
			numbers[fmt.Sprintf("v%d_%d", i, n)] = 1
		}
		many = append(many, string(sitemon.NewValues(numbers)))
	}
	for _, c := range []struct {
		name   string
		values []string
		want   []string // ! for what is not there
		lines  int
	}{
		{"none", []string{"", ""}, []string{`data-part="values" aria-labelledby="values-title" hidden>`}, 0},
		{"several", []string{`{"depth":12.5,"users":3}`, `{"depth":1250000,"users":3}`, `{"depth":-4}`}, []string{
			"<bdi>depth</bdi> <b>12.5</b>", "min -4 · max 1250000", `aria-label="depth: newest 12.5, from -4 to 1250000 in 3 reports"`, `d="M0.0 38.0h1L149.5 2.0L299.0 38.0"`,
			"<bdi>users</bdi> <b>3</b>", `d="M149.5 20.0h1L299.0 20.0"`, "!values-title\" hidden",
		}, 2},
		{"a gap", []string{`{"a":1}`, "", `{"a":0}`}, []string{`d="M0.0 38.0h1M299.0 2.0h1"`}, 1},
		{"not in the newest", []string{"", `{"a":1}`}, []string{"<bdi>a</bdi> <b>–</b>", "in 1 report"}, 1},
		{"the ends of what a number is", []string{`{"a":1e+308}`, `{"a":-1e+308}`}, []string{"min -1e&#43;308 · max 1e&#43;308", `d="M0.0 38.0h1L299.0 2.0"`, "!NaN", "!Inf"}, 1},
		{"more names than are shown", many, []string{"<bdi>v0_0</bdi>", "!v1_0"}, sitemon.MaxValues},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := page(t, newServer(t, valued(c.values...)), "/sites/shop%2Fcheckout?parts=values", 200)
			wantOn(t, text, c.want...)
			if got := strings.Count(text, "<path"); got != c.lines {
				t.Errorf("got %d lines, want %d: %s", got, c.lines, text)
			}
		})
	}
}

// TestSiteValuesOfLocations draws a line for each location.
func TestSiteValuesOfLocations(t *testing.T) {
	f := valued(`{"a":1}`, `{"a":0}`, `{"a":1}`, `{"a":0}`)
	for i := range f.reports {
		f.reports[i].Location = []string{"eu", "us"}[i%2]
	}
	wantOn(t, page(t, newServer(t, f), "/sites/shop%2Fcheckout?parts=values", 200), `d="M0.0 38.0h1L199.3 38.0M99.7 2.0h1L299.0 2.0"`)
}
