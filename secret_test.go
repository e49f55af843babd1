package sitemon_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"sitemon"
)

const hunter = "hunter2"

func TestSecretIsNeverShown(t *testing.T) {
	secret := sitemon.Secret(hunter)
	auth := sitemon.BasicAuth{Username: "ops", Password: secret}
	values := map[string]any{
		"itself":       secret,
		"pointer":      &secret,
		"in a struct":  auth,
		"in a pointer": &auth,
		"in a slice":   []sitemon.Header{{Name: "X-Token", Value: secret}},
		"in a map":     map[string]sitemon.Secret{"token": secret},
	}
	for name, v := range values {
		t.Run(name, func(t *testing.T) {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%20s", "%-20q", "%.3s"} {
				if got := fmt.Sprintf(verb, v); shows(got) {
					t.Errorf("%s printed %s", verb, got)
				}
			}
			b, err := json.Marshal(v)
			if err != nil || shows(string(b)) {
				t.Errorf("json: %s, %v", b, err)
			}
			var log bytes.Buffer
			slog.New(slog.NewTextHandler(&log, nil)).Info("text", "value", v)
			slog.New(slog.NewJSONHandler(&log, nil)).Info("json", "value", v)
			if shows(log.String()) {
				t.Errorf("slog: %s", log.String())
			}
			if err := fmt.Errorf("sign in with %v: %w", v, sitemon.ErrInvalid); shows(err.Error()) {
				t.Errorf("error: %v", err)
			}
		})
	}
}

// shows reports whether a text has the secret, or its beginning, in letters or in
// hexadecimal.
func shows(s string) bool {
	s = strings.ToLower(s)
	return strings.Contains(s, hunter[:3]) || strings.Contains(s, fmt.Sprintf("%x", hunter[:3]))
}

func TestSecretForms(t *testing.T) {
	for _, tt := range []struct {
		secret     sitemon.Secret
		verb, want string
	}{
		{hunter, "%v", "<redacted>"},
		{hunter, "%q", `"<redacted>"`},
		{hunter, "%#v", `sitemon.Secret("<redacted>")`},
		{hunter, "%12s|", "  <redacted>|"},
		{"", "%v", ""},
		{"", "%#v", `sitemon.Secret("")`},
	} {
		if got := fmt.Sprintf(tt.verb, tt.secret); got != tt.want {
			t.Errorf("%s of %d bytes: %s, want %s", tt.verb, len(tt.secret), got, tt.want)
		}
	}
	if got := sitemon.Secret(hunter).Reveal(); got != hunter {
		t.Errorf("revealed %q", got)
	}
}
