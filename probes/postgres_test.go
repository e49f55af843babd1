package probes_test

import (
	"context"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon"
	"sitemon/internal/testkit"
	"sitemon/probes"
)

func runs(query string) option {
	return func(s *sitemon.Site) { s.Request.Postgres = &sitemon.PostgresRequest{Query: query} }
}

// at is the host, port and what follows of a DSN, without its user.
func at(t *testing.T, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

func TestPostgres(t *testing.T) {
	dsn := testkit.Postgres(t)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	set := newSet(t, probes.Options{Expander: fakeExpander{"QUERY": "SELECT 4711"}})
	bare := "postgres://" + u.User.Username() + "@" + u.Host
	t.Setenv("PGPASSWORD", "not-for-probes")
	t.Setenv("PGSSLMODE", "verify-full")
	for _, tt := range []struct {
		name, url string
		options   []option
		outcome   sitemon.Outcome
		reason    sitemon.Reason
		text      string
	}{
		{name: "up", url: dsn, outcome: "up"},
		{name: "by its other name", url: strings.Replace(dsn, "postgres://", "postgresql://", 1), outcome: "up"},
		{name: "no TLS asked for", url: dsn + "?sslmode=disable", outcome: "up"},
		{name: "TLS required", url: dsn + "?sslmode=require", outcome: "down", reason: "tls_error", text: "the server does not speak TLS, and sslmode is require"},
		{name: "rows", url: dsn, options: []option{runs("SELECT 1, NULL, 'a b' UNION ALL SELECT 2, 'x', 'y' ORDER BY 1"), bodyMatches(t, "^1\t\ta b\n2\tx\ty$")}, outcome: "up"},
		{name: "several statements", url: dsn, options: []option{runs("SELECT 1; SELECT 2"), bodyMatches(t, "^1\n2$")}, outcome: "up"},
		{name: "no rows", url: dsn, options: []option{runs("SELECT 1 WHERE false"), bodyMatches(t, "^$")}, outcome: "up"},
		{name: "empty rows", url: dsn, options: []option{runs("VALUES (NULL), (''), ('x')"), bodyMatches(t, "^\n\nx$")}, outcome: "up"},
		{name: "other rows", url: dsn, options: []option{runs("SELECT count(*) FROM generate_series(1, 7)"), bodyMatches(t, "^0$")}, outcome: "down", reason: "body", text: `body "7", expected a match of "^0$"`},
		{name: "a reference", url: dsn, options: []option{func(s *sitemon.Site) { s.References = true }, runs("${QUERY}"), bodyMatches(t, "x")}, outcome: "down", reason: "body", text: `body "4711"`},
		{name: "many rows", url: dsn, options: []option{runs("SELECT repeat('x', 1000) FROM generate_series(1, 1000000)"), bodyMatches(t, "^x")}, outcome: "up"},
		{name: "an error", url: dsn, options: []option{runs("SELECT * FROM nothing_here")}, outcome: "down", reason: "status", text: `the server answered ERROR 42P01: relation "nothing_here" does not exist (running the query)`},
		{name: "an error after rows", url: dsn, options: []option{runs("SELECT 1/(3-n) FROM generate_series(1, 5) n")}, outcome: "down", reason: "status", text: "22012: division by zero"},
		{name: "a long query", url: dsn, options: []option{runs("SELECT pg_sleep(30)"), within(secureTimeout)}, outcome: "down", reason: "processing_timeout", text: "connected, running the query"},
		{name: "slow", url: dsn, options: []option{expects(func(e *sitemon.Expect) { e.Latency = 1 })}, outcome: "degraded", reason: "latency"},
		{name: "no such database", url: bare + "/nothing_here", outcome: "down", reason: "status", text: `FATAL 3D000: database "nothing_here" does not exist (signing in)`},
		{name: "nobody", url: "postgres://127.0.0.1:1/x", outcome: "down", reason: "connect_refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, d := set.Explain(t.Context(), newSite(t, tt.url, append(tt.options, func(s *sitemon.Site) { s.Kind = sitemon.KindPostgres })...))
			wantReport(t, r, tt.outcome, tt.reason, tt.text)
			if r.Outcome == sitemon.OutcomeUp && (r.Phases.Processing <= 0 || r.BodyBytes < 7 || d.Exchange.Response.Headers["Server-Version"] == "") {
				t.Errorf("got %+v, %+v", r, d.Exchange)
			}
			if tt.name == "many rows" && !r.BodyTruncated {
				t.Error("it does not say that rows are left out")
			}
		})
	}
}

