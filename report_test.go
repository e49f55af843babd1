package sitemon_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"sitemon"
)

// example is the report of the contract, and exampleJSON its message.
var example = sitemon.Report{
	Site: "docs", Location: "default",
	Slot:      time.Date(2026, 11, 24, 10, 0, 7, 250e6, time.UTC),
	StartedAt: time.Date(2026, 11, 24, 10, 0, 7, 251e6, time.UTC),
	Interval:  30 * time.Second,
	Outcome:   sitemon.OutcomeDown, Reason: sitemon.ReasonStatus,
	Error: "status 503, expected 200-299, 304", StatusCode: 503,
	Duration: 18211 * time.Microsecond,
	Phases: sitemon.Phases{
		Resolve: 301 * time.Microsecond, Connect: 240 * time.Microsecond, TLS: 1911 * time.Microsecond,
		Processing: 15414 * time.Microsecond, Transfer: 345 * time.Microsecond,
	},
	BodyBytes: 512, RemoteAddr: "192.0.2.7:443",
	CertificateExpiresAt: time.Date(2027, 1, 3, 0, 0, 0, 0, time.UTC),
	Monitor:              "host-1", Generation: 17,
}

const exampleJSON = `{"version":1,"site":"docs","location":"default","slot":"2026-11-24T10:00:07.250Z","started_at":"2026-11-24T10:00:07.251000Z",` +
	`"interval_ms":30000,"outcome":"down","reason":"status","error":"status 503, expected 200-299, 304","status_code":503,` +
	`"duration_us":18211,"phases_us":{"resolve":301,"connect":240,"tls":1911,"processing":15414,"transfer":345},` +
	`"body_bytes":512,"remote_addr":"192.0.2.7:443","certificate_expires_at":"2027-01-03T00:00:00Z","monitor":"host-1","generation":17}`

// full has every field.
func full() sitemon.Report {
	r := example
	r.BodyTruncated, r.Attempts, r.Gap = true, 2, "monitor_stopped"
	r.Values = `{"queue":12}`
	return r
}

func TestReportMarshal(t *testing.T) {
	got, err := json.Marshal(example)
	if err != nil || string(got) != exampleJSON {
		t.Errorf("%v\n got %s\nwant %s", err, got, exampleJSON)
	}
	t.Run("keys that do not apply are absent", func(t *testing.T) {
		r := sitemon.Report{Site: "docs", Location: "default", Slot: example.Slot, Outcome: sitemon.OutcomeUp}
		want := `{"version":1,"site":"docs","location":"default","slot":"2026-11-24T10:00:07.250Z","outcome":"up"}`
		if got, err := json.Marshal(r); err != nil || string(got) != want {
			t.Errorf("%v\n got %s\nwant %s", err, got, want)
		}
	})
	t.Run("times are written in UTC", func(t *testing.T) {
		r := example
		zone := time.FixedZone("", -5*3600)
		r.Slot, r.StartedAt, r.CertificateExpiresAt = r.Slot.In(zone), r.StartedAt.In(zone), r.CertificateExpiresAt.In(zone)
		if got, err := json.Marshal(r); err != nil || string(got) != exampleJSON {
			t.Errorf("%v\n got %s\nwant %s", err, got, exampleJSON)
		}
	})
}

func TestReportRoundTrip(t *testing.T) {
	onlyConnect := example
	onlyConnect.Phases = sitemon.Phases{Connect: time.Microsecond}
	for name, want := range map[string]sitemon.Report{
		"example":   example,
		"full":      full(),
		"one phase": onlyConnect,
		"least":     {Site: "a", Location: "b", Slot: example.Slot, Outcome: sitemon.OutcomeUnknown},
		"names":     {Site: "Größe \"1\" <&>\u2028", Location: "東京", Slot: example.Slot, Outcome: sitemon.OutcomeUp},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := json.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			var got sitemon.Report
			if err := json.Unmarshal(b, &got); err != nil || got != want {
				t.Errorf("%v\n got %+v\nwant %+v", err, got, want)
			}
		})
	}
}

func TestReportUnmarshal(t *testing.T) {
	var got sitemon.Report
	in := strings.Replace(exampleJSON, `"site"`, `"next_year":{"a":[1]},"site"`, 1)
	if err := json.Unmarshal([]byte(in), &got); err != nil || got != example {
		t.Errorf("with an unknown key: %v, %+v", err, got)
	}
	in = strings.Replace(exampleJSON, "2026-11-24T10:00:07.250Z", "2026-11-24T11:00:07.25+01:00", 1)
	if err := json.Unmarshal([]byte(in), &got); err != nil || got != example {
		t.Errorf("with another form of the slot: %v, %+v", err, got)
	}
	in = strings.Replace(exampleJSON, `"reason":"status"`, `"reason":"eaten_by_a_dog"`, 1)
	if err := json.Unmarshal([]byte(in), &got); err != nil || got.Reason != "eaten_by_a_dog" {
		t.Errorf("with an unknown reason: %v, %+v", err, got)
	}
}

