package probes_test

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"sitemon"
	"sitemon/config"
	"sitemon/probes"
)

// documented reads the sites of a part of docs/kinds.md, with the addresses in it
// replaced by those of the test.
func documented(t *testing.T, heading string, addresses map[string]string) []sitemon.Site {
	t.Helper()
	text, err := os.ReadFile("../docs/kinds.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, found := strings.Cut(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n## "+heading+"\n\n```yaml\n")
	if !found {
		t.Fatalf("docs/kinds.md has no example of %s", heading)
	}
	example, _, _ := strings.Cut(part, "```")
	for _, shown := range slices.Sorted(maps.Keys(addresses)) {
		if !strings.Contains(example, shown) {
			t.Errorf("the example of %s has no %s", heading, shown)
		}
		example = strings.ReplaceAll(example, shown, addresses[shown])
	}
	doc, _, err := config.Parse([]config.File{{Name: "kinds.md", Content: []byte(example)}}, config.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return doc.Sites
}

// The examples of the documentation are probed, against servers that are as they say.
func TestDocumentedGRPC(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	cert := ca.server(t, nil)
	secure := listenGRPC(t, nil, grpc.Creds(credentials.NewServerTLSFromCert(&cert)))
	sites := documented(t, "grpc: the health of a service", map[string]string{
		"cart.example.org:50051": listenGRPC(t, nil), "cart.example.org:443": secure, "192.0.2.10:443": secure, "server_name: cart.example.org": "server_name: localhost",
	})
	wantUp(t, sites, 3, ca)
}

func TestDocumentedWebSocket(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	server := listenWS(t, &websocket.AcceptOptions{Subprotocols: []string{"chat.v2"}, OriginPatterns: []string{"www.example.org"}}, func(ctx context.Context, c *websocket.Conn) {
		_ = c.Write(ctx, websocket.MessageText, []byte(`{"type":"welcome"}`))
		for {
			_, text, err := c.Read(ctx)
			if err != nil {
				return
			}
			_ = c.Write(ctx, websocket.MessageText, []byte(strings.Replace(string(text), "ping", "pong", 1)))
		}
	})
	server.TLS = serverTLS(ca.server(t, nil))
	server.StartTLS()
	wantUp(t, documented(t, "ws: a WebSocket", map[string]string{"chat.example.org": server.Listener.Addr().String()}), 3, ca)
}

// wantUp probes sites that have to be up, and how many they are.
func wantUp(t *testing.T, sites []sitemon.Site, count int, ca *authority) {
	t.Helper()
	if len(sites) != count {
		t.Errorf("%d sites, want %d", len(sites), count)
	}
	set := newSet(t, probes.Options{Roots: ca.pool(), Expander: fakeExpander{"CART_TOKEN:-": "none", "CHAT_TOKEN:-none": "none"}})
	for i := range sites {
		if r := set.Probe(t.Context(), &sites[i]); r.Outcome != sitemon.OutcomeUp {
			t.Errorf("%s: %s/%s %s", sites[i].Name, r.Outcome, r.Reason, r.Error)
		}
	}
}