// Every way to sign in, to a server with TLS and to one without.
func TestPostgresSignIn(t *testing.T) {
	if os.Getenv("SITEMON_TEST_POSTGRES") == "" {
		testkit.Missing(t, "no Postgres: SITEMON_TEST_POSTGRES names none; `make test` starts one")
	}
	s := testkit.StartPostgres(t, testkit.PostgresOptions{})
	secure := testkit.StartPostgres(t, testkit.PostgresOptions{TLS: true})
	ca, err := os.ReadFile(secure.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	askForPasswords(t, s)
	host, secureHost := at(t, s.DSN), at(t, secure.DSN)
	byAddress := strings.Replace(secureHost, "localhost", "127.0.0.1", 1)
	insecure := func(s *sitemon.Site) { s.Request.TLS = &sitemon.TLSConfig{InsecureSkipVerify: true} }
	set := newSet(t, probes.Options{Expander: fakeExpander{"PW": "p@ss:/?#word", "WRONG": "wrong-secret"}})
	for _, tt := range []struct {
		name, url string
		options   []option
		outcome   sitemon.Outcome
		reason    sitemon.Reason
		text      string
	}{
		{name: "SCRAM", url: "postgres://scram:${PW}@" + host + "/postgres", outcome: "up"},
		{name: "MD5", url: "postgres://md5:${PW}@" + host + "/postgres", outcome: "up"},
		{name: "password in the clear", url: "postgres://plain:${PW}@" + host + "/postgres", outcome: "up"},
		{name: "SCRAM, wrong", url: "postgres://scram:${WRONG}@" + host + "/postgres", outcome: "down", reason: "status", text: `the server answered FATAL 28P01: password authentication failed for user "scram" (signing in)`},
		{name: "no password", url: "postgres://scram@" + host + "/postgres", outcome: "down", reason: "status", text: "FATAL"},
		{name: "nobody there lets one in", url: "postgres://stranger@" + host + "/postgres", outcome: "down", reason: "status", text: "FATAL 28000: no pg_hba.conf entry"},
		{name: "TLS where there is", url: "postgres://postgres@" + byAddress + "/postgres", outcome: "up"},
		{name: "TLS, not trusted", url: "postgres://postgres@" + secureHost + "/postgres?sslmode=verify-full", outcome: "down", reason: "tls_untrusted"},
		{name: "TLS, trusted", url: "postgres://postgres@" + secureHost + "/postgres", options: []option{trusts(string(ca))}, outcome: "up"},
		{name: "TLS, another name", url: "postgres://postgres@" + byAddress + "/postgres", options: []option{trusts(string(ca))}, outcome: "down", reason: "tls_hostname"},
		{name: "TLS, any name", url: "postgres://postgres@" + byAddress + "/postgres?sslmode=verify-ca", options: []option{trusts(string(ca))}, outcome: "up"},
		{name: "TLS, required, with an authority", url: "postgres://postgres@" + byAddress + "/postgres?sslmode=require", options: []option{trusts(string(ca))}, outcome: "up"},
		{name: "TLS, required, with another authority", url: "postgres://postgres@" + byAddress + "/postgres?sslmode=require", options: []option{trusts(newAuthority(t).pem())}, outcome: "down", reason: "tls_untrusted"},
		{name: "TLS, required", url: "postgres://postgres@" + byAddress + "/postgres?sslmode=require", outcome: "up"},
		{name: "TLS, any certificate", url: "postgres://postgres@" + byAddress + "/postgres?sslmode=verify-full", options: []option{insecure}, outcome: "up"},
		{name: "TLS, soon to end", url: "postgres://postgres@" + byAddress + "/postgres", options: []option{expects(func(e *sitemon.Expect) { e.CertificateValidFor = 1000 * day })}, outcome: "degraded", reason: "certificate"},
		{name: "no TLS where it is required", url: "postgres://postgres@" + byAddress + "/postgres?sslmode=disable", outcome: "down", reason: "status", text: "no encryption"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := set.Probe(t.Context(), newSite(t, "tcp://x", append(tt.options, func(s *sitemon.Site) {
				s.Kind, s.URL, s.References = sitemon.KindPostgres, tt.url, true
			})...))
			wantReport(t, r, tt.outcome, tt.reason, tt.text)
			if strings.Contains(tt.name, "TLS, ") && r.Outcome == "up" && (r.CertificateExpiresAt.IsZero() || r.Phases.TLS <= 0) {
				t.Errorf("nothing is known of the certificate: %+v", r)
			}
			for _, secret := range []string{"p@ss", "wrong-secret"} {
				if strings.Contains(r.Error+r.Evidence, secret) {
					t.Errorf("a secret is shown: %s %s", r.Error, r.Evidence)
				}
			}
		})
	}
	s.Kill()
	wantReport(t, set.Probe(t.Context(), newSite(t, "postgres://postgres@"+host)), "down", "connect_refused", "")
}

