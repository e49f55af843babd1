package sqlite

import (
	"database/sql/driver"
	"net/netip"
	"time"

	"sitemon"
	"sitemon/store/internal/history"
)

// A row of site_reports is found by the number of its location and its slot:
// location << slotBits | milliseconds since 1970. 42 bits of milliseconds last
// until 2109 and leave 21 for locations.
const (
	slotBits     = 42
	slotMask     = 1<<slotBits - 1
	maxLocations = 1 << (63 - slotBits)
)

func packID(location int64, slot time.Time) int64 {
	return location<<slotBits | slot.UnixMilli()&slotMask
}

// slotOf is the slot of a packed id.
func slotOf(id int64) time.Time { return time.UnixMilli(id & slotMask).UTC() }

// firstID and endID are the bounds of the ids of a location.
func firstID(location int64) int64 { return location << slotBits }
func endID(location int64) int64   { return (location + 1) << slotBits }

// packAddr makes site_reports.remote_addr of "ip:port".
func packAddr(addr string) any {
	if addr == "" {
		return nil
	}
	ap, err := netip.ParseAddrPort(addr)
	if err != nil || !ap.Addr().Is4() || ap.String() != addr {
		return addr
	}
	b := ap.Addr().As4()
	return int64(b[0])<<40 | int64(b[1])<<32 | int64(b[2])<<24 | int64(b[3])<<16 | int64(ap.Port())
}

func unpackAddr(v any) string {
	switch v := v.(type) {
	case int64:
		ip := netip.AddrFrom4([4]byte{byte(v >> 40), byte(v >> 32), byte(v >> 24), byte(v >> 16)})
		return netip.AddrPortFrom(ip, uint16(v)).String()
	case string:
		return v
	case []byte:
		return string(v)
	}
	return ""
}

// orNull is NULL for 0, which stands for what does not apply.
func orNull(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

func textOrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

const insertReport = `INSERT INTO site_reports (id, lateness_us, interval_ms, outcome, reason_id, error, status_code, duration_us,
 resolve_us, connect_us, tls_us, processing_us, transfer_us, body_bytes, body_truncated, remote_addr,
 certificate_expires_at, monitor_id, generation, attempts, gap_id, "values")
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`

// words are the numbers that stand for a report's texts.
type words struct{ reason, monitor, gap any }

// appendReport appends the values of insertReport.
func appendReport(args []driver.NamedValue, id int64, r *sitemon.Report, w words) []driver.NamedValue {
	var lateness, truncated, expires any
	if !r.StartedAt.IsZero() {
		lateness = r.StartedAt.Sub(time.UnixMilli(r.Slot.UnixMilli())).Microseconds()
	}
	if r.BodyTruncated {
		truncated = int64(1)
	}
	if !r.CertificateExpiresAt.IsZero() {
		expires = r.CertificateExpiresAt.Unix()
	}
	p := r.Phases
	for _, v := range [...]any{
		id, lateness, r.Interval.Milliseconds(), int64(history.OutcomeNumber(r.Outcome)), w.reason, textOrNull(r.Error),
		orNull(int64(r.StatusCode)), r.Duration.Microseconds(),
		orNull(p.Resolve.Microseconds()), orNull(p.Connect.Microseconds()), orNull(p.TLS.Microseconds()),
		orNull(p.Processing.Microseconds()), orNull(p.Transfer.Microseconds()),
		orNull(r.BodyBytes), truncated, packAddr(r.RemoteAddr), expires,
		w.monitor, orNull(r.Generation), orNull(int64(r.Attempts)), w.gap, textOrNull(string(r.Values)),
	} {
		args = append(args, driver.NamedValue{Ordinal: len(args) + 1, Value: v})
	}
	return args
}
