package sitemon_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"sitemon"
)

func TestReportEvidence(t *testing.T) {
	longest := `{"a":"` + strings.Repeat("é<", sitemon.MaxEvidence/4)
	longest += strings.Repeat("e", sitemon.MaxEvidence-len(longest)-len(`"}`)) + `"}`
	for name, tt := range map[string]struct{ in, want string }{
		"an object":              {`{"a":[1,{"b":"c \"}\\"}]}`, `{"a":[1,{"b":"c \"}\\"}]}`},
		"an empty one":           {`{}`, `{}`},
		"with space":             {" {\t\"a b\" : [ 1 ,\n2 ]}\r\n", `{"a b":[1,2]}`},
		"escaped for HTML":       {`{"a":"\u003cb\u003E \u0026 \\u003c"}`, `{"a":"<b> & \\u003c"}`},
		"a line separator":       {"{\"a\":\"\u2028 \u2029 \u2027\"}", `{"a":"\u2028 \u2029 ` + "\u2027" + `"}`},
		"a character in halves":  {`{"a":"\ud834\udd1e"}`, `{"a":"\ud834\udd1e"}`},
		"the longest":            {longest, longest},
		"too long":               {longest[:len(longest)-2] + `e"}`, ""},
		"much too long":          {`{"a":"` + strings.Repeat("e", 1<<20) + `"}`, ""},
		"invalid UTF-8":          {"{\"a\":\"\xff\"}", ""},
		"NUL":                    {`{"a":"\u0000"}`, ""},
		"NUL in a key":           {`{"\u0000":1}`, ""},
		"no NUL, only its name":  {`{"a":"\\u0000"}`, `{"a":"\\u0000"}`},
		"the first half alone":   {`{"a":"\ud834"}`, ""},
		"the second half alone":  {`{"a":"\udd1e"}`, ""},
		"the first half twice":   {`{"a":"\ud834\ud834"}`, ""},
		"a half, and its name":   {`{"a":"\ud834\\udd1e"}`, ""},
		"null":                   {`null`, ""},
		"a text":                 {`"{}"`, ""},
		"a number":               {`1`, ""},
		"a list":                 {`[{}]`, ""},
		"a list of more than it": {`[{},{}]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			want := full()
			message, err := json.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			want.Evidence = tt.want
			var got sitemon.Report
			in := string(message[:len(message)-1]) + `,"evidence":` + tt.in + `}`
			if err := json.Unmarshal([]byte(in), &got); err != nil || got != want {
				t.Errorf("read: %v, %.200q, want %.200q", err, got.Evidence, tt.want)
			}
			written := full()
			written.Evidence = tt.in
			for how, marshal := range map[string]func() ([]byte, error){
				"by itself": written.MarshalJSON, "by encoding/json": func() ([]byte, error) { return json.Marshal(written) },
			} {
				again := sitemon.Report{}
				if b, err := marshal(); err != nil {
					t.Error(err)
				} else if err := json.Unmarshal(b, &again); err != nil || again != want {
					t.Errorf("written %s: %v, %.200q, want %.200q", how, err, again.Evidence, tt.want)
				}
			}
		})
	}
	t.Run("what is no JSON is left out", func(t *testing.T) {
		for _, bad := range []string{`{`, `{"a":}`, `{}}`, `{"a":1},"outcome":"up"`, "x"} {
			r, got := full(), sitemon.Report{}
			r.Evidence = bad
			if b, err := r.MarshalJSON(); err != nil {
				t.Error(err)
			} else if err := json.Unmarshal(b, &got); err != nil || got != full() {
				t.Errorf("%s: %v, %s", bad, err, b)
			}
		}
	})
}

// TestEvidenceExample: what docs/evidence.md shows is what there is.
func TestEvidenceExample(t *testing.T) {
	text, err := os.ReadFile("docs/evidence.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```json\n")
	example, _, _ := strings.Cut(rest, "```")
	in := json.NewDecoder(strings.NewReader(example))
	in.DisallowUnknownFields()
	var e sitemon.ProbeEvidence
	if err := in.Decode(&e); err != nil || len(e.PhasesUS) != 5 || e.TLS == nil || e.Response == nil {
		t.Errorf("%v: %+v", err, e)
	}
}

// FuzzReportEvidence: evidence that a report has kept is kept for good.
func FuzzReportEvidence(f *testing.F) {
	for _, in := range []string{`{}`, ` {"a": "<\u2028"}`, `{"a":"\ud834\udd1e\u003c"}`, `{"a":[{}]}`, `[]`, "{\"a\":\"\u2029\"}"} {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, evidence string) {
		first := full()
		first.Evidence = evidence
		for range 2 {
			b, err := json.Marshal(first)
			if err != nil {
				t.Fatal(err)
			}
			var got sitemon.Report
			if err := json.Unmarshal(b, &got); err != nil {
				t.Fatalf("%v: %s", err, b)
			}
			if e := got.Evidence; len(e) > sitemon.MaxEvidence || e != "" && (e[0] != '{' || !json.Valid([]byte(e))) {
				t.Fatalf("kept %q", e)
			}
			if first.Evidence != evidence && got != first {
				t.Fatalf("read again\n%+v became\n%+v", first, got)
			}
			first = got
		}
	})
}
