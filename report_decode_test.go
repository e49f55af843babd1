package sitemon

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// messages are reports as they come, of each form that the two ways of reading
// may take differently.
func messages(t testing.TB) map[string]string {
	t.Helper()
	full := Report{
		Site: "docs", Location: "default",
		Slot:      time.Date(2026, 11, 24, 10, 0, 7, 250e6, time.UTC),
		StartedAt: time.Date(2026, 11, 24, 10, 0, 7, 251e6, time.UTC),
		Interval:  30 * time.Second, Outcome: OutcomeDown, Reason: ReasonStatus,
		Error: `status 503, expected "200-299", <304>` + "\n\x01\x7f Größe \u2028 𝄞", StatusCode: 503,
		Duration: 18211 * time.Microsecond,
		Phases: Phases{
			Resolve: 301 * time.Microsecond, Connect: 240 * time.Microsecond, TLS: 1911 * time.Microsecond,
			Processing: 15414 * time.Microsecond, Transfer: 345 * time.Microsecond,
		},
		BodyBytes: 512, BodyTruncated: true, RemoteAddr: "192.0.2.7:443",
		CertificateExpiresAt: time.Date(2027, 1, 3, 0, 0, 0, 0, time.UTC),
		Monitor:              "host-1", Generation: 17, Attempts: 2, Gap: GapClock,
		Evidence: `{"request":{"method":"GET"},"response":{"body":"<b>\n\u2028 \"}\\"},"cut":["body"]}`,
	}
	least := Report{Site: "Größe", Location: "東京", Slot: full.Slot, Outcome: OutcomeUp}
	tls := least
	tls.Phases.TLS = time.Microsecond
	all := map[string]string{}
	for name, r := range map[string]Report{"full": full, "least": least, "one phase": tls} {
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(b)
	}
	return all
}

func TestReadCanonical(t *testing.T) {
	for name, in := range messages(t) {
		var got, want Report
		if !got.readCanonical([]byte(in)) {
			t.Errorf("%s: not taken: %s", name, in)
		}
		if err := want.readAny([]byte(in)); err != nil || got != want {
			t.Errorf("%s: %v\n got %+v\nwant %+v", name, err, got, want)
		}
	}
}

// TestReadAlike damages each byte of messages in several ways: both ways of
// reading must see the same in what is left.
func TestReadAlike(t *testing.T) {
	for name, in := range messages(t) {
		t.Run(name, func(t *testing.T) {
			for i := range in {
				for _, with := range []string{"", " ", "0", "-", "9", `"`, `\`, `\"`, `\u0041`, `\ud834`, `\ud834\udd1e`, `\u`, ",", "}", "{", "x", "Z", "\x00", "\n", "\x80", "é", "null", in[i:]} {
					alike(t, []byte(in[:i]+with+in[i+1:]))
					alike(t, []byte(in[:i]+with+in[i:]))
				}
			}
		})
	}
}

func alike(t *testing.T, in []byte) {
	t.Helper()
	var fast, slow Report
	if !fast.readCanonical(in) {
		if fast != (Report{}) {
			t.Fatalf("refused, and the report changed: %s", in)
		}
		return
	}
	if err := slow.readAny(in); err != nil || fast != slow {
		t.Fatalf("%q\nread as %+v\n     not %+v, %v", in, fast, slow, err)
	}
}

func FuzzReadAlike(f *testing.F) {
	for _, in := range messages(f) {
		f.Add([]byte(in))
	}
	f.Fuzz(alike)
}

func BenchmarkReportUnmarshal(b *testing.B) {
	full := messages(b)["full"]
	bare, _, _ := strings.Cut(full, `,"evidence":`)
	in := []byte(bare + "}")
	plain := []byte(strings.Replace(string(in), `\"200-299\", \u003c304\u003e\n\u0001`+"\x7f"+` Größe \u2028 𝄞`, "200-299, 304", 1))
	for name, read := range map[string]func(*Report, []byte) error{
		"canonical": (*Report).UnmarshalJSON, "any": (*Report).readAny,
	} {
		for form, in := range map[string][]byte{"plain": plain, "escapes": in, "evidence": []byte(full)} {
			b.Run(name+"/"+form, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(in)))
				for range b.N {
					var r Report
					if err := read(&r, in); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
