package probes_test

import (
	"context"
	"crypto/x509"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"sitemon"
	"sitemon/probes"
)

// listenGRPC serves gRPC until the test ends, with the health service unless
// register is set.
func listenGRPC(t testing.TB, register func(*grpc.Server), opts ...grpc.ServerOption) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(opts...)
	if register == nil {
		register = func(s *grpc.Server) {
			h := health.NewServer()
			h.SetServingStatus("shop.Cart", grpc_health_v1.HealthCheckResponse_SERVING)
			h.SetServingStatus("shop.Stock", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
			h.SetServingStatus("shop.New", grpc_health_v1.HealthCheckResponse_UNKNOWN)
			grpc_health_v1.RegisterHealthServer(s, h)
		}
	}
	register(server)
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-done; err != nil {
			t.Errorf("serve gRPC: %v", err)
		}
	})
	return l.Addr().String()
}

// answeringGRPC is a server that does answer before its health service.
func answeringGRPC(answer func(ctx context.Context) error) grpc.ServerOption {
	return grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if err := answer(ctx); err != nil {
			return nil, err
		}
		return next(ctx, req)
	})
}

func headers(of ...string) option {
	return func(s *sitemon.Site) {
		for i := 0; i < len(of); i += 2 {
			s.Request.Headers = append(s.Request.Headers, sitemon.Header{Name: of[i], Value: sitemon.Secret(of[i+1])})
		}
	}
}

func expects(change func(*sitemon.Expect)) option {
	return func(s *sitemon.Site) { change(s.Expect) }
}

func TestGRPC(t *testing.T) {
	t.Parallel()
	addr := listenGRPC(t, nil)
	bare := listenGRPC(t, func(*grpc.Server) {})
	closed := listenGRPC(t, nil, answeringGRPC(func(context.Context) error {
		return status.Error(codes.PermissionDenied, "not you, 100 %\nnever")
	}))
	odd := listenGRPC(t, nil, answeringGRPC(func(context.Context) error { return status.Error(codes.Code(42), "") }))
	hangs := listenGRPC(t, nil, answeringGRPC(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }))
	slow := expects(func(e *sitemon.Expect) { e.Latency = time.Nanosecond })
	soon := func(s *sitemon.Site) { s.Timeout = hostileTimeout }
	for _, tt := range []struct {
		name, target string
		options      []option
		outcome      sitemon.Outcome
		reason       sitemon.Reason
		text         string
	}{
		{"the server", "grpc://" + addr, nil, sitemon.OutcomeUp, "", ""},
		{"a service", "grpc://" + addr + "/shop.Cart", nil, sitemon.OutcomeUp, "", ""},
		{"a service that does not serve", "grpc://" + addr + "/shop.Stock", nil, sitemon.OutcomeDown, sitemon.ReasonStatus, "the server answered NOT_SERVING, expected SERVING"},
		{"a service of unknown state", "grpc://" + addr + "/shop.New", nil, sitemon.OutcomeDown, sitemon.ReasonStatus, "the server answered UNKNOWN, expected SERVING"},
		{"an unknown service", "grpc://" + addr + "/shop.Nothing", nil, sitemon.OutcomeDown, sitemon.ReasonStatus, `the server answered NOT_FOUND (unknown service), expected SERVING; it does not know the service "shop.Nothing"`},
		{"no health service", "grpc://" + bare, nil, sitemon.OutcomeDown, sitemon.ReasonStatus, "it has no health service (grpc.health.v1)"},
		{"refused", "grpc://" + closed, nil, sitemon.OutcomeDown, sitemon.ReasonStatus, `the server answered PERMISSION_DENIED (not you, 100 %\nnever), expected SERVING`},
		{"a code of its own", "grpc://" + odd, nil, sitemon.OutcomeDown, sitemon.ReasonStatus, "the server answered code 42, expected SERVING"},
		{"hangs", "grpc://" + hangs, []option{soon}, sitemon.OutcomeDown, sitemon.ReasonProcessingTimeout, "no answer within 400ms (connected, waiting for the first byte)"},
		{"slow", "grpc://" + addr, []option{slow}, sitemon.OutcomeDegraded, sitemon.ReasonLatency, ""},
		{"without a port", "grpc://127.0.0.1", nil, sitemon.OutcomeUnknown, sitemon.ReasonInternal, "the URL has no port"},
		{"refused to connect", "grpc://" + closedPort(t), nil, sitemon.OutcomeDown, sitemon.ReasonConnectRefused, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := probe(t, probes.Options{}, newSite(t, tt.target, tt.options...))
			wantReport(t, r, tt.outcome, tt.reason, tt.text)
			if tt.outcome == sitemon.OutcomeUp && (r.Phases.Connect <= 0 || r.Phases.Processing <= 0 || r.StatusCode != 0 || r.RemoteAddr != addr) {
				t.Errorf("phases %+v, status code %d, address %s", r.Phases, r.StatusCode, r.RemoteAddr)
			}
		})
	}
}

