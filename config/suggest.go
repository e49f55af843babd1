package config

import "strings"

// closest returns the one of names that word was most likely meant to be, or "".
// Letter case, dashes and underscores do not count; beyond that at most two
// letters (one in short words) may be wrong, missing, extra or swapped.
func closest(word string, names []string) string {
	const folded = 40 // no key is as long
	if len(word) > folded {
		return ""
	}
	w := fold(word)
	best, bestDistance := "", 3
	if len(w) <= 4 {
		bestDistance = 2
	}
	for _, name := range names {
		if d := editDistance(w, fold(name)); d < bestDistance {
			best, bestDistance = name, d
		}
	}
	return best
}

// fold takes out what people get wrong in a key without noticing.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '_' || r == '-' || r == ' ':
			return -1
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// editDistance is the optimal string alignment distance: how many letters must
// be put in, taken out, replaced or swapped with their neighbour to make b from a.
func editDistance(a, b string) int {
	before := make([]int, len(b)+1)
	row := make([]int, len(b)+1)
	next := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}
