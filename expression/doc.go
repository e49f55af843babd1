// Package expression compiles and runs the expressions of a sites file: conditions
// (expect.expr) and numbers (values) over what a probe saw. The language is that of
// github.com/expr-lang/expr; [Environment] is what an expression can read.
//
// An expression is checked once, with the types of what it reads, and then run
// against answers that may have been made to hurt. So each turn of a loop and each
// regular expression looks at the probe's deadline, loops have a number of turns,
// lists a number of elements, the texts that are made a number of bytes, and patterns
// stand in the expression itself, never in the answer. Functions of the language
// that an answer could make take minutes are our own.
package expression