func TestReportUnmarshalInvalid(t *testing.T) {
	change := func(old, with string) string {
		if !strings.Contains(exampleJSON, old) {
			t.Fatalf("the example has no %s", old)
		}
		return strings.Replace(exampleJSON, old, with, 1)
	}
	for name, tt := range map[string]struct{ in, want string }{
		"no object":              {`[1]`, "cannot unmarshal array"},
		"null":                   {`null`, "version 0, want 1"},
		"empty":                  {`{}`, "version 0, want 1"},
		"another version":        {change(`"version":1`, `"version":2`), "version 2, want 1"},
		"no site":                {change(`"site":"docs",`, ``), "site or location is missing"},
		"no location":            {change(`"location":"default"`, `"location":""`), "site or location is missing"},
		"no slot":                {change(`"slot":"2026-11-24T10:00:07.250Z",`, ``), "slot: parsing time"},
		"bad slot":               {change(`2026-11-24T10:00:07.250Z`, `2026-11-31T10:00:07.250Z`), "slot: parsing time"},
		"bad start":              {change(`2026-11-24T10:00:07.251000Z`, `yesterday`), "started_at: parsing time"},
		"bad expiry":             {change(`2027-01-03T00:00:00Z`, `2027-01-03`), "certificate_expires_at: parsing time"},
		"year 10,000":            {change(`2026-11-24T10:00:07.250Z`, `9999-12-31T23:59:59-01:00`), "slot: year 10000"},
		"no outcome":             {change(`"outcome":"down",`, ``), `outcome ""`},
		"unknown outcome":        {change(`"outcome":"down"`, `"outcome":"paused"`), `outcome "paused"`},
		"outcome's case":         {change(`"outcome":"down"`, `"outcome":"Down"`), `outcome "Down"`},
		"number as text":         {change(`"interval_ms":30000`, `"interval_ms":"30000"`), "cannot unmarshal string"},
		"negative interval":      {change(`"interval_ms":30000`, `"interval_ms":-1`), "interval_ms -1 is out of range"},
		"endless interval":       {change(`"interval_ms":30000`, `"interval_ms":9223372036855`), "is out of range"},
		"negative duration":      {change(`"duration_us":18211`, `"duration_us":-1`), "duration_us or phases_us is out of range"},
		"endless duration":       {change(`"duration_us":18211`, `"duration_us":9223372036854776`), "out of range"},
		"negative phase":         {change(`"tls":1911`, `"tls":-1`), "out of range"},
		"a number beyond 64 bit": {change(`"body_bytes":512`, `"body_bytes":1e30`), "cannot unmarshal number"},
	} {
		t.Run(name, func(t *testing.T) {
			got := full()
			err := got.UnmarshalJSON([]byte(tt.in))
			if !errors.Is(err, sitemon.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want ErrInvalid with %q", err, tt.want)
			}
			if got != full() {
				t.Errorf("the report changed to %+v", got)
			}
		})
	}
}

func FuzzReportJSON(f *testing.F) {
	f.Add([]byte(exampleJSON))
	for _, r := range []sitemon.Report{full(), {Site: "a", Location: "b", Outcome: sitemon.OutcomeUp}} {
		b, err := json.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"version":1,"site":"a","location":"b","outcome":"up","slot":"9999-12-31T23:59:59-23:59"}`))
	f.Add([]byte(`{"version":1,"site":"a","location":"b","outcome":"up","slot":"0001-01-01T00:00:00.0001Z"}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		var r sitemon.Report
		if err := json.Unmarshal(in, &r); err != nil {
			return
		}
		first, err := json.Marshal(r)
		if err != nil {
			t.Fatalf("%+v was read from %s and cannot be written: %v", r, in, err)
		}
		var again sitemon.Report
		if err := json.Unmarshal(first, &again); err != nil {
			t.Fatalf("%s was written and cannot be read: %v", first, err)
		}
		second, err := json.Marshal(again)
		if err != nil || string(first) != string(second) {
			t.Fatalf("%v: read again\n%s became\n%s", err, first, second)
		}
	})
}

func TestOutcome(t *testing.T) {
	good := map[sitemon.Outcome]bool{sitemon.OutcomeUp: true, sitemon.OutcomeDegraded: true, sitemon.OutcomeDown: false, sitemon.OutcomeUnknown: false}
	if got := slices.Sorted(maps.Keys(good)); !slices.Equal(got, slices.Sorted(slices.Values(sitemon.Outcomes))) {
		t.Errorf("Outcomes are %v", sitemon.Outcomes)
	}
	for o, want := range good {
		if !o.Valid() || o.Good() != want {
			t.Errorf("%s: valid %t, good %t", o, o.Valid(), o.Good())
		}
	}
	for _, o := range []sitemon.Outcome{"", "UP", "paused"} {
		if o.Valid() || o.Good() {
			t.Errorf("%q: valid %t, good %t", o, o.Valid(), o.Good())
		}
	}
}

func TestPhases(t *testing.T) {
	p := sitemon.Phases{Resolve: 1, Connect: 2, TLS: 3, Processing: 4, Transfer: 5}
	if got, want := p.All(), [5]time.Duration{1, 2, 3, 4, 5}; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := strings.Join(sitemon.PhaseNames, " "); got != "resolve connect tls processing transfer" {
		t.Errorf("got %s", got)
	}
}
