package probes

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"sitemon"
	"sitemon/heartbeat"
)

// Expander replaces the ${…} references of a text by their values.
type Expander interface {
	// Expand returns the text with its references replaced, and the values it put
	// in, which must not be shown. Its error names what could not be expanded.
	Expand(text string) (expanded string, secrets []string, err error)
}

// Options are what probes need from outside. The zero value works: the system's
// resolver and roots, and no address is denied.
type Options struct {
	// Expander is asked for sites that hold references. Without one such sites
	// are reported as unknown.
	Expander Expander
	// Deny lists addresses that no probe may connect to, unless Allow has them.
	// An IPv4-mapped or NAT64 address counts as the IPv4 address in it.
	Deny, Allow []netip.Prefix
	Resolver    *net.Resolver  // nil: the system's
	Logger      *slog.Logger   // nil: nothing is logged
	Roots       *x509.CertPool // nil: the system's; a site's tls_config goes first
	UserAgent   string         // "": "SiteMon"
	// ResolvConf is the file with the system's name servers, which dns: sites without
	// a server ask. "": /etc/resolv.conf.
	ResolvConf string
	// Heartbeats is where the calls of sites are recorded; nil: nobody knows of any.
	Heartbeats Heartbeats
}

// Set runs probes. It is safe for concurrent use.
type Set struct {
	expander  Expander
	resolver  *net.Resolver
	log       *slog.Logger
	roots     *x509.CertPool
	userAgent string
	// resolvConf is where the system's name servers are.
	resolvConf string
	kinds      map[sitemon.Kind]func(*attempt) error
	policy     policy
	h2         *http.Transport
	h3         *http3.Transport // makes no connections of its own
	quic       *quic.Config
	kept       keeper
	files      fileCache
	pools      memo[*x509.CertPool]
	pairs      memo[tls.Certificate]
	tokens     tokenCache
	programs   programs
	hashes     bodyHashes
	heartbeats Heartbeats
	beatRules  memo[heartbeat.Rule] // those with a cron expression
}

// New returns a set of all kinds of probes. It must be closed.
func New(opts Options) *Set {
	s := &Set{
		expander: opts.Expander, resolver: opts.Resolver, log: opts.Logger,
		roots: opts.Roots, userAgent: opts.UserAgent, resolvConf: opts.ResolvConf, heartbeats: opts.Heartbeats,
		policy: policy{deny: opts.Deny, allow: opts.Allow},
	}
	if s.resolver == nil {
		s.resolver = net.DefaultResolver
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.userAgent == "" {
		s.userAgent = "SiteMon"
	}
	if s.resolvConf == "" {
		s.resolvConf = "/etc/resolv.conf"
	}
	s.h2, s.quic = newHTTP2Transport(), newQUICConfig()
	s.h3 = &http3.Transport{DisableCompression: true, MaxResponseHeaderBytes: maxHeader}
	s.kinds = map[sitemon.Kind]func(*attempt) error{
		sitemon.KindHTTP:     probeHTTP,
		sitemon.KindTCP:      probeTCP,
		sitemon.KindTLS:      probeTLS,
		sitemon.KindDNS:      probeDNS,
		sitemon.KindICMP:     probeICMP,
		sitemon.KindPostgres: probePostgres, sitemon.KindRedis: probeRedis, sitemon.KindKafka: probeKafka,

		sitemon.KindHeartbeat: probeHeartbeat,
		sitemon.KindGRPC:      probeGRPC,
		sitemon.KindWS:        probeWS,
	}
	return s
}

// Close closes the connections kept for sites with keep_alive. Probes in flight
// are not waited for; what they would keep is closed too.
func (s *Set) Close() { s.kept.close() }

// Probe makes one attempt to reach the site and judges the answer. It returns by
// the deadline of ctx (without one: after the site's timeout), and never panics.
// It fills what was found; who asked, when and why is the caller's to fill. A
// report of a probe whose ctx was cancelled says nothing about the site.
func (s *Set) Probe(ctx context.Context, site *sitemon.Site) sitemon.Report {
	return s.run(ctx, site, nil)
}

// Explain is [Set.Probe] with everything that was seen on the way.
func (s *Set) Explain(ctx context.Context, site *sitemon.Site) (sitemon.Report, Detail) {
	var d Detail
	r := s.run(ctx, site, &d)
	return r, d
}

func (s *Set) run(ctx context.Context, site *sitemon.Site, d *Detail) sitemon.Report {
	deadline, ok := ctx.Deadline()
	if !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, site.Timeout)
		defer cancel()
		deadline, _ = ctx.Deadline()
	}
	a := &attempt{set: s, ctx: ctx, site: site, detail: d, deadline: deadline, start: time.Now()}
	defer a.release()
	a.finish(a.guarded())
	a.recordExchange()
	return a.report
}

// guarded runs the site's kind of probe and turns a panic into an error.
func (a *attempt) guarded() (err error) {
	defer func() {
		if p := recover(); p != nil {
			a.set.log.Error("probe panicked", "site", a.site.Name, "err", a.redact(fmt.Sprint(p)), "stack", string(debug.Stack()))
			err = failf(sitemon.ReasonInternal, nil, "the probe failed inside the monitor: %v", p)
		}
	}()
	probe, ok := a.set.kinds[a.site.Kind]
	if !ok {
		return failf(sitemon.ReasonInternal, nil, "no probe of the kind %q", a.site.Kind)
	}
	return probe(a)
}

// attempt is one probe on its way.
type attempt struct {
	set      *Set
	ctx      context.Context
	site     *sitemon.Site
	start    time.Time
	deadline time.Time
	report   sitemon.Report
	detail   *Detail  // nil unless asked for
	secrets  []string // values that must not be seen in the report
	bufs     *buffers // nil until needed
	flow     *flow    // nil but for a site with steps
	// body is what the site's body is to be compared with from now on; nil: nothing new.
	body *[sha256.Size]byte
}

// finish turns the end of a probe into its report.
func (a *attempt) finish(err error) {
	r := &a.report
	if r.Duration == 0 && a.site.Kind != sitemon.KindHeartbeat {
		r.Duration = time.Since(a.start)
	}
	r.Site = a.site.Name
	if err == nil {
		if a.body != nil && a.detail == nil && r.Outcome != sitemon.OutcomeDown { // who only looks changes nothing
			a.set.hashes.keep(a.site, *a.body)
		}
		if r.Outcome == "" {
			r.Outcome = sitemon.OutcomeUp
			return
		}
		r.Evidence = a.evidence()
		return
	}
	a.hideExchanged()
	f := asFailure(err)
	if errors.Is(a.ctx.Err(), context.Canceled) {
		f = &failure{sitemon.ReasonInternal, "the probe was cancelled", a.ctx.Err()}
	}
	r.Outcome, r.Reason, r.Error = f.outcome(), f.reason, a.errorText(f.text)
	if r.Outcome == sitemon.OutcomeDown {
		r.Evidence = a.evidence()
	}
}
