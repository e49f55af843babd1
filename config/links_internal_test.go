package config

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestCycles compares with taking away, again and again, what leads to nothing: what
// is left then has a circle.
func TestCycles(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for range 2000 {
		n := 1 + r.IntN(8)
		order := make([]string, n)
		for i := range order {
			order[i] = fmt.Sprint(i)
		}
		next := map[string][]string{}
		for range r.IntN(2 * n) {
			from, to := order[r.IntN(n)], order[r.IntN(n)]
			next[from] = append(next[from], to)
		}
		got := cycles(order, next)
		if circular(order, next) != (len(got) > 0) {
			t.Fatalf("%v: cycles %v", next, got)
		}
		for _, cycle := range got {
			if cycle[0] != slices.Min(cycle) {
				t.Errorf("%v does not begin with its first", cycle)
			}
			for i, name := range cycle {
				if !slices.Contains(next[name], cycle[(i+1)%len(cycle)]) {
					t.Errorf("%v: %v is no circle", next, cycle)
				}
			}
		}
	}
}

func circular(order []string, next map[string][]string) bool {
	left := slices.Clone(order)
	for {
		before := len(left)
		left = slices.DeleteFunc(left, func(name string) bool {
			return !slices.ContainsFunc(next[name], func(n string) bool { return slices.Contains(left, n) })
		})
		if len(left) == before {
			return before > 0
		}
	}
}
