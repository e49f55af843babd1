package probes

import (
	"cmp"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"sitemon"
)

const (
	// maxSeen is how many characters of what was seen are shown.
	maxSeen = 200
	// maxError is how many bytes the error of a report may have.
	maxError = 2000
	// seenWindow is how much of a text is looked at to show its beginning.
	seenWindow = 4096
	// wordLength is below which a secret is only redacted where it stands alone:
	// a secret "1" must not take every 1 out of a text.
	wordLength = 4
	// minQuerySecret is the length in bytes from which a value in a URL's query is
	// taken for a credential because of its name.
	minQuerySecret = 6
)

// errorText makes a text fit to be shown and stored: no secrets, no control
// characters, valid UTF-8, not too long.
func (a *attempt) errorText(text string) string {
	return shorten(visible(a.redact(text)), maxError)
}

// seen is the beginning of what a server sent, quoted.
func (a *attempt) seen(text []byte) string {
	return `"` + shorten(visible(a.beginning(text, a.report.BodyTruncated, maxSeen)), maxSeen) + `"`
}

// beginning is the first limit bytes of what a server sent, without secrets; more
// says that it went on.
func (a *attempt) beginning(text []byte, more bool, limit int) string {
	a.hideExchanged()
	forms, longest := a.forms(), 0
	if len(forms) > 0 {
		longest = len(forms[0])
	}
	window := text[:min(len(text), limit+seenWindow+longest)]
	s := a.redact(string(window))
	if more || len(window) < len(text) {
		s = trimPart(s, forms)
	}
	return shorten(redactLinks(s), limit)
}

// trimPart takes off the beginning of a secret at the end of a text that was cut
// there.
func trimPart(text string, forms []string) string {
	end := len(text)
	for _, form := range forms {
		if len(form) < wordLength {
			break // and so are those that follow
		}
		for n := min(len(form)-1, len(text)); n > len(text)-end; n-- {
			if text[len(text)-1] == form[n-1] && strings.HasSuffix(text, form[:n]) {
				end = len(text) - n
			}
		}
	}
	return text[:end]
}

// redact takes the attempt's secrets out of a text, in the forms in which they
// may come back.
func (a *attempt) redact(text string) string {
	if len(a.secrets) == 0 || text == "" {
		return text
	}
	for _, form := range a.forms() {
		if len(form) >= wordLength {
			text = strings.ReplaceAll(text, form, sitemon.Redacted)
		} else {
			text = replaceWord(text, form)
		}
	}
	return text
}

// forms are the secrets of the attempt in the forms in which they may come back,
// the longest first, so that no part of one is left by another inside it.
func (a *attempt) forms() []string {
	if len(a.secrets) == 0 {
		return nil
	}
	t := a.trail()
	if t.formsOf == len(a.secrets) {
		return t.forms
	}
	slices.Sort(a.secrets)
	a.secrets = slices.Compact(a.secrets)
	t.forms, t.formsOf = nil, len(a.secrets)
	for _, s := range a.secrets {
		inJSON, _ := json.Marshal(s)
		quoted := strings.NewReplacer("\\", "\\\\", `"`, `\"`).Replace(s)
		inHTML := html.EscapeString(s)
		inQuery, inPath := url.QueryEscape(s), url.PathEscape(s)
		t.forms = append(t.forms, s, strings.TrimSpace(s), string(inJSON[1:len(inJSON)-1]), quoted,
			inQuery, inPath, lowerHex(inQuery), lowerHex(inPath),
			inHTML, strings.ReplaceAll(inHTML, "&#34;", "&quot;"), strings.NewReplacer("&#34;", "&quot;", "&#39;", "&#x27;").Replace(inHTML))
	}
	slices.SortFunc(t.forms, func(x, y string) int { return cmp.Or(len(y)-len(x), strings.Compare(x, y)) })
	t.forms = slices.DeleteFunc(slices.Compact(t.forms), func(form string) bool { return form == "" })
	return t.forms
}

// lowerHex writes the hexadecimal digits of percent-encoded text small, as some
// programs do.
func lowerHex(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i:], strings.ToLower(s[i:i+3]))
			i += 2
		}
	}
	return string(b)
}

// replaceWord redacts word where no letter or digit is beside it.
func replaceWord(text, word string) string {
	var b strings.Builder
	from := 0 // what is before it has been written
	for at := 0; ; {
		i := strings.Index(text[at:], word)
		if i < 0 {
			b.WriteString(text[from:])
			return b.String()
		}
		at += i
		end := at + len(word)
		before, _ := utf8.DecodeLastRuneInString(text[:at])
		after, _ := utf8.DecodeRuneInString(text[end:])
		if !alphanumeric(before) && !alphanumeric(after) {
			b.WriteString(text[from:at])
			b.WriteString(sitemon.Redacted)
			from = end
		}
		at = end
	}
}

func alphanumeric(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

// visible writes characters that can't be seen as Go escapes them.
func visible(s string) string { return escape(s, "") }

// escape is visible but for the characters to keep.
func escape(s, keep string) string {
	plain := func(r rune) bool { return r >= ' ' && r < 0x7f }
	if strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && s[i] != '\xef':
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsPrint(r) || strings.ContainsRune(keep, r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// shorten cuts a text to at most n bytes, between characters.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// cleanHost is the URL's host and port as a Host header has it.
func cleanHost(u *url.URL) string {
	host := u.Host
	if i := strings.IndexByte(host, '%'); i >= 0 { // an IPv6 zone is for here only
		if j := strings.IndexByte(host, ']'); j > i {
			host = host[:i] + host[j:]
		}
	}
	for i := range len(host) {
		if host[i] < 0x80 {
			continue
		}
		ascii, err := idna.Lookup.ToASCII(u.Hostname())
		if err != nil {
			return host
		}
		if port := u.Port(); port != "" {
			ascii += ":" + port
		}
		return ascii
	}
	return host
}

// seenURL is seen for an address that a server sent.
func (a *attempt) seenURL(address string) string { return a.seen([]byte(sitemon.RedactURL(address))) }

// hideQuery hides the credentials in the query of a URL, wherever they show up.
// Short ones are left out only of the URL itself: taking them out of every text
// would make it unreadable.
func (a *attempt) hideQuery(u *url.URL) {
	if u.RawQuery == "" {
		return
	}
	for name, values := range u.Query() {
		for _, value := range values {
			if len(value) >= minQuerySecret && sitemon.CredentialName(name) {
				a.hide(value)
			}
		}
	}
}

// cleanURL is a URL without its credentials.
func (a *attempt) cleanURL(u *url.URL) string { return a.redact(sitemon.RedactURL(u.String())) }
