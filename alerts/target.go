package alerts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"sitemon"
)

// target is where a channel's notifications go.
type target interface {
	send(ctx context.Context, n sitemon.Notification) error
	// check says what is wrong with the target itself.
	check() error
}

// definition is a channel's target as a document has it.
type definition struct {
	URL          string            `json:"url"`
	Webhook      *webhookTarget    `json:"webhook"`
	Alertmanager *alertmanagerBase `json:"alertmanager"`
}

// target reads and expands a channel's target. It also returns what must not be
// shown of it.
func (s *Sender) target(raw json.RawMessage) (t target, secrets []string, err error) {
	var d definition
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, nil, fmt.Errorf("read the channel's definition: %w", err)
	}
	expand := func(text *string) {
		value, values, expandErr := s.Expander.Expand(*text)
		if expandErr != nil && err == nil {
			err = fmt.Errorf("the channel is out of service: %w", expandErr)
		}
		*text = value
		secrets = append(secrets, values...)
	}
	switch {
	case d.Webhook != nil:
		w := d.Webhook
		for _, text := range []*string{&w.URL, &w.Secret, &w.Template} {
			expand(text)
		}
		for name, value := range w.Headers {
			expand(&value)
			w.Headers[name] = value
			secrets = append(secrets, value)
		}
		w.http = s.http
		return w, append(secrets, append(urlSecrets(w.URL), w.Secret)...), err
	case d.Alertmanager != nil:
		expand(&d.Alertmanager.URL)
		d.Alertmanager.http = s.http
		return d.Alertmanager, append(secrets, urlSecrets(d.Alertmanager.URL)...), err
	case d.URL != "":
		expand(&d.URL)
		return service{d.URL}, append(secrets, serviceSecrets(d.URL)...), err
	}
	return nil, nil, fmt.Errorf("the channel's definition names no url, webhook or alertmanager")
}

// minSecret is the length of the shortest text that is taken out of errors.
const minSecret = 4

// urlSecrets are the parts of a web address that may be credentials.
func urlSecrets(raw string) (secrets []string) {
	u, err := url.Parse(raw)
	if err != nil {
		return []string{raw}
	}
	if password, ok := u.User.Password(); ok {
		secrets = append(secrets, password)
	}
	for _, values := range u.Query() {
		secrets = append(secrets, values...)
	}
	return secrets
}

// serviceSecrets are the parts of a service's address that may be credentials: all
// but its scheme and what is a host name by its dot, as tokens stand anywhere in it.
func serviceSecrets(raw string) []string {
	_, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return []string{raw}
	}
	host := ""
	if u, err := url.Parse(raw); err == nil && strings.Contains(u.Hostname(), ".") {
		host = u.Hostname()
	}
	secrets := append(urlSecrets(raw), rest)
	for _, part := range strings.FieldsFunc(rest, func(r rune) bool { return strings.ContainsRune("/:@?&=", r) }) {
		if part != host {
			secrets = append(secrets, part)
		}
	}
	return secrets
}

// addressRest is what follows the host in an address that an error quotes.
var addressRest = regexp.MustCompile(`(https?://[^/\s"?#@]*)[/?#@][^\s"]*`)

// redact returns an error without the secrets in it.
func redact(err error, secrets []string) error {
	if err == nil {
		return nil
	}
	before := err.Error()
	text := addressRest.ReplaceAllString(before, "$1/"+sitemon.Redacted)
	for _, s := range secrets {
		if len(s) < minSecret {
			continue
		}
		for _, form := range []string{s, url.PathEscape(s), url.QueryEscape(s)} {
			text = strings.ReplaceAll(text, form, sitemon.Redacted)
		}
	}
	if text == before {
		return err
	}
	return redactedError{text, errors.Is(err, sitemon.ErrInvalid)}
}

// redactedError is an error without its secrets. The original is not unwrapped, as
// its text has them.
type redactedError struct {
	text    string
	invalid bool
}

func (e redactedError) Error() string        { return e.text }
func (e redactedError) Is(target error) bool { return e.invalid && target == sitemon.ErrInvalid }
