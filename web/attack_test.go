package web_test

import (
	"bufio"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"sitemon"
)

// wellFormed fails where a text is no XML.
func wellFormed(t *testing.T, text string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
	}
}

// Badges are images in the pages of others: nothing that came from outside is in them.
func TestBadgesHoldNoText(t *testing.T) {
	for _, name := range []string{"evil", evilText, `"><script>alert(1)</script>`, "=cmd|' /C calc'!A0", "\u202eevil"} {
		store := statusStore()
		site := &store.sites[0]
		site.Name, site.Group, site.Status, site.Error = name, evilText, sitemon.Status(evilText), evilText
		s := newServer(t, store)
		for _, file := range []string{"status.svg", "uptime.svg", "latency.svg"} {
			w := ask(s, "GET", "/badge/"+url.PathEscape(name)+"/"+file)
			wantStatus(t, w, 200)
			text := body(w)
			wellFormed(t, text)
			if w.Header().Get("Content-Type") != "image/svg+xml" || w.Header().Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'self'") {
				t.Errorf("%s of %q has the headers %v", file, name, w.Header())
			}
			for _, bad := range []string{"script", "alert", "evil", "cmd", "\x1b", "\u202e"} {
				if strings.Contains(text, bad) {
					t.Errorf("%s of %q holds %q: %s", file, name, bad, text)
				}
			}
		}
	}
}

func TestCertificatesHaveNoFormulas(t *testing.T) {
	store := manySites(7, nil)
	names := []string{"=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "\t=1", "\u202e=1", evilText}
	for i, name := range names {
		site := &store.sites[i]
		site.Enabled, site.Name, site.Group, site.URL, site.LastReport.Site = true, name, name, name+"https://a.example.org/", name
		site.LastReport.CertificateExpiresAt = testNow.Add(time.Duration(i+1) * time.Hour)
	}
	rows, err := csv.NewReader(ask(newServer(t, store), "GET", "/certificates.csv").Body).ReadAll()
	if err != nil || len(rows) != 1+len(names) {
		t.Fatalf("got %d rows: %v", len(rows), err)
	}
	for i, name := range names {
		want := "'" + name
		if name == evilText {
			want = name
		}
		if got := rows[i+1]; got[0] != want || got[1] != want || strings.ContainsRune("=+-@\t", rune(got[2][0])) {
			t.Errorf("got the row %q of %q", got, name)
		}
	}
}

// Paths that want to lead out of where they are get 400, 404, or are led to the
// path that they come to on this very server.
func TestPathTricks(t *testing.T) {
	s := newServer(t, statusStore())
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	long := strings.Repeat("a", 60_000)
	var paths []string
	for _, at := range []string{"/sites/", "/status/", "/badge/", "/heartbeat/", "/static/x/", "/api/v1/sites/", "/incidents/", "/"} {
		for _, trick := range []string{
			"..%2f..%2fetc%2fpasswd", "..%2f..%2fetc", "..%5c..%5cwindows%5cwin.ini", "%2e%2e/%2e%2e/etc/passwd", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%252f..%252fetc%252fpasswd", "....//....//etc/passwd", "..;/..;/etc/passwd",
			"%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd", "%00", "%00/status.svg", "docs%00.svg", "%ff%fe", "%ff/status.svg", "%0d%0aX-Evil:%201", "%0a", "%2f", "%2f%2f", "%2f%2fevil.example.org%2f", "//", "/evil.example.org/",
			"%", "%zz", "../server.go", "../../go.mod", "..%2fserver.go", "../templates/layout.html", "app.css%2f..%2f..%2fserver.go", "status.css/", "vendor", "vendor/", ".", "%2e", long, long + "/status.svg", strings.Repeat("../", 5000), strings.Repeat("%2e%2e%2f", 5000), strings.Repeat("a/", 20000),
		} {
			paths = append(paths, at+trick)
		}
	}
	paths = append(paths, "//evil.example.org/..", "/\\evil.example.org/..", "//evil.example.org//", "/.//evil.example.org/", "/status/..//evil.example.org", "*", "http://localhost/sites/..%2f..%2fetc")
	for _, path := range paths {
		t.Run(path[:min(len(path), 60)], func(t *testing.T) {
			resp, text := raw(t, server.Listener.Addr().String(), path) //nolint:bodyclose // raw has closed it.
			switch resp.StatusCode {
			case 400, 404:
			case 301, 307, 308:
				to, err := resp.Location()
				where := resp.Header.Get("Location")
				if err != nil || to.Host != "localhost" && to.Host != "" || !strings.HasPrefix(where, "/") || strings.HasPrefix(where, "//") || strings.HasPrefix(where, `/\`) {
					t.Errorf("led to %q", where)
				}
			default:
				t.Errorf("got status %d: %.300s", resp.StatusCode, text)
			}
			for _, bad := range []string{"root:x:", "package web", "module sitemon", "[fonts]", "{{define"} {
				if strings.Contains(text, bad) {
					t.Errorf("the answer holds %q", bad)
				}
			}
			if resp.Header.Get("X-Evil") != "" {
				t.Error("the path has become a header")
			}
		})
	}
	if resp, _ := raw(t, server.Listener.Addr().String(), "/"+strings.Repeat("a", 2<<20)); resp.StatusCode != 431 { //nolint:bodyclose // raw has closed it.
		t.Errorf("a path of 2 MiB: got status %d, want 431", resp.StatusCode)
	}
}

// raw sends a path just as it is.
func raw(t *testing.T, addr, path string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	go func() {
		_, _ = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path)
	}() // ends with conn
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body) // an answer that is cut off has said enough
	return resp, string(text)
}
