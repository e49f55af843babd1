package sitemon

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// Report is what one probe found. (Site, Location, Slot) is its identity: a
// second report with the same identity changes nothing.
type Report struct {
	Site     string
	Location string
	// Slot is the moment the probe was due, in whole milliseconds.
	Slot time.Time
	// StartedAt is when the probe began; less Slot, it is the lateness.
	StartedAt time.Time
	// Interval is the site's when the probe was planned: the report speaks for
	// [Slot, Slot+Interval).
	Interval time.Duration

	Outcome Outcome
	Reason  Reason // "" where Outcome is up
	// Error is the reason in words for a person, with what was expected and seen,
	// secrets redacted; "" where Outcome is up.
	Error string

	StatusCode    int // of the last HTTP response; 0: none came
	Duration      time.Duration
	Phases        Phases
	BodyBytes     int64 // decoded bytes read
	BodyTruncated bool  // the body was longer than its limit
	// RemoteAddr is the last address connected to, or tried, as "ip:port".
	RemoteAddr string
	// CertificateExpiresAt is the earliest expiry in the chain that the server
	// sent, also where its verification failed; zero without TLS.
	CertificateExpiresAt time.Time

	Monitor    string // the instance that probed
	Generation int64  // of the configuration it ran
	Attempts   int    // where more than one was made
	// Evidence is what a probe that was not up asked and saw, as a JSON object of at
	// most 4 KiB, secrets redacted; "" for none. See [MaxEvidence].
	Evidence string
	// Values are numbers that the probe read off the answer.
	Values Values
	// Gap says why this monitor sent nothing for the site's slots before this
	// one: a Gap… constant, or "" where it did or does not know.
	Gap string
}

// Phases are the durations of a probe's steps, in blackbox_exporter's terms.
// After redirects each is the sum over all requests. Zero: the step did not
// take place.
type Phases struct {
	Resolve    time.Duration
	Connect    time.Duration
	TLS        time.Duration
	Processing time.Duration // from the request's sending to the first byte
	Transfer   time.Duration // from the first byte to the last
}

// PhaseNames are the phases in the order in which they happen.
var PhaseNames = []string{"resolve", "connect", "tls", "processing", "transfer"}

// All returns the durations in the order of [PhaseNames].
func (p Phases) All() [5]time.Duration {
	return [5]time.Duration{p.Resolve, p.Connect, p.TLS, p.Processing, p.Transfer}
}

// SlotFormat is how a slot is written: RFC 3339 in UTC with milliseconds.
const SlotFormat = "2006-01-02T15:04:05.000Z07:00"

// timeFormat is how other times are written: with microseconds.
const timeFormat = "2006-01-02T15:04:05.000000Z07:00"

// reportMessage is the form of a report on Kafka and in the API, version 1.
type reportMessage struct {
	Version              int       `json:"version"`
	Site                 string    `json:"site"`
	Location             string    `json:"location"`
	Slot                 string    `json:"slot"`
	StartedAt            string    `json:"started_at,omitempty"`
	IntervalMS           int64     `json:"interval_ms,omitempty"`
	Outcome              Outcome   `json:"outcome"`
	Reason               Reason    `json:"reason,omitempty"`
	Error                string    `json:"error,omitempty"`
	StatusCode           int       `json:"status_code,omitempty"`
	DurationUS           int64     `json:"duration_us,omitempty"`
	PhasesUS             *phasesUS `json:"phases_us,omitempty"`
	BodyBytes            int64     `json:"body_bytes,omitempty"`
	BodyTruncated        bool      `json:"body_truncated,omitempty"`
	RemoteAddr           string    `json:"remote_addr,omitempty"`
	CertificateExpiresAt string    `json:"certificate_expires_at,omitempty"`
	Monitor              string    `json:"monitor,omitempty"`
	Generation           int64     `json:"generation,omitempty"`
	Attempts             int       `json:"attempts,omitempty"`
	Gap                  string    `json:"gap,omitempty"`
	// Values and Evidence are put in by hand when writing: encoding/json would check and
	// copy them once more.
	Values   json.RawMessage `json:"values,omitempty"`
	Evidence json.RawMessage `json:"evidence,omitempty"`
}

type phasesUS struct {
	Resolve    int64 `json:"resolve,omitempty"`
	Connect    int64 `json:"connect,omitempty"`
	TLS        int64 `json:"tls,omitempty"`
	Processing int64 `json:"processing,omitempty"`
	Transfer   int64 `json:"transfer,omitempty"`
}

// maxMicroseconds is the longest duration that fits a [time.Duration].
const maxMicroseconds = math.MaxInt64 / int64(time.Microsecond)

// valid reports whether every phase is a duration.
func (p *phasesUS) valid() bool {
	if p == nil {
		return true
	}
	for _, us := range []int64{p.Resolve, p.Connect, p.TLS, p.Processing, p.Transfer} {
		if us < 0 || us > maxMicroseconds {
			return false
		}
	}
	return true
}

