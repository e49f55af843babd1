package probes

import (
	"net/url"
	"strings"

	"sitemon"
)

const (
	// endOfHost and endOfValue are what ends a host, and a parameter of a query, in
	// a text with URLs in it.
	endOfHost  = "/?#\\ \t\r\n\"'<>()"
	endOfValue = "&;# \t\r\n\"'<>()"
	// maxParameter is how long the name of a parameter may be.
	maxParameter = 100
)

// redactLinks takes the credentials out of the URLs in a text: what stands before
// their hosts, and the values of parameters with the names of credentials.
func redactLinks(text string) string {
	var b strings.Builder
	from := 0 // what is before it has been written
	replace := func(start, end int) {
		b.WriteString(text[from:start])
		b.WriteString(sitemon.Redacted)
		from = end
	}
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '/' && strings.HasPrefix(text[i:], "//"):
			start := i + len("//")
			end := before(text, start, endOfHost)
			if at := strings.LastIndexByte(text[start:end], '@'); at >= 0 {
				if user := strings.IndexByte(text[start:start+at], ':'); user >= 0 {
					start += user + 1 // the name alone says little
					at -= user + 1
				}
				if at > 0 {
					replace(start, start+at)
				}
			}
			i = max(i, from-1)
		case text[i] == '=' && i >= from && credentialParameter(text[from:i]):
			if end := before(text, i+1, endOfValue); end > i+1 {
				replace(i+1, end)
				i = end - 1
			}
		}
	}
	if from == 0 {
		return text
	}
	b.WriteString(text[from:])
	return b.String()
}

// before is where the first of some characters comes after start, or the end.
func before(text string, start int, chars string) int {
	if i := strings.IndexAny(text[start:], chars); i >= 0 {
		return start + i
	}
	return len(text)
}

// credentialParameter reports whether a text that an equals sign follows ends in
// the name of a parameter that holds a credential.
func credentialParameter(text string) bool {
	text = text[max(0, len(text)-maxParameter-1):]
	start := strings.LastIndexAny(text, endOfValue+"?=")
	if start < 0 || !strings.ContainsRune("?&;#", rune(text[start])) {
		return false
	}
	name := text[start+1:]
	if decoded, err := url.QueryUnescape(name); err == nil {
		name = decoded
	}
	return name != "" && sitemon.CredentialName(name)
}
