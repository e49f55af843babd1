package writer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"sitemon"
)

// seedMessage is a report as the original system sends it.
type seedMessage struct {
	Version   json.RawMessage `json:"version"` // not there
	SiteID    *int64          `json:"site_id"`
	Timestamp *string         `json:"timestamp"` // ISO 8601, as a rule without a zone
	Complete  *bool           `json:"response_complete"`
	Seconds   *float64        `json:"response_time"`
	Code      *int            `json:"response_code"`
	Valid     *bool           `json:"response_valid"`
}

// readSeed returns the message of the original system that b is, if it is one.
func readSeed(b []byte) (seedMessage, bool) {
	var m seedMessage
	if !bytes.Contains(b, []byte(`"site_id"`)) || bytes.HasPrefix(b, []byte(`{"version":`)) || json.Unmarshal(b, &m) != nil {
		return m, false
	}
	return m, m.Version == nil && m.SiteID != nil && m.Timestamp != nil && m.Complete != nil
}

// report turns the message into a report, all but its site. The zone is that of a
// time that has none; written is when the message was.
func (m seedMessage) report(r *sitemon.Report, zone *time.Location, written time.Time) error {
	slot, err := seedTime(*m.Timestamp, zone, written)
	if err != nil {
		return fmt.Errorf("timestamp: %w", err)
	}
	if m.SiteID == nil || *m.SiteID <= 0 {
		return outOfRange("site_id", *m.SiteID)
	}
	*r = sitemon.Report{Location: "default", Slot: slot, Outcome: sitemon.OutcomeUp}
	switch {
	case !*m.Complete:
		r.Outcome, r.Reason, r.Error = sitemon.OutcomeDown, sitemon.ReasonConnectError, "no complete response"
	case m.Valid == nil || !*m.Valid:
		r.Outcome, r.Reason, r.Error = sitemon.OutcomeDown, sitemon.ReasonBody, "the body does not match the regular expression"
	}
	if m.Code != nil {
		r.StatusCode = *m.Code
	}
	if m.Seconds != nil {
		us := math.Round(*m.Seconds * 1e6)
		if us < 0 || us > math.MaxInt64/1000 {
			return fmt.Errorf("response_time %g is out of range", *m.Seconds)
		}
		r.Duration = time.Duration(us) * time.Microsecond
	}
	return nil
}

// seedTime reads a time of the original system to the millisecond. One that exists
// twice, as clocks are set back, is the one closer to when the message was written.
func seedTime(s string, zone *time.Location, written time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t.UTC().Truncate(time.Millisecond), nil
	}
	const layout = "2006-01-02T15:04:05"
	t, err := time.ParseInLocation(layout, s, zone)
	if err != nil {
		return t, err
	}
	if !written.IsZero() {
		for _, other := range [...]time.Time{t.Add(-time.Hour), t.Add(time.Hour)} {
			if other.Format(layout) == t.Format(layout) && other.Sub(written).Abs() < t.Sub(written).Abs() {
				t = other
			}
		}
	}
	return t.UTC().Truncate(time.Millisecond), nil
}

const (
	// seedKnown is for how long a site's name and interval are taken as they were.
	seedKnown = 10 * time.Second
	// seedUnknown is the same of an id that no site has.
	seedUnknown = time.Second
	// maxSeeds bounds what is remembered.
	maxSeeds = 100_000
)

// seedSite is what is known of a site of the original system.
type seedSite struct {
	name     string
	interval time.Duration
	unknown  string // why no name is known
	until    time.Time
}

// seedSites remembers the sites of the original system for a moment. It is used
// by one goroutine at a time.
type seedSites struct {
	store Store
	now   func() time.Time
	known map[int64]seedSite
}

// find returns the site with an id; one without a name if there is none.
func (s *seedSites) find(ctx context.Context, id int64) (seedSite, error) {
	now := s.now()
	if site, ok := s.known[id]; ok && now.Before(site.until) {
		return site, nil
	}
	name, interval, err := s.store.SeedSite(ctx, id)
	site := seedSite{name: name, interval: interval, until: now.Add(seedKnown)}
	switch {
	case errors.Is(err, sitemon.ErrNotFound):
		site = seedSite{unknown: fmt.Sprintf("site_id %d: no site of the original system has it", id), until: now.Add(seedUnknown)}
	case err != nil:
		return site, err
	}
	if s.known == nil || len(s.known) >= maxSeeds {
		s.known = map[int64]seedSite{}
	}
	s.known[id] = site
	return site, nil
}
