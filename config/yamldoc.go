package config

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// parseYAML reads the nodes of one file. What it can't read it notes, and
// returns nil.
func (w *walker) parseYAML(content []byte) *yaml.Node {
	at := func(offset int, message string) *yaml.Node {
		line, column := position(content, offset)
		w.fail(&yaml.Node{Line: line, Column: column}, "%s", message)
		return nil
	}
	if offset, message := unreadable(content); message != "" {
		return at(offset, message)
	}
	dec := yaml.NewDecoder(bytes.NewReader(content))
	var doc, second yaml.Node
	err := decode(dec, &doc)
	switch {
	case errors.Is(err, io.EOF), err == nil && isNull(&doc):
		return at(0, "the file is empty; write a list of sites, or `sites: []` for none")
	case err != nil:
		return at(syntaxFault(content, err))
	}
	switch err := decode(dec, &second); {
	case errors.Is(err, io.EOF), err == nil && isNull(&second):
	case err != nil:
		return at(syntaxFault(content, err))
	default:
		w.fail(&second, "a second document begins here; a file can have one, so take out the line ---")
		return nil
	}
	return doc.Content[0]
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
