package probes

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"sitemon"
)

// expand replaces the ${…} references of a site's text, and remembers what was
// put in as secret.
func (a *attempt) expand(text string) (string, error) {
	if !a.site.References || text == "" {
		return text, nil
	}
	if a.set.expander == nil {
		return "", failf(sitemon.ReasonInternal, nil, "the site holds ${…} references, which are not expanded here")
	}
	expanded, secrets, err := a.set.expander.Expand(text)
	a.secrets = append(a.secrets, secrets...)
	if err != nil {
		return "", failf(sitemon.ReasonInternal, err, "%s", err.Error())
	}
	return expanded, nil
}

// hide marks a text as secret: it is redacted wherever it shows up.
func (a *attempt) hide(text string) string {
	if text != "" {
		a.secrets = append(a.secrets, text)
	}
	return text
}

// textOrFile returns a text given in place, or in a file.
func (a *attempt) textOrFile(what, text, path string) (string, error) {
	if path == "" {
		return a.expand(text)
	}
	path, err := a.expand(path)
	if err != nil {
		return "", err
	}
	content, err := a.set.files.read(path)
	if err != nil {
		return "", failf(sitemon.ReasonInternal, err, "%s_file: %v", what, err)
	}
	return content, nil
}

// secretOrFile is textOrFile for what must not be seen.
func (a *attempt) secretOrFile(what string, text sitemon.Secret, path string) (string, error) {
	s, err := a.textOrFile(what, text.Reveal(), path)
	return a.hide(s), err
}

// asciiHost is a host as the DNS and the Host header want it.
func asciiHost(host string) (string, error) {
	if isASCII(host) {
		return host, nil
	}
	ascii, err := idna.Lookup.ToASCII(host)
	if err == nil {
		return ascii, nil
	}
	labels := strings.Split(host, ".") // those in ASCII may be no names of hosts: _dmarc
	for i, label := range labels {
		if isASCII(label) {
			continue
		}
		if labels[i], err = idna.Lookup.ToASCII(label); err != nil {
			return "", failf(sitemon.ReasonInternal, err, "the host %q is no valid name: %v", host, err)
		}
	}
	return strings.Join(labels, "."), nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
