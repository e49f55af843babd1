package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sitemon"
	"sitemon/availability"
	"sitemon/web/auth"
)

// Sites reads the sites that are watched and their present states.
type Sites interface {
	// Sites lists the sites that match, by name.
	Sites(ctx context.Context, q sitemon.SiteQuery) ([]sitemon.SiteState, error)
	// Site returns one site; its error wraps [sitemon.ErrNotFound] where there is
	// no such site, or it was removed.
	Site(ctx context.Context, name string) (sitemon.SiteState, error)
}

// History reads what was recorded of the sites.
type History interface {
	// Reports lists reports, newest first; next is the cursor of the next page, ""
	// on the last.
	Reports(ctx context.Context, q sitemon.ReportQuery) (reports []sitemon.Report, next string, err error)
	// Availability sums up one site over a window, in buckets.
	Availability(ctx context.Context, q availability.Query) (availability.Result, error)
	// Availabilities returns for each name its figures over the windows that end
	// now, in the order of windows.
	Availabilities(ctx context.Context, names []string, now time.Time, windows []time.Duration) (map[string][]availability.Figure, error)
	// Series returns for each name the same buckets.
	Series(ctx context.Context, q availability.SeriesQuery) (map[string][]availability.SeriesBucket, error)
}

// Incidents reads what sites suffered, and keeps what people say of it. Errors about
// an incident that does not exist wrap [sitemon.ErrNotFound].
type Incidents interface {
	// Incidents lists incidents, newest first, without their timelines; next is the
	// cursor of the next page, "" on the last.
	Incidents(ctx context.Context, q sitemon.IncidentQuery) (incidents []sitemon.Incident, next string, err error)
	// Incident returns one with its timeline and evidence.
	Incident(ctx context.Context, id int64) (sitemon.Incident, error)
	// AcknowledgeIncident notes that somebody knows of it; once more changes nothing.
	AcknowledgeIncident(ctx context.Context, id int64, by string) (sitemon.Incident, error)
	// CommentIncident adds to its timeline.
	CommentIncident(ctx context.Context, id int64, by, text string) (sitemon.Incident, error)
}

// Operations reads what SiteMon did and does itself.
type Operations interface {
	// Reloads lists the newest attempts to apply a sites file, newest first.
	Reloads(ctx context.Context, limit int) ([]sitemon.Reload, error)
	// Monitors lists the processes that are alive.
	Monitors(ctx context.Context, now time.Time) ([]sitemon.Monitor, error)
	// MonitorsSince lists those that were alive after a moment, also what has stopped.
	MonitorsSince(ctx context.Context, since time.Time) ([]sitemon.Monitor, error)
	// Coverage counts the slots that were planned for each location in [from, to), and
	// those without a report.
	Coverage(ctx context.Context, from, to time.Time) ([]sitemon.LocationCoverage, error)
}

// Reloader applies the sites file.
type Reloader interface {
	// Running returns the generation that runs and, where the newest reload was
	// refused, that reload; nil after a good one.
	Running() (sitemon.Generation, *sitemon.Reload)
	// Reload reads the sites file now and applies it. A file with faults gives an
	// error that is a [sitemon.Problems]; a process that reads none, [ErrNoFile].
	Reload(ctx context.Context) (sitemon.Plan, error)
	// ReadsFile reports whether this process has a sites file to reload.
	ReadsFile() bool
}

// ErrNoFile is what a [Reloader] answers in a process that reads no sites file:
// one that runs no monitor, or takes its sites from the store alone.
var ErrNoFile = errors.New("this process reads no sites file: ask a monitor that does")

