package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"sitemon"
)

const (
	// rereadAfter is how long the content of a ${file:…} is used before it is
	// read again.
	rereadAfter = 10 * time.Second
	// maxReferencedFile bounds the size of a ${file:…}.
	maxReferencedFile = 1 << 20
	// minSecret is the length in bytes from which an inserted value is named as a
	// secret. Taking anything shorter out of a text would make the text unreadable,
	// and would show the value by what is missing.
	minSecret = 3
)

// reservedPrefixes begin the names that no document of sites can see: SiteMon's
// own settings, with their credentials.
var reservedPrefixes = []string{"SITEMON_", "KAFKA_", "POSTGRES_"}

// Expander replaces the references in the texts of a site: ${NAME} and
// ${NAME:-default} by environment variables, ${file:PATH} by the content of
// files without the line break at its end; $${ becomes ${. As in a shell the
// default also stands for an empty variable. It is safe for concurrent use.
type Expander struct {
	lookup   func(name string) (string, bool)
	readFile func(path string) ([]byte, error)
	now      func() time.Time
	own      bool // the program's own variables can be used too

	mu    sync.Mutex // guards files
	files map[string]fileContent
}

type fileContent struct {
	text   string
	err    error
	readAt time.Time
}

// NewExpander returns an Expander that finds variables by lookup and files by
// readFile; nil stands for [os.LookupEnv], [os.ReadFile] and [time.Now]. A file
// is read again when 10 s have passed since, so that secrets can be rotated.
func NewExpander(lookup func(name string) (string, bool), readFile func(path string) ([]byte, error), now func() time.Time) *Expander {
	if lookup == nil {
		lookup = os.LookupEnv
	}
	if readFile == nil {
		readFile = os.ReadFile
	}
	if now == nil {
		now = time.Now
	}
	return &Expander{lookup: lookup, readFile: readFile, now: now, files: map[string]fileContent{}}
}

// Expand returns text with its references replaced, and the values that were put
// in, so that they can be redacted from what is shown; values of one or two bytes
// are not among them. Values are not expanded again. The error names the reference that can't be
// replaced, never a value, and wraps [sitemon.ErrInvalid].
func (e *Expander) Expand(text string) (expanded string, secrets []string, err error) {
	expanded, secrets, err = e.expand(text)
	if err != nil {
		return "", nil, invalidError{err}
	}
	return expanded, secrets, nil
}

// invalidError is a [sitemon.ErrInvalid] that says nothing more than its error.
type invalidError struct{ error }

// Is reports whether target is [sitemon.ErrInvalid].
func (invalidError) Is(target error) bool { return target == sitemon.ErrInvalid }

// Unwrap returns the error itself.
func (e invalidError) Unwrap() error { return e.error }

// expand is Expand with the error as it is.
func (e *Expander) expand(text string) (expanded string, secrets []string, err error) {
	if !strings.Contains(text, "${") {
		return text, nil, nil
	}
	var b strings.Builder
	err = eachReference(text, func(literal string) { b.WriteString(literal) }, func(r reference) error {
		value, err := e.value(r)
		b.WriteString(value)
		if len(value) >= minSecret {
			secrets = append(secrets, value)
		}
		return err
	})
	return b.String(), secrets, err
}

func (e *Expander) value(r reference) (string, error) {
	if err := r.reserved(); err != nil && !e.own {
		return "", err
	}
	if r.file != "" {
		return e.content(r.file)
	}
	value, ok := e.lookup(r.name)
	switch {
	case r.hasFallback && value == "":
		return r.fallback, nil
	case !ok:
		return "", fmt.Errorf("the variable %s is not set; set it, or write a default: ${%s:-default}", r.name, r.name)
	}
	return value, nil
}

// content returns the text of a file, from memory if it was read a moment ago. A
// file that is slow to read holds up nobody who needs another.
func (e *Expander) content(path string) (string, error) {
	now := e.now()
	e.mu.Lock()
	c, ok := e.files[path]
	e.mu.Unlock()
	if !ok || now.Sub(c.readAt) >= rereadAfter || now.Before(c.readAt) {
		c = e.read(path)
		c.readAt = now
		e.mu.Lock()
		e.files[path] = c
		e.mu.Unlock()
	}
	return c.text, c.err
}

func (e *Expander) read(path string) fileContent {
	b, err := e.readFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("the file %s does not exist", quote(path))
	case err != nil:
		err = fmt.Errorf("read the file %s: %w", quote(path), err)
	case len(b) > maxReferencedFile:
		b, err = nil, fmt.Errorf("the file %s is longer than 1 MiB", quote(path))
	}
	return fileContent{text: strings.TrimRight(string(b), "\r\n"), err: err}
}

// reference is one ${…}.
type reference struct {
	name        string
	fallback    string
	hasFallback bool
	file        string // for ${file:PATH}
}

// reserved is an error if the reference is to a variable that is the program's own.
func (r reference) reserved() error {
	if slices.ContainsFunc(reservedPrefixes, func(p string) bool { return strings.HasPrefix(r.name, p) }) {
		return fmt.Errorf("${%s}: variables that begin with SITEMON_, KAFKA_ or POSTGRES_ are the program's own and are not put into sites", r.name)
	}
	return nil
}

// eachReference takes a text apart. Its errors are about the form of references.
func eachReference(text string, literal func(string), refer func(reference) error) error {
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			literal(text)
			return nil
		}
		if i > 0 && text[i-1] == '$' { // $${
			literal(text[:i-1] + "${")
			text = text[i+2:]
			continue
		}
		literal(text[:i])
		inner, rest, closed := strings.Cut(text[i+2:], "}")
		if !closed {
			return errors.New("a ${ is never closed; close it with }, or write $${ for the characters ${")
		}
		r, err := parseReference(inner)
		if err != nil {
			return err
		}
		if err := refer(r); err != nil {
			return err
		}
		text = rest
	}
}

func parseReference(inner string) (reference, error) {
	shown := quote("${" + inner + "}")
	if path, ok := strings.CutPrefix(inner, "file:"); ok {
		if path = strings.TrimSpace(path); path == "" || strings.Contains(path, "${") {
			return reference{}, fmt.Errorf("%s names no file; write ${file:PATH}", shown)
		}
		return reference{file: path}, nil
	}
	name, fallback, has := strings.Cut(inner, ":-")
	switch {
	case strings.Contains(fallback, "${"):
		return reference{}, errors.New("a reference can't hold another one: " + shown)
	case !isVariableName(name):
		return reference{}, fmt.Errorf("%s is no reference; write ${NAME}, ${NAME:-default} or ${file:PATH}, or $${ for the characters ${", shown)
	}
	return reference{name: name, fallback: fallback, hasFallback: has}, nil
}

func isVariableName(s string) bool {
	for i, r := range s {
		switch {
		case r == '_', r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z', i > 0 && r >= '0' && r <= '9':
		default:
			return false
		}
	}
	return s != ""
}

// looksReferring reports whether a text that is not expanded holds what was most
// likely meant as a reference.
func looksReferring(s string) bool {
	_, after, ok := strings.Cut(s, "${")
	if !ok {
		return false
	}
	inner, _, closed := strings.Cut(after, "}")
	_, err := parseReference(inner)
	return closed && err == nil
}
