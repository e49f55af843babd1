package web

import (
	"strings"
	"unicode"
)

// isolated is a name as a part of a sentence in plain text: one that is written from
// right to left, or that turns the direction, does not do so to what is around it.
// Pages have the element bdi for it.
func isolated(name string) string {
	turns := func(r rune) bool {
		return unicode.In(r, unicode.Arabic, unicode.Hebrew, unicode.Syriac, unicode.Thaana, unicode.Nko, unicode.Adlam) || unicode.Is(unicode.Bidi_Control, r)
	}
	if !strings.ContainsFunc(name, turns) {
		return name
	}
	const first, pop = "\u2068", "\u2069"      // FIRST STRONG ISOLATE, POP DIRECTIONAL ISOLATE
	without := strings.Map(func(r rune) rune { // what would end it early, or never
		if unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, name)
	return first + without + pop
}

// isolatedList joins names.
func isolatedList(names []string) string {
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = isolated(n)
	}
	return strings.Join(all, ", ")
}