// Options are the parts that a [Server] stands on. All interfaces, Logger and
// Hub are required, but for a server with HealthOnly, which needs none of them
// except Logger and Ready.
type Options struct {
	Sites      Sites
	History    History
	Incidents  Incidents
	Operations Operations
	Documents  Documents
	Reloader   Reloader
	// Definitions says what sites are and where that is written; nil: pages do without.
	Definitions Definitions
	// Prober makes probes that somebody asks for; nil: this process makes none.
	Prober Prober
	// Heartbeats and Callers are for sites that call us; nil: none are accepted.
	Heartbeats Heartbeats
	Callers    *Callers
	// Ready lists what is missing for the process to do its work; empty: it is
	// ready.
	Ready func(ctx context.Context) []string
	Hub   *Hub

	Logger *slog.Logger
	// Gatherer is what /metrics shows, Registerer where web's own metrics go. Nil:
	// no /metrics, no registration.
	Gatherer   prometheus.Gatherer
	Registerer prometheus.Registerer

	// Hosts are the host names, without port, under which the server may be asked
	// beside localhost, 127.0.0.1 and [::1].
	Hosts []string
	// HealthOnly serves /metrics, /healthz and /readyz alone.
	HealthOnly bool
	// AnyHost leaves the host names unchecked: for a server that listens beyond
	// loopback, where they protect nothing.
	AnyHost bool
	// DataDir is where the status pages are kept for when the database is away; "": in
	// memory alone.
	DataDir string
	// Auth says who may do what; nil: everybody may do everything.
	Auth *auth.Gate
	// TLS is the server's, with its certificates; nil: it speaks plain http.
	TLS *tls.Config

	Version string
	Now     func() time.Time // nil: [time.Now]
}

// Server answers HTTP requests. It is safe for concurrent use.
type Server struct {
	Options

	log     *slog.Logger
	metrics *metrics
	figures *siteCache[[]availability.Figure]
	years   *siteCache[[]availability.Figure] // over [siteWindows]
	trends  *siteCache[trend]
	brief   *briefSites
	// expiries are the ends of certificates.
	expiries *siteCache[time.Time]
	coverage *siteCache[map[string]sitemon.LocationCoverage]
	pages    *pages
	probing  *probeGate
	notices  *noticeBoard
	status   *statusPages
	handler  http.Handler

	streams    context.Context // ends when event streams shall end
	endStreams context.CancelFunc
}

// New makes a server from its parts; it starts nothing.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{
		Options:  o,
		log:      o.Logger.With("component", "web"),
		metrics:  newMetrics(o.Registerer, o.Hub),
		figures:  newFigureCache(o.History, o.Now, figureWindows),
		years:    newFigureCache(o.History, o.Now, siteWindows),
		expiries: newCertificateCache(o.Sites, o.Now),
		coverage: newCoverageCache(o.Operations, o.Now),
		pages:    newPages(),
		probing:  newProbeGate(o.Now),
	}
	s.trends = newTrendCache(o.History, o.Now, s.pages)
	s.brief = newBriefSites(o.Sites, o.Hub.Seen)
	s.notices = &noticeBoard{Server: s, started: s.Now()}
	s.status = newStatusPages(s, o.DataDir)
	s.streams, s.endStreams = context.WithCancel(context.Background())
	s.handler = s.routes()
	return s
}

// Handler returns the handler of all routes, with every check applied.
func (s *Server) Handler() http.Handler { return s.handler }

// The server's limits on a client.
const (
	headerTimeout   = 10 * time.Second
	readTimeout     = 30 * time.Second
	writeTimeout    = time.Minute
	idleTimeout     = 2 * time.Minute
	maxHeaderBytes  = 64 << 10
	maxBodyBytes    = 1 << 20
	shutdownTimeout = 5 * time.Second
)

// Serve answers requests on ln until ctx ends; then event streams are ended,
// requests under way get 5 s to finish, and Serve returns nil. It closes ln. A
// server that has served once can't serve again.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	srv.RegisterOnShutdown(s.endStreams)
	reading, stop := context.WithCancel(ctx)
	var readers sync.WaitGroup
	readers.Go(func() { s.figures.run(reading) })
	readers.Go(func() { s.years.run(reading) })
	readers.Go(func() { s.trends.run(reading) })
	readers.Go(func() { s.brief.run(reading) })
	readers.Go(func() { s.expiries.run(reading) })
	readers.Go(func() { s.coverage.run(reading) })
	readers.Go(func() { s.notices.run(reading) })
	defer readers.Wait()
	defer stop()
	served := make(chan error, 1)
	go func() {
		if srv.TLSConfig = s.TLS; s.TLS != nil {
			served <- srv.ServeTLS(ln, "", "")
			return
		}
		served <- srv.Serve(ln)
	}()
	select {
	case err := <-served:
		s.endStreams()
		return errors.Join(fmt.Errorf("serve http on %s: %w", ln.Addr(), err), srv.Close())
	case <-ctx.Done():
	}
	budget, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := srv.Shutdown(budget)
	if err != nil {
		err = errors.Join(fmt.Errorf("shut down http on %s: %w", ln.Addr(), err), srv.Close())
	}
	if end := <-served; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	return err
}