// MarshalJSON returns the report as the JSON object, version 1, that the Kafka
// topic and the API carry. Keys that do not apply are absent, as are values and
// evidence that are not what [Report] says.
func (r Report) MarshalJSON() ([]byte, error) {
	m := reportMessage{
		Version: 1, Site: r.Site, Location: r.Location,
		Slot:       r.Slot.UTC().Format(SlotFormat),
		IntervalMS: r.Interval.Milliseconds(),
		Outcome:    r.Outcome, Reason: r.Reason, Error: r.Error,
		StatusCode: r.StatusCode, DurationUS: r.Duration.Microseconds(),
		BodyBytes: r.BodyBytes, BodyTruncated: r.BodyTruncated, RemoteAddr: r.RemoteAddr,
		Monitor: r.Monitor, Generation: r.Generation, Attempts: r.Attempts, Gap: r.Gap,
	}
	if !r.StartedAt.IsZero() {
		m.StartedAt = r.StartedAt.UTC().Format(timeFormat)
	}
	if !r.CertificateExpiresAt.IsZero() {
		m.CertificateExpiresAt = r.CertificateExpiresAt.UTC().Format(time.RFC3339)
	}
	if r.Phases != (Phases{}) {
		p := r.Phases
		m.PhasesUS = &phasesUS{
			p.Resolve.Microseconds(), p.Connect.Microseconds(), p.TLS.Microseconds(),
			p.Processing.Microseconds(), p.Transfer.Microseconds(),
		}
	}
	b, err := json.Marshal(m)
	if values := ReadValues(string(r.Values)); values != "" && err == nil {
		b = append(b[:len(b)-1], `,"values":`+string(values)+"}"...)
	}
	if evidence := readEvidence(r.Evidence); evidence != "" && err == nil {
		b = append(b[:len(b)-1], `,"evidence":`+evidence+"}"...)
	}
	return b, err
}

// UnmarshalJSON reads what [Report.MarshalJSON] wrote, and ignores keys that it
// does not know. Its errors wrap [ErrInvalid].
func (r *Report) UnmarshalJSON(b []byte) error {
	if r.readCanonical(b) {
		return nil
	}
	return r.readAny(b)
}

// readAny reads a message in any form that JSON allows.
func (r *Report) readAny(b []byte) error {
	var m reportMessage
	if err := json.Unmarshal(b, &m); err != nil {
		return fmt.Errorf("read report: %w: %w", ErrInvalid, err)
	}
	switch {
	case m.Version != 1:
		return fmt.Errorf("read report: %w: version %d, want 1", ErrInvalid, m.Version)
	case m.Site == "" || m.Location == "":
		return fmt.Errorf("read report: %w: site or location is missing", ErrInvalid)
	case !m.Outcome.Valid():
		return fmt.Errorf("read report: %w: outcome %q", ErrInvalid, m.Outcome)
	case m.IntervalMS < 0 || m.IntervalMS > math.MaxInt64/int64(time.Millisecond):
		return fmt.Errorf("read report: %w: interval_ms %d is out of range", ErrInvalid, m.IntervalMS)
	case m.DurationUS < 0 || m.DurationUS > maxMicroseconds || !m.PhasesUS.valid():
		return fmt.Errorf("read report: %w: duration_us or phases_us is out of range", ErrInvalid)
	}
	slot, err := messageTime("slot", m.Slot)
	if err != nil {
		return err
	}
	var started, expires time.Time
	if m.StartedAt != "" {
		if started, err = messageTime("started_at", m.StartedAt); err != nil {
			return err
		}
	}
	if m.CertificateExpiresAt != "" {
		if expires, err = messageTime("certificate_expires_at", m.CertificateExpiresAt); err != nil {
			return err
		}
	}
	*r = Report{
		Site: m.Site, Location: m.Location, Slot: slot, StartedAt: started,
		Interval: time.Duration(m.IntervalMS) * time.Millisecond,
		Outcome:  m.Outcome, Reason: m.Reason, Error: m.Error,
		StatusCode: m.StatusCode, Duration: time.Duration(m.DurationUS) * time.Microsecond,
		BodyBytes: m.BodyBytes, BodyTruncated: m.BodyTruncated, RemoteAddr: m.RemoteAddr,
		CertificateExpiresAt: expires,
		Monitor:              m.Monitor, Generation: m.Generation, Attempts: m.Attempts, Gap: m.Gap,
		Values: ReadValues(string(m.Values)), Evidence: readEvidence(string(m.Evidence)),
	}
	if p := m.PhasesUS; p != nil {
		us := time.Microsecond
		r.Phases = Phases{
			time.Duration(p.Resolve) * us, time.Duration(p.Connect) * us, time.Duration(p.TLS) * us,
			time.Duration(p.Processing) * us, time.Duration(p.Transfer) * us,
		}
	}
	return nil
}

// messageTime reads a time of a message, under its key. The years are those that
// can be written again in UTC.
func messageTime(key, s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("read report: %w: %s: %w", ErrInvalid, key, err)
	}
	t = t.UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return time.Time{}, fmt.Errorf("read report: %w: %s: year %d", ErrInvalid, key, y)
	}
	return t, nil
}