// What a probe has asked does not go on in the database once it is over.
func TestPostgresCancels(t *testing.T) {
	if os.Getenv("SITEMON_TEST_POSTGRES") == "" {
		testkit.Missing(t, "no Postgres: SITEMON_TEST_POSTGRES names none; `make test` starts one")
	}
	t.Parallel()
	for _, tls := range []bool{false, true} {
		t.Run(map[bool]string{true: "TLS", false: "no TLS"}[tls], func(t *testing.T) {
			s := testkit.StartPostgres(t, testkit.PostgresOptions{TLS: tls})
			conn, err := pgx.Connect(t.Context(), s.DSN)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close(context.Background()) }()
			site := newSite(t, "postgres://postgres@"+at(t, s.DSN)+"/postgres", runs("SELECT pg_sleep(60) /* of a probe */"), within(secureTimeout))
			r := newSet(t, probes.Options{}).Probe(t.Context(), site)
			wantReport(t, r, "down", "processing_timeout", "connected, running the query")
			waitFor(t, "the query to end", func() bool {
				running := 1
				err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%of a probe%' AND state = 'active' AND pid <> pg_backend_pid()").Scan(&running)
				return err == nil && running == 0
			})
		})
	}
}

// A query that ends within its time is good, also where it takes so long that the
// connection is made already by which it would be cancelled.
func TestPostgresSlowQuery(t *testing.T) {
	dsn := testkit.Postgres(t)
	t.Parallel()
	set := newSet(t, probes.Options{})
	site := newSite(t, dsn, runs("SELECT pg_sleep(3.6)"), within(4*time.Second))
	r := set.Probe(t.Context(), site)
	for range 4 { // a busy machine may be too slow
		if r.Outcome != sitemon.OutcomeUp {
			r = set.Probe(t.Context(), site)
		}
	}
	wantReport(t, r, sitemon.OutcomeUp, "", "")
}

// askForPasswords makes users with passwords, and a server that asks for them.
func askForPasswords(t *testing.T, s *testkit.PostgresServer) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, s.DSN)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	var dir string
	if err := conn.QueryRow(ctx, "SHOW data_directory").Scan(&dir); err != nil {
		t.Fatal(err)
	}
	hba := strings.Join([]string{
		"host all postgres 127.0.0.1/32 trust", "host all scram 127.0.0.1/32 scram-sha-256",
		"host all md5 127.0.0.1/32 md5", "host all plain 127.0.0.1/32 password",
	}, "'), ('")
	for _, q := range []string{
		"CREATE ROLE scram LOGIN PASSWORD 'p@ss:/?#word'", "CREATE ROLE plain LOGIN PASSWORD 'p@ss:/?#word'", "CREATE ROLE stranger LOGIN",
		"SET password_encryption = 'md5'", "CREATE ROLE md5 LOGIN PASSWORD 'p@ss:/?#word'",
		"COPY (VALUES ('" + hba + "')) TO '" + dir + "/pg_hba.conf'", "SELECT pg_reload_conf()",
	} {
		if _, err := conn.Exec(ctx, q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	s.Stop()
	s.Start()
}
