package main

import (
	"bytes"
	"encoding/csv"
	"slices"
	"testing"
)

// TestReportCSVHasNoFormulas writes a report whose sites and groups have names that
// want to be formulas, columns or rows of their own.
func TestReportCSVHasNoFormulas(t *testing.T) {
	names := map[string]string{ // and what a spreadsheet is given
		"=cmd|' /C calc'!A0":            "'=cmd|' /C calc'!A0",
		"+1":                            "'+1",
		"-1":                            "'-1",
		"@SUM(1)":                       "'@SUM(1)",
		"\t=1":                          "'\t=1",
		"\u202e=1":                      "'\u202e=1",
		"docs,\"=1\",=1":                "docs,\"=1\",=1",
		"docs\nsite,=1":                 "docs\nsite,=1",
		"<script>alert(1)</script>":     "<script>alert(1)</script>",
		"docs\";=HYPERLINK(\"//evil\")": "docs\";=HYPERLINK(\"//evil\")",
	}
	for name, want := range names {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := writeReportCSV(&out, &monthReport{Sites: []reportSite{{Site: name, Group: name}}, Groups: []reportGroup{{Group: name}}})
			if err != nil {
				t.Fatal(err)
			}
			rows, err := csv.NewReader(&out).ReadAll()
			if err != nil || len(rows) != 4 {
				t.Fatalf("%d rows (%v), want 4: %q", len(rows), err, rows)
			}
			if got := slices.Concat(rows[1][:3], rows[2][:3]); !slices.Equal(got, []string{"site", want, want, "group", "", want}) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}
