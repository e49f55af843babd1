package postgres

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"sitemon"
)

const (
	// maxName is how many characters the names of sites and locations have at most.
	maxName = 200
	// maxAhead is how far ahead of now a slot may lie: there are partitions up to
	// then, and clocks are not that wrong.
	maxAhead = daysAhead * day
)

// check says what is wrong with a report that the tables can't hold, with an error
// that wraps [sitemon.ErrInvalid].
func check(r *sitemon.Report, now time.Time) error {
	for _, t := range [...]struct{ what, text string }{
		{"site", r.Site},
		{"location", r.Location},
		{"reason", string(r.Reason)},
		{"error", r.Error},
		{"remote_addr", r.RemoteAddr},
		{"monitor", r.Monitor},
		{"gap", r.Gap},
		{"evidence", r.Evidence},
	} {
		if !utf8.ValidString(t.text) || strings.IndexByte(t.text, 0) >= 0 {
			return fmt.Errorf("%w: %s is not UTF-8, or has a NUL in it", sitemon.ErrInvalid, t.what)
		}
	}
	switch {
	case r.Site == "":
		return fmt.Errorf("%w: site is empty", sitemon.ErrInvalid)
	case tooLong(r.Site):
		return fmt.Errorf("%w: site has more than %d characters", sitemon.ErrInvalid, maxName)
	case tooLong(r.Location):
		return fmt.Errorf("%w: location has more than %d characters", sitemon.ErrInvalid, maxName)
	case r.Interval < 0 || r.Interval.Milliseconds() > math.MaxInt32:
		return fmt.Errorf("%w: interval %s", sitemon.ErrInvalid, r.Interval)
	case r.StatusCode < math.MinInt16 || r.StatusCode > math.MaxInt16:
		return fmt.Errorf("%w: status_code %d", sitemon.ErrInvalid, r.StatusCode)
	case r.Attempts < math.MinInt16 || r.Attempts > math.MaxInt16:
		return fmt.Errorf("%w: attempts %d", sitemon.ErrInvalid, r.Attempts)
	case r.Slot.After(now.Add(maxAhead)):
		return fmt.Errorf("%w: slot lies more than %d days ahead", sitemon.ErrInvalid, daysAhead)
	case r.Slot.UnixMilli() <= 0:
		return fmt.Errorf("%w: slot lies before 1970", sitemon.ErrInvalid)
	case !r.CertificateExpiresAt.IsZero() && (r.CertificateExpiresAt.Year() < 0 || r.CertificateExpiresAt.Year() > 9999):
		return fmt.Errorf("%w: certificate_expires_at %s", sitemon.ErrInvalid, r.CertificateExpiresAt)
	}
	return nil
}

func tooLong(name string) bool { return len(name) > maxName && utf8.RuneCountInString(name) > maxName }
