package sitemon_test

import (
	"testing"

	"sitemon"
)

func TestSpreadsheetText(t *testing.T) {
	for _, c := range []struct {
		text   string
		marked bool
	}{
		{"=cmd|' /C calc'!A0", true},
		{"+1+1", true},
		{"-2", true},
		{"@SUM(A1)", true},
		{"\tdocs", true},
		{"\rdocs", true},
		{"\ndocs", true},
		{"＝1+1", true},
		{"  =1+1", true},
		{"\u00a0=1+1", true},
		{"\u202e=1+1", true},
		{"\x01\ufeff-1", true},
		{"\xff=1", false}, // shown as a replacement character
		{"", false},
		{" ", false},
		{"docs", false},
		{" docs", false},
		{"a=b", false},
		{"https://docs.example.org/?a=-1", false},
		{"'=1", false},
	} {
		t.Run(c.text, func(t *testing.T) {
			want := c.text
			if c.marked {
				want = "'" + want
			}
			if got := sitemon.SpreadsheetText(c.text); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}
