package config

import (
	"cmp"
	"strings"

	"go.yaml.in/yaml/v3"

	"sitemon"
)

// reference reads a text in which references may stand, and checks them.
func (w *walker) reference(name string, n *yaml.Node) (string, bool) {
	s, ok := w.scalar(name, n)
	if !ok || !strings.Contains(s, "${") {
		return s, ok
	}
	if w.sending {
		return s, w.channelReference(name, n, s)
	}
	w.refers = true
	fault, seen := w.checked[s]
	if !seen {
		fault = w.referenceFault(s)
		w.checked[s] = fault
	}
	if fault != "" {
		w.fail(n, "%s: %s", name, fault)
	}
	return s, fault == ""
}

// channelReference checks a text of a channel. Only the writer expands it, so a
// variable that is missing here is no fault of the file.
func (w *walker) channelReference(name string, n *yaml.Node, s string) bool {
	form := eachReference(s, func(string) {}, reference.reserved)
	if form != nil {
		w.fail(n, "%s: %v", name, form)
		return false
	}
	if w.expander != nil && w.opts.CheckChannels {
		if fault := w.referenceFault(s); fault != "" {
			w.warn(n, "%s: %s; %s", name, fault, cmp.Or(w.without, "a writer without it can't use the channel"))
		}
	}
	return true
}

func (w *walker) referenceFault(s string) string {
	err := eachReference(s, func(string) {}, func(r reference) error {
		if w.expander == nil {
			return r.reserved()
		}
		_, err := w.expander.value(r)
		return err
	})
	if err != nil {
		return err.Error()
	}
	return ""
}

// expanded returns a checked text with its references replaced, if they can be
// here.
func (w *walker) expanded(s string) (string, bool) {
	if !strings.Contains(s, "${") {
		return s, true
	}
	if w.expander == nil || w.sending {
		return "", false
	}
	text, _, err := w.expander.Expand(s)
	return text, err == nil
}

// referenceLine reads a text with references that goes into one line of a
// request: a header's value, a user name.
func (w *walker) referenceLine(name string, n *yaml.Node) string {
	s, ok := w.reference(name, n)
	if !ok {
		return ""
	}
	if strings.ContainsFunc(s, breaksLine) {
		w.fail(n, "%s has a line break or control character in it; it has to be one line (a block text with | ends in one, >- or quotes do not)", name)
		return ""
	}
	if text, known := w.expanded(s); known && strings.ContainsFunc(text, breaksLine) {
		w.fail(n, "%s has a line break or control character in it once its references are replaced", name)
	}
	return s
}

// breaksLine reports whether a character can't be in the header of a request.
func breaksLine(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// credential reads a secret, and warns if it is written out.
func (w *walker) credential(name string, n *yaml.Node) string {
	s := w.referenceLine(name, n)
	w.literalCredential(name, n, s)
	return s
}

// literalCredential warns if a secret is written out, also as the default of a
// reference.
func (w *walker) literalCredential(name string, n *yaml.Node, s string) {
	written := s != "" && !strings.Contains(s, "${")
	_ = eachReference(s, func(string) {}, func(r reference) error { // its form was judged before
		written = written || r.fallback != ""
		return nil
	})
	if written {
		w.writtenOut(name, n)
	}
}

// credentialIn warns if an address has a secret that is written out.
func (w *walker) credentialIn(name string, n *yaml.Node, address string) {
	if strings.ContainsAny(address, "@?") && sitemon.RedactURL(address) != address {
		w.writtenOut("a credential in "+name, n)
	}
}

func (w *walker) writtenOut(name string, n *yaml.Node) {
	w.warn(n, "%s is written out in the file; ${NAME} or ${file:PATH} keeps it elsewhere", name)
}

// path reads the name of a file and checks that the file can be read.
func (w *walker) path(name string, n *yaml.Node) string {
	path := w.referenceLine(name, n)
	if isBlank(n) {
		w.fail(n, "%s is empty; write the path of a file", name)
	}
	file, known := w.expanded(path)
	if path == "" || !known || w.expander == nil {
		return path
	}
	if _, err := w.expander.content(file); err != nil {
		w.fail(n, "%s: %v", name, err)
	}
	return path
}
