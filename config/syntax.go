package config

import (
	"bytes"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// syntaxFault says where and what the mistake is for which the YAML parser gave
// up. The parser itself names a line at most, often one above; so the text is fed
// to it again byte by byte, to see how far it got.
func syntaxFault(content []byte, err error) (offset int, message string) {
	if i := bytes.Index(append([]byte("\n"), content...), []byte("\n<<<<<<< ")); i >= 0 {
		return i, "a merge conflict begins here; resolve it and take out the lines <<<<<<<, ======= and >>>>>>>"
	}
	line, problem := parserSays(err)
	s := syntax{content: content, problem: problem, line: line}
	s.read = s.consumed(content)
	if f := syntaxFaults[problem]; f != nil {
		return f(&s)
	}
	if name, ok := strings.CutPrefix(problem, "unknown anchor '"); ok {
		name, _, _ = strings.Cut(name, "'")
		at := bytes.LastIndex(content[:min(s.read, len(content))], []byte("*"+name))
		return max(at, 0), "*" + name + " stands for an anchor &" + name + ", and there is none above; a text that begins with * needs quotes"
	}
	return s.failing(), "this is not valid YAML: " + problem
}

// parserSays takes the parser's message apart.
func parserSays(err error) (line int, problem string) {
	problem = strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(problem, "line "); ok {
		number, text, _ := strings.Cut(rest, ": ")
		line, _ = strconv.Atoi(number)
		return line, text
	}
	return 0, problem
}

// syntax is a text that is no YAML.
type syntax struct {
	content []byte
	problem string // the parser's message
	line    int    // the line it named, 0 if none
	read    int    // how many bytes it had read by then
}

// openQuote is the parser's message for a quote without its end.
const openQuote = "found unexpected end of stream"

// syntaxFaults explains the parser's messages.
var syntaxFaults = map[string]func(s *syntax) (int, string){
	"mapping values are not allowed in this context":               (*syntax).strayColon,
	"found character that cannot start any token":                  (*syntax).strayCharacter,
	"found a tab character that violates indentation":              (*syntax).tab,
	"found a tab character where an indentation space is expected": (*syntax).tab,
	"found unknown escape character":                               (*syntax).escape,
	"could not find expected ':'":                                  (*syntax).noColon,
	"did not find expected key":                                    (*syntax).indentation,
	"did not find expected '-' indicator":                          (*syntax).indentation,
	"did not find expected ',' or ']'":                             func(s *syntax) (int, string) { return s.unclosed("[", "]") },
	"did not find expected ',' or '}'":                             func(s *syntax) (int, string) { return s.unclosed("{", "}") },
	"did not find expected node content":                           (*syntax).noContent,
	"did not find expected alphabetic or numeric character":        (*syntax).anchor,
	openQuote: (*syntax).unclosedQuote,
	"block sequence entries are not allowed in this context": func(s *syntax) (int, string) {
		return s.back(4), "a list can't begin on the line of its key; write each `- entry` on a line of its own, or [entry, entry]"
	},
}

// lookAhead is how many characters the parser holds when it judges one.
const lookAhead = 4

// oneByOne gives the parser a byte at a time, and line breaks after the end so
// that it sees the end no earlier than it would see anything else.
type oneByOne struct {
	content []byte
	at      int
}

func (o *oneByOne) Read(p []byte) (int, error) {
	if o.at >= len(o.content)+lookAhead {
		return 0, io.EOF
	}
	p[0] = '\n'
	if o.at < len(o.content) {
		p[0] = o.content[o.at]
	}
	o.at++
	return 1, nil
}

// consumed is how many bytes of content the parser reads before it gives up.
func (s *syntax) consumed(content []byte) int {
	r := &oneByOne{content: content}
	dec := yaml.NewDecoder(r)
	for decode(dec, new(yaml.Node)) == nil {
		continue
	}
	return r.at // may lie beyond the end by up to lookAhead
}

// back is the offset some characters before the end of what was read.
func (s *syntax) back(characters int) int {
	at := s.read
	for ; characters > 0 && at > 0; characters-- {
		if at > len(s.content) {
			at--
			continue
		}
		_, size := utf8.DecodeLastRune(s.content[:at])
		at -= size
	}
	return min(at, len(s.content))
}

// lineAt is the line in which an offset lies, and where it begins.
func (s *syntax) lineAt(offset int) (line string, start int) {
	offset = min(offset, len(s.content))
	start = bytes.LastIndexByte(s.content[:offset], '\n') + 1
	rest, _, _ := bytes.Cut(s.content[start:], []byte("\n"))
	return strings.TrimRight(string(rest), "\r"), start
}

// lineNumber is the line with a number from 1, and where it begins.
func (s *syntax) lineNumber(number int) (line string, start int) {
	for ; number > 1; number-- {
		i := bytes.IndexByte(s.content[start:], '\n')
		if i < 0 {
			break
		}
		start += i + 1
	}
	return s.lineAt(start)
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// failing is where the line begins, after its indentation, that makes the
// parser give up: the text without it has not the same fault.
func (s *syntax) failing() int {
	_, start := s.lineAt(s.read)
	const most = 8 << 20 // bytes to be parsed in search of it
	for spent := 0; start > 0 && spent < most; spent += start {
		if !s.sameFault(s.content[:start]) {
			break
		}
		_, start = s.lineAt(start - 1)
	}
	line, _ := s.lineAt(start)
	return start + indent(line)
}

func (s *syntax) sameFault(content []byte) bool {
	_, problem := parserSays(firstFault(content))
	return problem == s.problem
}

// firstFault is the parser's error for a text; [io.EOF] if it has none.
func firstFault(content []byte) error {
	dec := yaml.NewDecoder(bytes.NewReader(content))
	for {
		if err := decode(dec, new(yaml.Node)); err != nil {
			return err
		}
	}
}

var missingSpace = regexp.MustCompile(`^ *(?:- +)?[A-Za-z_]+:[^ ]`)

func (s *syntax) strayColon() (int, string) {
	at := s.back(lookAhead)
	line, start := s.lineAt(at)
	if before := line[:min(at-start, len(line))]; strings.Contains(before, ": ") {
		return at, "a second `: ` in one line; put the whole text after the first one in quotes"
	}
	above, aboveStart := s.lineAt(max(start-1, 0))
	trimmed := strings.TrimLeft(above, " ")
	switch {
	case len(trimmed) > 1 && trimmed[0] == '-' && trimmed[1] != ' ' && trimmed[1] != '-':
		return aboveStart + indent(above), "a space is missing after the dash; write `- " + trimmed[1:] + "`"
	case missingSpace.MatchString(above):
		return aboveStart + indent(above), "a space is missing after the colon"
	}
	return start + indent(line), "this line is indented further than the one above, which has its value already; put it under the key above, or quote the text above"
}

func (s *syntax) strayCharacter() (int, string) {
	at := s.back(lookAhead)
	r, _ := utf8.DecodeRune(s.content[at:])
	if r == '\t' {
		return s.tab()
	}
	return at, "a text can't begin with " + string(r) + "; put it in quotes"
}

func (s *syntax) tab() (int, string) {
	at := bytes.LastIndexByte(s.content[:min(s.read, len(s.content))], '\t')
	return max(at, 0), "a tab can't be used for indentation; use spaces"
}

func (s *syntax) escape() (int, string) {
	at := bytes.LastIndexByte(s.content[:min(s.back(lookAhead)+1, len(s.content))], '\\')
	if at < 0 || at+1 >= len(s.content) {
		return s.back(lookAhead), "an escape that YAML does not know; put the text in single quotes"
	}
	r, _ := utf8.DecodeRune(s.content[at+1:])
	return at, `\` + string(r) + " means nothing in double quotes; put the text in single quotes, where a backslash is just one"
}

func (s *syntax) noColon() (int, string) {
	line, start := s.lineNumber(s.line)
	if missingSpace.MatchString(line) {
		return start + indent(line), "a space is missing after the colon"
	}
	return start + indent(line), "this line is neither `key: value` nor part of the text above"
}

var (
	afterQuote   = regexp.MustCompile(`: +("[^"]*"|'[^']*') *[^ #,\]}]`)
	stray        = regexp.MustCompile(`(^|[-:,\[{]) *[*&]`)
	afterBracket = regexp.MustCompile(`: +(\[[^\]]*\]|\{[^}]*\}) *[^ #]`)
)

func (s *syntax) indentation() (int, string) {
	at := s.failing()
	line, start := s.lineAt(at)
	if number, problem := parserSays(firstFault(s.content[:start])); problem == openQuote {
		above := syntax{content: s.content, line: number}
		at, _ = above.unclosedQuote()
		return at, "this quote is closed only in line " + strconv.Itoa(1+bytes.Count(s.content[:start], []byte("\n"))) + ", where another one was to begin"
	}
	if m := afterQuote.FindStringIndex(line); m != nil {
		return start + m[1] - 1, "the value goes on after its closing quote; put all of it in one pair of quotes"
	}
	if m := afterBracket.FindStringIndex(line); m != nil {
		return start + m[1] - 1, "the value goes on after its closing bracket; a text that begins with [ or { needs quotes"
	}
	return at, "the indentation of this line fits nothing above; keys of one site begin in the same column, and sites with a dash in the same column"
}

func (s *syntax) unclosed(open, closing string) (int, string) {
	at := s.failing()
	line, start := s.lineAt(at)
	if i := strings.Index(line, "${"); i >= 0 && open == "{" {
		return start + i, "between { and } a text with ${…} needs quotes"
	}
	if i := strings.LastIndex(line, open); i >= 0 {
		at = start + i
	}
	return at, open + " without its " + closing + ", or a comma is missing between its entries; a text that begins with " + open + " needs quotes"
}

func (s *syntax) anchor() (int, string) {
	at := s.failing()
	line, start := s.lineAt(at)
	if m := stray.FindStringIndex(line); m != nil {
		return start + m[1] - 1, "a text can't begin with " + line[m[1]-1:m[1]] + "; put it in quotes"
	}
	return at, "a text that begins with * or & needs quotes"
}

func (s *syntax) noContent() (int, string) {
	return s.failing(), "a value is missing in this line, or a bracket or comma is one too many"
}

func (s *syntax) unclosedQuote() (int, string) {
	line, start := s.lineNumber(s.line)
	if i := strings.IndexAny(line, `"'`); i >= 0 {
		return start + i, "this quote is never closed"
	}
	return start + indent(line), "a quote is never closed"
}
