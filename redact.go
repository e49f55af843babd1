package sitemon

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// RedactURL returns a site's URL as everybody may see it: a password or a token
// before the host, and the values of query parameters that are likely
// credentials, are replaced by [Redacted]. A ${…} reference that stands
// for all of such a text says nothing and stays, without its default.
func RedactURL(raw string) string {
	masked := maskReferences(raw)
	rest := 0
	if i := strings.Index(masked, "://"); i >= 0 {
		rest = i + len("://")
	}
	end := len(masked)
	if i := strings.IndexAny(masked[rest:], "/?#"); i >= 0 {
		end = rest + i
	}
	var b strings.Builder
	b.WriteString(raw[:rest])
	host := rest
	if at := strings.LastIndexByte(masked[rest:end], '@'); at >= 0 {
		host = rest + at
		b.WriteString(redactUserinfo(raw[rest:host], masked[rest:host]))
	}
	b.WriteString(raw[host:end])
	query := strings.IndexByte(masked[end:], '?')
	if query < 0 {
		b.WriteString(raw[end:])
		return b.String()
	}
	query += end + 1
	b.WriteString(raw[end:query])
	b.WriteString(redactQuery(raw[query:], masked[query:]))
	return b.String()
}

// maskReferences returns raw with the bytes of its ${…} references replaced, so
// that what is inside them separates nothing.
func maskReferences(raw string) string {
	masked := []byte(raw)
	for i := 0; i < len(raw); {
		switch {
		case strings.HasPrefix(raw[i:], "$${"):
			i += len("$${")
		case strings.HasPrefix(raw[i:], "${"):
			end := strings.IndexByte(raw[i:], '}')
			if end < 0 {
				return string(masked)
			}
			for j := i; j <= i+end; j++ {
				masked[j] = '_'
			}
			i += end + 1
		default:
			i++
		}
	}
	return string(masked)
}

// redactUserinfo hides the password, or where there is none the whole text: it
// may be a token.
func redactUserinfo(raw, masked string) string {
	if i := strings.IndexByte(masked, ':'); i >= 0 {
		return raw[:i+1] + redactValue(raw[i+1:])
	}
	return redactValue(raw)
}

// redactQuery hides the values of parameters whose names are those of credentials. A
// fragment behind the query belongs to its last value.
func redactQuery(raw, masked string) string {
	var b strings.Builder
	for start := 0; start <= len(raw); {
		end := len(raw)
		if i := strings.IndexAny(masked[start:], "&;"); i >= 0 {
			end = start + i
		}
		part := raw[start:end]
		if i := strings.IndexByte(masked[start:end], '='); i >= 0 && credentialParameter(part[:i]) {
			part = part[:i+1] + redactValue(part[i+1:])
		}
		b.WriteString(part)
		if end < len(raw) {
			b.WriteByte(raw[end])
		}
		start = end + 1
	}
	return b.String()
}

// RedactCredential returns a credential as everybody may see it: [Redacted], unless
// it is one ${…} reference, which is shown without the default that it may have.
func RedactCredential(v string) string { return redactValue(v) }

// redactValue hides a credential, unless it is one reference: that is shown, but
// not the default that it may have.
func redactValue(v string) string {
	if v == "" {
		return ""
	}
	if !strings.HasPrefix(v, "${") || strings.IndexByte(v, '}') != len(v)-1 {
		return Redacted
	}
	if name, fallback, ok := strings.Cut(v[2:len(v)-1], ":-"); ok && fallback != "" {
		return "${" + name + ":-" + Redacted + "}"
	}
	return v
}

// credentialParameter reports whether a query parameter of this name, which may be
// percent-encoded, likely holds a credential.
func credentialParameter(name string) bool {
	if decoded, err := url.QueryUnescape(name); err == nil {
		name = decoded
	}
	return CredentialName(name)
}

// CredentialName reports whether the value of a header or a query parameter of
// this name is, or may well be, a credential.
func CredentialName(name string) bool {
	plain := strings.Map(func(r rune) rune {
		if strings.ContainsRune("-_.[]", r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
	if slices.Contains([]string{"key", "sig", "pass", "pwd", "pw", "jwt", "sid", "code", "hmac"}, plain) {
		return true
	}
	// An author is none, an authorization is.
	if auth := strings.ReplaceAll(plain, "authorization", "auth"); strings.Contains(strings.ReplaceAll(auth, "author", ""), "auth") {
		return true
	}
	return slices.ContainsFunc([]string{
		"token", "secret", "passw", "passphrase", "apikey", "appkey", "accesskey", "privatekey", "signature", "credential",
		"session", "cookie",
	}, func(part string) bool { return strings.Contains(plain, part) })
}
