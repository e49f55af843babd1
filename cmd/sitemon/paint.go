package main

import "io"

// colour is an ANSI colour. All are equally long, so that the columns of a table
// stay in line whatever colours its cells have.
type colour string

const (
	red    colour = "\x1b[31m"
	green  colour = "\x1b[32m"
	yellow colour = "\x1b[33m"
	grey   colour = "\x1b[90m"
	bold   colour = "\x1b[01m"
)

// painter returns a function that colours a text where w shows colours, and
// leaves it alone elsewhere.
func painter(w io.Writer) func(c colour, text string) string {
	if !colourful(w) {
		return func(_ colour, text string) string { return text }
	}
	return func(c colour, text string) string { return string(c) + text + "\x1b[0m" }
}
