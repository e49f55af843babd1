package shards_test

import (
	"fmt"
	"slices"
	"testing"

	"sitemon/shards"
	"sitemon/slot"
)

func TestShare(t *testing.T) {
	tests := []struct {
		name  string
		share shards.Share
		owned []int
		of    int
		text  string
	}{
		{"zero is everything", shards.Share{}, []int{0}, 1, "1 of 1 shards"},
		{"everything", shards.All(9), []int{0, 1, 2, 3, 4, 5, 6, 7, 8}, 9, "9 of 9 shards"},
		{"nothing", shards.None(9), []int{}, 9, "0 of 9 shards"},
		{"some", shards.NewShare(9, 8, 3, 3, 0), []int{0, 3, 8}, 9, "3 of 9 shards"},
		{"no shards of it", shards.NewShare(9, -1, 9, 100), []int{}, 9, "0 of 9 shards"},
		{"there is one at least", shards.All(0), []int{0}, 1, "1 of 1 shards"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			owned, of := tc.share.Count()
			if got := tc.share.Shards(); !slices.Equal(got, tc.owned) || owned != len(tc.owned) || of != tc.of || tc.share.String() != tc.text {
				t.Errorf("shards %v, count %d of %d, text %q, want %v of %d, %q", got, owned, of, tc.share, tc.owned, tc.of, tc.text)
			}
			for i := range 200 {
				name := fmt.Sprint("site ", i)
				want := slices.Contains(tc.owned, int(slot.Hash(name)>>32%uint64(tc.of)))
				if got := tc.share.Has(name); got != want {
					t.Errorf("has %q: %t, want %t", name, got, want)
				}
			}
		})
	}
	if shards.NewShare(64, 1, 2) != shards.NewShare(64, 2, 1) || shards.NewShare(64, 1) == shards.NewShare(65, 1) {
		t.Error("shares are not equal when they are the same part")
	}
}

// The shard must be the same in every program that ever shares sites.
func TestShardOfASiteIsFixed(t *testing.T) {
	for name, want := range map[string]int{"docs": 20, "a": 49, "": 55} {
		if !shards.NewShare(64, want).Has(name) {
			t.Errorf("site %q is not in shard %d", name, want)
		}
	}
}

func TestSitesSpreadOverShards(t *testing.T) {
	const sites, of = 64000, 64
	names := make([]string, sites)
	for i := range names {
		names[i] = fmt.Sprintf("https://site-%d.example.org/", i)
	}
	for p := range of {
		n, share := 0, shards.NewShare(of, p)
		for _, name := range names {
			if share.Has(name) {
				n++
			}
		}
		if n < 800 || n > 1200 { // six standard deviations
			t.Errorf("shard %d has %d of %d sites", p, n, sites)
		}
	}
}
