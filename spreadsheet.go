package sitemon

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// SpreadsheetText is a text for a cell of a CSV file that no spreadsheet takes for a
// formula: one that begins with =, +, -, @, their full-width forms, a tab or a line
// break, also behind blanks and characters that are not seen, gets an apostrophe in
// front, as OWASP advises. All else stays as it is.
func SpreadsheetText(text string) string {
	first := max(0, strings.IndexFunc(text, func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }))
	seen, _ := utf8.DecodeRuneInString(text[first:])
	if text != "" && (strings.ContainsRune("=+-@＝＋－＠", seen) || strings.ContainsRune("\t\r\n", rune(text[0]))) {
		return "'" + text
	}
	return text
}