// What the site sends arrives, and what comes back is judged.
func TestGRPCMetadata(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	seen := make(chan metadata.MD, 1)
	addr := listenGRPC(t, nil, grpc.Creds(credentials.NewServerTLSFromCert(new(ca.server(t, nil)))), answeringGRPC(func(ctx context.Context) error {
		md, _ := metadata.FromIncomingContext(ctx)
		seen <- md
		_ = grpc.SetHeader(ctx, metadata.Pairs("x-region", "eu", "x-token", "s3cr3t-token"))
		return grpc.SetTrailer(ctx, metadata.Pairs("x-cost", "7"))
	}))
	site := newSite(t, "grpcs://"+addr+"/shop.Cart", headers("Host", "cart.test:1", "X-Tenant", "${TENANT}"), func(s *sitemon.Site) {
		s.References = true
		s.Request.Authorization = &sitemon.Authorization{Type: "Bearer", Credentials: "${TOKEN}"}
		s.Expect.CertificateValidFor = time.Hour
		s.Expect.Headers = []sitemon.HeaderPattern{{Name: "X-Region", Pattern: pattern(t, "^eu$")}, {Name: "x-cost", Pattern: pattern(t, "^8$")}}
	})
	set := newSet(t, probes.Options{Roots: ca.pool(), Expander: fakeExpander{"TENANT": "acme-tenant", "TOKEN": "s3cr3t-token"}})
	r, detail := set.Explain(t.Context(), site)
	wantReport(t, r, sitemon.OutcomeDown, sitemon.ReasonHeader, `header x-cost: "7", expected to match "^8$"`)
	md := <-seen
	for name, want := range map[string]string{":authority": "cart.test:1", "x-tenant": "acme-tenant", "authorization": "Bearer s3cr3t-token", "user-agent": "SiteMon"} {
		if got := strings.Join(md.Get(name), ","); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if len(detail.Checks) != 4 || detail.Checks[0].Name != "health" || !detail.Checks[0].OK || detail.TLS == nil {
		t.Errorf("details %+v", detail)
	}
	x := detail.Exchange
	if x == nil || x.Request.Method != "Check" || x.Response == nil || x.Response.Status != "OK" || x.Response.Body != "SERVING" || x.Response.Headers["X-Region"] != "eu" {
		t.Errorf("exchange %+v", x)
	}
	if secret := regexp.MustCompile("s3cr3t|acme"); secret.MatchString(r.Evidence) || !strings.Contains(r.Evidence, "X-Region") {
		t.Errorf("evidence %s", r.Evidence)
	}
	if r.CertificateExpiresAt.IsZero() || r.Phases.TLS <= 0 {
		t.Errorf("certificate until %s, phases %+v", r.CertificateExpiresAt, r.Phases)
	}
}

func TestGRPCOverTLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	serve := func(change func(*x509.Certificate)) string {
		return listenGRPC(t, nil, grpc.Creds(credentials.NewServerTLSFromCert(new(ca.server(t, change)))))
	}
	for _, tt := range []struct {
		name, addr string
		set        probes.Options
		options    []option
		outcome    sitemon.Outcome
		reason     sitemon.Reason
		text       string
	}{
		{"up", serve(nil), probes.Options{Roots: ca.pool()}, nil, sitemon.OutcomeUp, "", ""},
		{"untrusted", serve(nil), probes.Options{}, nil, sitemon.OutcomeDown, sitemon.ReasonTLSUntrusted, "Test Authority"},
		{"not checked", serve(nil), probes.Options{}, []option{func(s *sitemon.Site) { s.Request.TLS = &sitemon.TLSConfig{InsecureSkipVerify: true} }}, sitemon.OutcomeUp, "", ""},
		{
			"expired", serve(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }),
			probes.Options{Roots: ca.pool()},
			nil,
			sitemon.OutcomeDown, sitemon.ReasonTLSExpired, "",
		},
		{
			"of another name", serve(func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = []string{"other.test"}, nil }),
			probes.Options{Roots: ca.pool()},
			nil,
			sitemon.OutcomeDown, sitemon.ReasonTLSHostname, "other.test",
		},
		{
			"about to expire", serve(nil),
			probes.Options{Roots: ca.pool()},
			[]option{expects(func(e *sitemon.Expect) { e.CertificateValidFor = 365 * 24 * time.Hour })},
			sitemon.OutcomeDegraded, sitemon.ReasonCertificate, "",
		},
		{
			"without HTTP/2", listenTLS(t, ca.server(t, nil), nil, silent),
			probes.Options{Roots: ca.pool()},
			nil,
			sitemon.OutcomeDown, sitemon.ReasonProtocol, "does not choose HTTP/2",
		},
		{
			"with HTTP/1.1 alone", listenTLS(t, ca.server(t, nil), []string{"http/1.1"}, silent),
			probes.Options{Roots: ca.pool()},
			nil,
			sitemon.OutcomeDown, sitemon.ReasonTLSError, "no application protocol",
		},
		{"plain", listenGRPC(t, nil), probes.Options{}, nil, sitemon.OutcomeDown, sitemon.ReasonTLSError, "does not speak TLS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantReport(t, probe(t, tt.set, newSite(t, "grpcs://"+tt.addr, tt.options...)), tt.outcome, tt.reason, tt.text)
		})
	}
}

// closedPort is an address at which nobody listens.
func closedPort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
