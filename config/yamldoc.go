package config

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// parseYAML returns the node of the one document that content holds: nil if that
// is empty. Where it can't be read, fault says why, and at is the position.
func parseYAML(content []byte) (root, at *yaml.Node, fault string) {
	failed := func(offset int, message string) (*yaml.Node, *yaml.Node, string) {
		line, column := position(content, offset)
		return nil, &yaml.Node{Line: line, Column: column}, message
	}
	if offset, message := unreadable(content); message != "" {
		return failed(offset, message)
	}
	dec := yaml.NewDecoder(bytes.NewReader(content))
	var doc, second yaml.Node
	switch err := decode(dec, &doc); {
	case errors.Is(err, io.EOF):
		return nil, nil, ""
	case err != nil:
		return failed(syntaxFault(content, err))
	}
	switch err := decode(dec, &second); {
	case errors.Is(err, io.EOF), err == nil && isNull(&second):
	case err != nil:
		return failed(syntaxFault(content, err))
	default:
		return nil, &second, "a second document begins here; a file can have one, so take out the line ---"
	}
	if isNull(&doc) {
		return nil, nil, ""
	}
	return doc.Content[0], nil, ""
}

// parse reads the nodes of one file. What it can't read it notes, and returns
// nil.
func (w *walker) parse(content []byte) *yaml.Node {
	root, at, fault := parseYAML(content)
	switch {
	case fault != "":
		w.fail(at, "%s", fault)
	case root == nil:
		w.fail(&yaml.Node{Line: 1, Column: 1}, "the file is empty; write a list of sites, or `sites: []` for none")
	}
	return root
}

// decode reads the next document. The parser panics on some input that it can't
// read; that is an error too.
func decode(dec *yaml.Decoder, n *yaml.Node) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("yaml: the text can't be understood")
		}
	}()
	return dec.Decode(n)
}

func isNull(doc *yaml.Node) bool {
	return len(doc.Content) == 0 || doc.Content[0].Kind == yaml.ScalarNode && doc.Content[0].Tag == "!!null" && doc.Content[0].Value == ""
}

// unreadable finds what can't be in any YAML file: bytes that are no UTF-8, and
// control characters.
func unreadable(content []byte) (offset int, message string) {
	if bytes.HasPrefix(content, []byte{0xff, 0xfe}) || bytes.HasPrefix(content, []byte{0xfe, 0xff}) {
		return 0, "the file is in UTF-16; save it as UTF-8"
	}
	for i := 0; i < len(content); {
		c := content[i]
		if c >= ' ' && c < 0x7f || c == '\n' || c == '\t' || c == '\r' {
			i++
			continue
		}
		r, size := utf8.DecodeRune(content[i:])
		switch {
		case r == utf8.RuneError && size <= 1:
			return i, "the file is not UTF-8 from here on; save it as UTF-8"
		case r < ' ' || r >= 0x7f && r < 0xa0 && r != 0x85 || r == 0xfffe || r == 0xffff:
			return i, "a control character that can't be in a file; take it out"
		case r == 0xfeff && i > 0:
			return i, "a byte order mark in the middle of the file; take it out"
		}
		i += size
	}
	return 0, ""
}

// position turns an offset into line and column, both from 1; columns count
// characters.
func position(content []byte, offset int) (line, column int) {
	before := bytes.TrimPrefix(content[:min(offset, len(content))], []byte("\ufeff"))
	line = 1 + bytes.Count(before, []byte("\n"))
	return line, 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
}
