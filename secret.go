package sitemon

import (
	"fmt"
	"log/slog"
)

// Redacted is what is shown in place of a secret.
const Redacted = "<redacted>"

// Secret is a text that must not be seen: a password, a token, a private key.
// It prints, logs and marshals as [Redacted]; [Secret.Reveal] is the one way to
// its value, so every use can be found by that name.
type Secret string

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String returns [Redacted], or "" for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return Redacted
}

// GoString keeps %#v from showing the value.
func (s Secret) GoString() string { return `sitemon.Secret("` + s.String() + `")` }

// Format implements [fmt.Formatter], so that a wrong verb does not show the value
// either. Package fmt cannot ask an unexported field for it: keep secrets in
// exported ones.
func (s Secret) Format(f fmt.State, verb rune) {
	if verb == 'v' && f.Flag('#') {
		fmt.Fprint(f, s.GoString())
		return
	}
	fmt.Fprintf(f, fmt.FormatString(f, verb), s.String())
}

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements [encoding.TextMarshaler], also for JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
