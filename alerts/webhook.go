package alerts

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"text/template"

	"sitemon"
)

// webhookTarget gets each notification as a JSON object, or as what its template
// makes of it.
type webhookTarget struct {
	URL      string            `json:"url"`
	Secret   string            `json:"secret"`
	Template string            `json:"template"`
	Headers  map[string]string `json:"headers"`
	http     httpClient
}

// maxTemplated bounds what a template makes.
const maxTemplated = 1 << 20

func (w *webhookTarget) check() error {
	if err := checkURL(w.URL); err != nil {
		return err
	}
	_, err := w.parse()
	return err
}

// parse compiles the template; nil if there is none. Its data is the notification
// in the form of the message, so {{.summary}} or {{range .sites}}{{.name}}{{end}};
// {{json .}} writes a value as JSON.
func (w *webhookTarget) parse() (*template.Template, error) {
	if w.Template == "" {
		return nil, nil
	}
	t, err := template.New("template").Option("missingkey=zero").Funcs(template.FuncMap{"json": func(v any) (string, error) {
		b, err := json.Marshal(v)
		return string(b), err
	}}).Parse(w.Template)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", sitemon.ErrInvalid, err)
	}
	return t, nil
}

func (w *webhookTarget) send(ctx context.Context, n sitemon.Notification) error {
	if err := w.check(); err != nil {
		return err
	}
	body, err := w.body(n)
	if err != nil {
		return err
	}
	header := http.Header{"Idempotency-Key": {n.ID}}
	if w.Secret != "" {
		header.Set("X-SiteMon-Signature", Sign(w.Secret, body))
	}
	for name, value := range w.Headers {
		header.Set(name, value)
	}
	return w.http.post(ctx, w.URL, header, body)
}

func (w *webhookTarget) body(n sitemon.Notification) ([]byte, error) {
	body, err := n.Payload()
	if err != nil {
		return nil, err
	}
	t, err := w.parse()
	if t == nil || err != nil {
		return body, err
	}
	var data map[string]any
	if err := json.Unmarshal(body, &data); err != nil {
		return nil, err
	}
	out := bounded{left: maxTemplated}
	if err := t.Execute(&out, data); err != nil {
		return nil, fmt.Errorf("fill in the template: %w", err)
	}
	return out.Bytes(), nil
}

// Sign returns the value of the header X-SiteMon-Signature: "sha256=" and the
// HMAC-SHA256 (RFC 2104) of the body in hexadecimal.
func Sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// bounded is a buffer that takes so much and no more.
type bounded struct {
	bytes.Buffer
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, fmt.Errorf("it makes more than %d bytes", maxTemplated)
	}
	return b.Buffer.Write(p)
}
