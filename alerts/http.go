package alerts

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sitemon"
)

// httpClient sends requests that carry notifications. It goes through the proxy
// that the environment names and follows no redirects, which would drop the body.
type httpClient struct {
	client    *http.Client
	userAgent string
}

func newHTTPClient(userAgent string) httpClient {
	return httpClient{userAgent: userAgent, client: &http.Client{
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			ForceAttemptHTTP2:   true,
			TLSHandshakeTimeout: 10 * time.Second,
			MaxIdleConns:        20, IdleConnTimeout: 30 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// post sends a body and expects an answer from 200 to 299.
func (c httpClient) post(ctx context.Context, to string, header http.Header, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", c.userAgent)
	maps.Copy(req.Header, header)
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the answer was %s: %s", resp.Status, strings.ToValidUTF8(strings.Join(strings.Fields(string(text)), " "), "?"))
	}
	return nil
}

// checkURL says what is wrong with the address of a webhook.
func checkURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return fmt.Errorf("%w: the address can't be read", sitemon.ErrInvalid)
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return fmt.Errorf("%w: the address must be http://… or https://…", sitemon.ErrInvalid)
	}
	return nil
}
