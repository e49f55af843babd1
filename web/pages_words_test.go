package web_test

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"sitemon"
	"sitemon/web"
)

var ageCases = []struct {
	age         time.Duration
	short, long string
}{
	{-time.Second, "0 s", "0 s"},
	{900 * time.Millisecond, "0 s", "0 s"},
	{59 * time.Second, "59 s", "59 s"},
	{3*time.Minute + 20*time.Second, "3 min", "3 min"},
	{time.Hour, "1 h", "1 h"},
	{3*time.Hour + 5*time.Minute, "3 h", "3 h 5 min"},
	{24*time.Hour + 59*time.Minute, "1 d", "1 d"},
	{(12*24 + 4) * time.Hour, "12 d", "12 d 4 h"},
}

var latencyCases = []struct {
	latency time.Duration
	want    string
}{
	{0, "–"},
	{620 * time.Microsecond, "0.6 ms"},
	{9949 * time.Microsecond, "9.9 ms"},
	{182400 * time.Microsecond, "182 ms"},
	{time.Second, "1.00 s"},
	{12345 * time.Millisecond, "12.35 s"},
}

func TestWords(t *testing.T) {
	for _, c := range ageCases {
		if short, long := web.AgeText(c.age, false), web.AgeText(c.age, true); short != c.short || long != c.long {
			t.Errorf("age %s: got %q and %q, want %q and %q", c.age, short, long, c.short, c.long)
		}
	}
	for _, c := range latencyCases {
		if got := web.LatencyText(c.latency); got != c.want {
			t.Errorf("latency %s: got %q, want %q", c.latency, got, c.want)
		}
	}
	for _, c := range []struct {
		ratio    float64
		decimals int
		want     string
	}{{1, 2, "100 %"}, {0.999999, 2, "99.99 %"}, {0.57, 2, "57.00 %"}, {0.29, 0, "29 %"}, {0, 2, "0.00 %"}} {
		if got := web.PercentText(c.ratio, c.decimals); got != c.want {
			t.Errorf("ratio %g: got %q, want %q", c.ratio, got, c.want)
		}
	}
}

// Every text can be read on what it stands on, in both themes: WCAG's AA asks for
// a contrast of 4.5.
func TestContrast(t *testing.T) {
	css, err := os.ReadFile("static/app.css")
	if err != nil {
		t.Fatal(err)
	}
	tokens := map[string][2]string{}
	for _, m := range regexp.MustCompile(`--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)`).FindAllStringSubmatch(string(css), -1) {
		tokens[m[1]] = [2]string{m[2], m[3]}
	}
	pairs := map[string][]string{}
	for _, text := range []string{"text", "muted", "accent"} {
		pairs[text] = []string{"bg", "surface", "raised"}
	}
	for _, st := range sitemon.Statuses {
		pairs[string(st)] = []string{"surface", "raised", string(st) + "-tint", "bg"}
		pairs["text"] = append(pairs["text"], string(st)+"-tint")
	}
	pairs["muted"] = append(pairs["muted"], "down-tint")
	for text, grounds := range pairs {
		for _, ground := range grounds {
			for i, theme := range []string{"light", "dark"} {
				if c := contrast(t, tokens[text][i], tokens[ground][i]); c < 4.5 {
					t.Errorf("%s on %s, %s: contrast %.2f, want at least 4.5", text, ground, theme, c)
				}
			}
		}
	}
}

// contrast is WCAG's contrast ratio of two colours "#rrggbb".
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	luminance := func(colour string) float64 {
		var sum float64
		for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
			if len(colour) != 7 {
				t.Fatalf("%q is no colour", colour)
			}
			n, err := strconv.ParseUint(colour[1+2*i:3+2*i], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			v := float64(n) / 255
			if v <= 0.04045 {
				v /= 12.92
			} else {
				v = math.Pow((v+0.055)/1.055, 2.4)
			}
			sum += weight * v
		}
		return sum
	}
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}
