package availability_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"sitemon"
	"sitemon/availability"
	"sitemon/internal/recount"
)

// off is by how much a duration misses another, as a share of that.
func off(got, want time.Duration) float64 {
	if want == 0 {
		return float64(got)
	}
	return float64((got - want).Abs()) / float64(want)
}

// No duration, however short or long, is more than 5 % away from its bin's.
func TestHistogramError(t *testing.T) {
	check := func(us int64) {
		d := time.Duration(us) * time.Microsecond
		got := availability.HistogramOf(d).Percentile(50)
		if off(got, d) > 0.05 {
			t.Fatalf("%s is counted as %s", d, got)
		}
	}
	for us := range int64(20_000) {
		check(us)
	}
	for us := int64(1); us < 1<<53; us += us / 7 {
		for near := range int64(5) {
			check(us + near)
		}
		us++
	}
	if got := availability.HistogramOf(-time.Second).Percentile(50); got != 0 {
		t.Errorf("less than nothing is counted as %s", got)
	}
}

func TestHistogramPercentiles(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 300 {
		durations := make([]time.Duration, 1+rnd.IntN(400))
		for k := range durations {
			durations[k] = time.Duration(rnd.ExpFloat64()*float64(1+rnd.IntN(500_000))) * time.Microsecond
		}
		h := availability.HistogramOf(durations...)
		slices.Sort(durations)
		for _, p := range []int{1, 50, 95, 99, 100} {
			if got, want := h.Percentile(p), recount.NearestRank(durations, p); off(got, want) > 0.05 {
				t.Fatalf("%d: the %dth percentile of %d is %s, want %s", i, p, len(durations), got, want)
			}
		}
	}
	if got := (availability.Histogram{}).Percentile(50); got != 0 {
		t.Errorf("the median of nothing is %s", got)
	}
}

// However it is cut and put together, and stored in between, it is the same.
// Each duration is in the one bin that has it between its bounds; the bins follow each
// other without a hole where nothing is empty.
func TestHistogramBins(t *testing.T) {
	for us := int64(0); us < 1<<20; us += 1 + us/50 {
		d := time.Duration(us) * time.Microsecond
		bins := slices.Collect(availability.HistogramOf(d, d).Bins())
		if len(bins) != 1 || bins[0].Count != 2 || d < bins[0].From || d >= bins[0].To {
			t.Fatalf("%s is in the bins %v", d, bins)
		}
	}
	var all []time.Duration
	for us := range 5000 {
		all = append(all, time.Duration(us)*time.Microsecond)
	}
	next := time.Duration(0)
	for b := range availability.HistogramOf(all...).Bins() {
		if b.From != next || b.To <= b.From {
			t.Fatalf("the bin after %s is %v", next, b)
		}
		next = b.To
	}
	for range availability.HistogramOf(time.Second, time.Minute).Bins() {
		break // ends the bins
	}
}

func TestHistogramMerge(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		durations := make([]time.Duration, rnd.IntN(200))
		for k := range durations {
			durations[k] = time.Duration(rnd.ExpFloat64() * float64(time.Second))
		}
		want := availability.HistogramOf(durations...)
		if want.Count() != len(durations) {
			t.Fatalf("counted %d of %d", want.Count(), len(durations))
		}
		var parts []availability.Histogram
		for left := durations; len(left) > 0; {
			n := 1 + rnd.IntN(len(left))
			stored := availability.HistogramOf(left[:n]...).Bytes()
			h, err := availability.ParseHistogram(stored)
			if err != nil {
				t.Fatal(err)
			}
			clear(stored) // nothing of it is kept
			parts, left = append(parts, h), left[n:]
		}
		rnd.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		var got availability.Histogram
		for _, p := range parts {
			got = got.Merge(p)
		}
		if got != want {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

func TestParseHistogram(t *testing.T) {
	for _, bad := range []string{"\x01", "\x80", "\x00\x80", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\xfe\x7f", "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"} {
		if h, err := availability.ParseHistogram([]byte(bad)); !errors.Is(err, sitemon.ErrInvalid) {
			t.Errorf("%q became %v with %v, want ErrInvalid", bad, h, err)
		}
	}
	if h, err := availability.ParseHistogram(nil); err != nil || h.Count() != 0 {
		t.Errorf("of nothing: %v, %v", h, err)
	}
}

func FuzzParseHistogram(f *testing.F) {
	f.Add([]byte{})
	f.Add(availability.HistogramOf(time.Second, time.Second, time.Hour).Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := availability.ParseHistogram(b)
		if err != nil {
			return
		}
		again, err := availability.ParseHistogram(h.Bytes())
		if err != nil || again != h {
			t.Fatalf("%v became %v, %v", h, again, err)
		}
	})
}

// BenchmarkHistogram is what a rollup does with histograms, and how many bytes they
// take.
func BenchmarkHistogram(b *testing.B) {
	rnd := rand.New(rand.NewPCG(5, 6))
	of := func(n int) availability.Histogram {
		var ds []time.Duration
		for range n {
			ds = append(ds, time.Duration(20_000*(1+rnd.ExpFloat64()))*time.Microsecond)
		}
		return availability.HistogramOf(ds...)
	}
	five, sixty := of(5), of(60)
	b.Run("merge 60 with 60", func(b *testing.B) {
		other := of(60)
		b.ReportAllocs()
		for b.Loop() {
			_ = sixty.Merge(other)
		}
		b.ReportMetric(float64(len(sixty.Bytes())), "bytes")
	})
	b.Run("parse 5", func(b *testing.B) {
		stored := five.Bytes()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := availability.ParseHistogram(stored); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(stored)), "bytes")
	})
}
