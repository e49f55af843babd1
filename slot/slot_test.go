package slot_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
	_ "time/tzdata" // so that no machine lacks the zones

	"sitemon/slot"
)

// The published vectors of XXH64 with seed 0.
func TestHash(t *testing.T) {
	for name, want := range map[string]uint64{
		"":    0xef46db3751d8e999,
		"a":   0xd24ec4f1a98c6e5b,
		"abc": 0x44bc2cf5ad770999,
		"Nobody inspects the spammish repetition": 0xfbcea83c8a378bf1,
	} {
		if got := slot.Hash(name); got != want {
			t.Errorf("Hash(%q) = %#x, want %#x", name, got, want)
		}
	}
}

func TestNewGrid(t *testing.T) {
	// 0x44bc2cf5ad770999 is 4952883123889572249.
	g := slot.NewGrid("abc", 30*time.Second)
	if want := 12249 * time.Millisecond; g.Phase != want {
		t.Errorf("phase %s, want %s", g.Phase, want)
	}
	// The hash is unsigned: this one's highest bit is set.
	g = slot.NewGrid("a", 7*time.Millisecond)
	if want := time.Duration(uint64(0xd24ec4f1a98c6e5b)%7) * time.Millisecond; g.Phase != want {
		t.Errorf("phase %s, want %s", g.Phase, want)
	}
}

// randomGrid returns a grid of small numbers, and a moment near 1970.
func randomGrid(rnd *rand.Rand) (slot.Grid, time.Time) {
	g := slot.NewGrid(fmt.Sprint("site", rnd.IntN(1000)), time.Duration(1+rnd.IntN(50))*time.Millisecond)
	return g, time.UnixMicro(rnd.Int64N(400_000) - 200_000)
}

func TestGridProperties(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		g, at := randomGrid(rnd)
		before, after := g.AtOrBefore(at), g.After(at)
		switch {
		case before.After(at) || !after.After(at):
			t.Fatalf("%+v: %s is not in [%s, %s)", g, at, before, after)
		case after.Sub(before) != g.Interval:
			t.Fatalf("%+v: %s and %s are not neighbours", g, before, after)
		case !g.Has(before) || !g.Has(after) || g.Has(before.Add(time.Microsecond)):
			t.Fatalf("%+v: Has is wrong around %s", g, before)
		case g.Has(at) != before.Equal(at):
			t.Fatalf("%+v: Has(%s) = %t", g, at, g.Has(at))
		case (before.UnixMilli()-g.Phase.Milliseconds())%g.Interval.Milliseconds() != 0:
			t.Fatalf("%+v: %s is no slot", g, before)
		case g.Phase < 0 || g.Phase >= g.Interval:
			t.Fatalf("%+v: the phase is not in [0, interval)", g)
		}
	}
}

func TestGridCount(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		g, from := randomGrid(rnd)
		to := from.Add(time.Duration(rnd.IntN(300_000)-20_000) * time.Microsecond)
		want := 0
		for s := g.After(from.Add(-1)); s.Before(to); s = g.After(s) {
			want++
		}
		if got := g.Count(from, to); got != want {
			t.Fatalf("%+v: Count(%s, %s) = %d, want %d", g, from, to, got, want)
		}
	}
}

// Summer time, time zones and machines have no part in it.
func TestGridIgnoresTimeZones(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	g := slot.NewGrid("docs", 7*time.Hour)
	at := time.Date(2026, 10, 24, 0, 0, 0, 0, berlin) // the clock goes back in the night after
	for range 20 {
		if local, utc := g.After(at), g.After(at.UTC()); local != utc {
			t.Fatalf("after %s: %s, in UTC %s", at, local, utc)
		}
		next := g.After(g.After(at).In(berlin))
		if d := next.Sub(g.After(at)); d != 7*time.Hour {
			t.Fatalf("%s after the slot before comes %s", d, next)
		}
		at = next.In(berlin)
	}
}

func TestExtra(t *testing.T) {
	// The hash of "abc" mod 100 is 49, and its slots are 12.249 s after each full minute.
	grid := slot.NewGrid("abc", time.Minute)
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339Nano, "2026-11-24T"+s+"Z")
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	phase := grid.AtOrBefore(at("10:00:59"))
	tests := []struct {
		name     string
		loadedAt time.Time
		n        int
		want     time.Duration // after loadedAt cut to milliseconds
		ok       bool
	}{
		{"changed alone", at("10:01:00.000250"), 1, 0, true},
		{"spread over those changed together", at("10:01:00.000250"), 100, 49 * time.Millisecond, true},
		{"none changed is taken as one", at("10:01:00"), 0, 0, true},
		{"the grid comes first", phase.Add(-time.Millisecond), 100, 49 * time.Millisecond, false},
		{"a slot of the grid was just before", phase, 100, 49 * time.Millisecond, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := slot.Extra("abc", grid, tt.loadedAt, tt.n)
			if want := tt.loadedAt.Truncate(time.Millisecond).Add(tt.want); !got.Equal(want) || ok != tt.ok {
				t.Errorf("got %s, %t; want %s, %t", got, ok, want, tt.ok)
			}
		})
	}
}

func ExampleGrid() {
	g := slot.NewGrid("docs", 30*time.Second)
	at := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	for range 3 {
		at = g.After(at)
		fmt.Println(at.Format(time.StampMilli))
	}
	// Output:
	// Nov 24 10:00:04.393
	// Nov 24 10:00:34.393
	// Nov 24 10:01:04.393
}
