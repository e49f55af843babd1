package sitemon

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"
	"time"
)

func TestNewValues(t *testing.T) {
	many := map[string]float64{}
	for i := range 20 {
		many[fmt.Sprintf("v%02d", i)] = float64(i)
	}
	for _, c := range []struct {
		name    string
		numbers map[string]float64
		want    Values
	}{
		{"none", nil, ""},
		{"sorted", map[string]float64{"queue": 12, "load": 0.25, "Z": -1e30}, `{"Z":-1e+30,"load":0.25,"queue":12}`},
		{"not finite", map[string]float64{"a": math.NaN(), "b": math.Inf(1), "c": math.Copysign(0, -1)}, `{"c":0}`},
		{"bad names", map[string]float64{"": 1, "a b": 1, "1a": 1, "é": 1, strings.Repeat("x", 41): 1}, ""},
		{"too many", many, `{"v00":0,"v01":1,"v02":2,"v03":3,"v04":4,"v05":5,"v06":6,"v07":7,"v08":8,"v09":9,"v10":10,"v11":11,"v12":12,"v13":13,"v14":14,"v15":15}`},
	} {
		got := NewValues(c.numbers)
		if got != c.want {
			t.Errorf("%s: %s", c.name, got)
		}
		if again := ReadValues(string(got)); again != got {
			t.Errorf("%s: read again: %s", c.name, again)
		}
		n := 0
		for name, value := range got.All() {
			if n++; value != c.numbers[name] {
				t.Errorf("%s: %s is %v", c.name, name, value)
			}
		}
		if n != strings.Count(string(c.want), ":") {
			t.Errorf("%s: %d values", c.name, n)
		}
	}
	if n, ok := Values(`{"a":1,"b":2.5}`).Get("b"); n != 2.5 || !ok {
		t.Errorf("b is %v, %v", n, ok)
	}
}

// TestValuesOfMessages: values are read in any form of JSON, into the one that they
// have here; what is none is dropped, and the report stays.
func TestValuesOfMessages(t *testing.T) {
	for _, c := range []struct {
		name, raw string
		want      Values
	}{
		{"as written", `{"a":1,"b":2.5}`, `{"a":1,"b":2.5}`},
		{"spaced, in another order", `{ "b": 2.50, "a" :1e0}`, `{"a":1,"b":2.5}`},
		{"jsonb of Postgres", `{"a": 1000000000000000000000000, "b": 0.0000001}`, `{"a":1e+24,"b":1e-7}`},
		{"an escaped name", `{"\u0061":1}`, `{"a":1}`},
		{"empty", `{}`, ""},
		{"null", `null`, ""},
		{"a null", `{"a":null}`, ""},
		{"a text", `{"a":"1"}`, ""},
		{"a bad name", `{"a b":1,"c":1}`, ""},
		{"too large a number", `{"a":1e999}`, ""},
		{"no object", `[1]`, ""},
		{"a hidden object", `{"a":{"b":1}}`, ""},
		{"too many", `{` + strings.TrimSuffix(strings.Repeat(`"x":1,`, 1), ",") + manyValues(17) + `}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw := `{"version":1,"site":"s","location":"l","slot":"2026-11-24T10:00:07.250Z","outcome":"up","values":` + c.raw + `}`
			var r Report
			if err := json.Unmarshal([]byte(raw), &r); err != nil || r.Values != c.want {
				t.Fatalf("%q, %v; want %q", r.Values, err, c.want)
			}
			b, err := json.Marshal(r)
			var again Report
			if err != nil || !again.readCanonical(b) || again != r {
				t.Errorf("%s, %v", b, err)
			}
		})
	}
	bad := Report{Site: "s", Location: "l", Slot: time.Unix(0, 0).UTC(), Outcome: OutcomeUp, Values: `{"a":`}
	if b, err := json.Marshal(bad); err != nil || strings.Contains(string(b), "values") {
		t.Errorf("values that are none: %s, %v", b, err)
	}
}

func manyValues(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"v%d":1`, i)
	}
	return b.String()
}

// FuzzValues: what is read is in its one form, whatever it was.
func FuzzValues(f *testing.F) {
	f.Add(`{"a":1,"b":2.5}`)
	f.Add(`{"a":-0, "b":1e400}`)
	f.Fuzz(func(t *testing.T, raw string) {
		v := ReadValues(raw)
		if again := NewValues(maps.Collect(v.All())); again != v || ReadValues(string(v)) != v {
			t.Fatalf("%q became %q, then %q", raw, v, again)
		}
	})
}
