package probes_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"sitemon"
	"sitemon/probes"
)

// TestHTTPVersions speaks each version with servers that know it, and with those that
// do not.
func TestHTTPVersions(t *testing.T) {
	ca := newAuthority(t)
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) })
	open := httptest.NewUnstartedServer(echo)
	open.Config.Protocols = new(http.Protocols)
	open.Config.Protocols.SetHTTP1(true)
	open.Config.Protocols.SetUnencryptedHTTP2(true)
	open.Start()
	defer open.Close()
	secure := httptest.NewUnstartedServer(echo)
	secure.EnableHTTP2, secure.TLS = true, serverTLS(ca.server(t, nil))
	secure.StartTLS()
	defer secure.Close()
	old := httptest.NewServer(echo)
	defer old.Close()
	silentServer := listen(t, silent)
	h2c := func(s *sitemon.Site) { s.Request.EnableH2C = true }
	no2 := func(s *sitemon.Site) { s.Request.EnableHTTP2 = false }
	tests := []struct {
		name, target string
		change       option
		versions     []string
		want         sitemon.Reason
		text         string
	}{
		{"HTTP/2 without TLS", open.URL, h2c, []string{"HTTP/2.0"}, "", ""},
		{"without asking for it", open.URL, nil, []string{"HTTP/1.1"}, "", ""},
		{"a server without it", old.URL, h2c, nil, sitemon.ReasonProtocol, "HTTP/2"},
		{"a silent one", "http://" + silentServer, h2c, nil, sitemon.ReasonProcessingTimeout, "waiting for the first byte"},
		{"HTTP/2", secure.URL, nil, []string{"HTTP/2.0", "HTTP/3.0"}, "", ""},
		{"HTTP/2 that is off", secure.URL, no2, []string{"HTTP/1.1"}, "", ""},
		{"HTTP/2 that is expected", secure.URL, no2, []string{"HTTP/2.0"}, sitemon.ReasonProtocol, "HTTP/1.1, expected HTTP/2.0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			site := newSite(t, tt.target)
			if tt.change != nil {
				tt.change(site)
			}
			site.Timeout = ampleTimeout
			if tt.want == sitemon.ReasonProcessingTimeout {
				site.Timeout = hostileTimeout
			}
			site.Expect.HTTPVersions = tt.versions
			wantHostile(t, probe(t, probes.Options{Roots: ca.pool()}, site), tt.want, tt.text)
		})
	}
}
