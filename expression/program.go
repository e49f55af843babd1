package expression

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"sitemon"
)

const (
	// MaxLength is how many bytes an expression may have.
	MaxLength = 4096
	// maxNodes is how many names, numbers and operators it may have.
	maxNodes = 500
	// patchedNodes is enough for those that our limits add.
	patchedNodes = 8 * maxNodes
)

// Error is what is wrong with an expression, and where: line and column begin with
// 1, columns count characters.
type Error struct {
	Line, Column int
	Message      string
}

// Error returns the message alone.
func (e *Error) Error() string { return e.Message }

// Unwrap returns [sitemon.ErrInvalid].
func (*Error) Unwrap() error { return sitemon.ErrInvalid }

// Program is a compiled expression. It is safe for concurrent use.
type Program struct {
	text     string
	program  *vm.Program
	patterns []sitemon.Pattern
	uses     []string
	operands []string

	shown func() []operand // the operands compiled, at the first need
}

// operand is a part of a condition whose value people want to see.
type operand struct {
	text    string
	program *Program
}

// Condition compiles an expression that is true or false. Its errors are an [*Error].
func Condition(text string) (*Program, error) {
	p, err := compile(text)
	if err != nil {
		return nil, err
	}
	if t := p.program.Node().Type(); t != nil && t.Kind() != reflect.Interface && t.Kind() != reflect.Bool {
		return nil, &Error{1, 1, fmt.Sprintf("a condition has to be true or false, but this is %s", typeName(t))}
	}
	p.shown = sync.OnceValue(func() (all []operand) {
		for _, text := range p.operands {
			if o, err := compile(text); err == nil { // one that lacks what surrounds it has no value of its own
				all = append(all, operand{text, o})
			}
		}
		return all
	})
	return p, nil
}

// Number compiles an expression that is a number; a duration is one of seconds,
// false and true are 0 and 1. Its errors are an [*Error].
func Number(text string) (*Program, error) {
	p, err := compile(text)
	if err != nil {
		return nil, err
	}
	switch t := p.program.Node().Type(); {
	case t == nil || t.Kind() == reflect.Interface || t.Kind() == reflect.Bool:
	case t.ConvertibleTo(reflect.TypeFor[float64]()) && t.Kind() != reflect.String:
	default:
		return nil, &Error{1, 1, fmt.Sprintf("a number is needed, but this is %s", typeName(t))}
	}
	return p, nil
}

// compile checks and compiles an expression.
func compile(text string) (*Program, error) {
	if len(text) > MaxLength {
		return nil, &Error{1, 1, fmt.Sprintf("the expression has %d bytes; it can have %d", len(text), MaxLength)}
	}
	found, err := survey(text)
	if err != nil {
		return nil, err
	}
	options := append(functions(), expr.Env(Environment{}), expr.MaxNodes(maxNodes))
	if _, err := expr.Compile(text, options...); err != nil { // the library checks no more what a patch has put in a call
		return nil, invalid(err)
	}
	g := &guard{}
	program, err := expr.Compile(text, append(options, expr.MaxNodes(patchedNodes), expr.Patch(g))...)
	if g.err != nil {
		return nil, g.err
	}
	if err != nil {
		return nil, invalid(err)
	}
	return &Program{text: text, program: program, patterns: g.patterns, uses: found.uses, operands: found.operands}, nil
}

// invalid takes the library's picture of the line out of its error.
func invalid(err error) *Error {
	if fe, ok := errors.AsType[*file.Error](err); ok {
		return &Error{max(fe.Line, 1), fe.Column + 1, plain(fe.Message)}
	}
	return &Error{1, 1, plain(err.Error())}
}

// plain is a message of the library in the words of the sites file.
func plain(message string) string {
	message, _, _ = strings.Cut(message, "\n")
	for _, w := range [][2]string{
		{"unexpected token EOF", "it ends too early"},
		{"type expression.", "expression."},
		{"time.Duration", "a duration"},
		{"interface {}", "a value of the answer"},
		{"expression.Environment", "the answer"},
		{"expression.Phases", "the phases"},
		{"expression.Certificate", "the certificate"},
		{"expression.TLS", "the TLS connection"},
	} {
		message = strings.ReplaceAll(message, w[0], w[1])
	}
	return message
}

// String returns the expression as it was written.
func (p *Program) String() string { return p.text }

// Uses returns the names of the environment that the expression reads, sorted.
func (p *Program) Uses() []string { return p.uses }

// Holds runs a condition. The error says why it is neither true nor false.
func (p *Program) Holds(ctx context.Context, env *Environment) (bool, error) {
	v, err := p.eval(ctx, env)
	if err != nil {
		return false, err
	}
	ok, is := v.(bool)
	if !is {
		return false, fmt.Errorf("it is %s, neither true nor false", describe(v))
	}
	return ok, nil
}

// Value runs an expression that is a number. The error says why there is none; not
// finite is none.
func (p *Program) Value(ctx context.Context, env *Environment) (float64, error) {
	v, err := p.eval(ctx, env)
	if err != nil {
		return 0, err
	}
	n, ok := number(v)
	if !ok {
		return 0, fmt.Errorf("it is %s, not a number", describe(v))
	}
	return n, nil
}

// Seen is a part of a condition and the value that it had.
type Seen struct{ Text, Value string }

// Seen returns the parts of a condition with their values, in their order: what
// explains why it holds or not.
func (p *Program) Seen(ctx context.Context, env *Environment) (all []Seen) {
	if p.shown == nil {
		return nil
	}
	for _, o := range p.shown() {
		s := Seen{Text: o.text}
		if v, err := o.program.eval(ctx, env); err != nil {
			s.Value = "(" + err.Error() + ")"
		} else {
			s.Value = show(v)
		}
		all = append(all, s)
	}
	return all
}

// Late reports whether an error of a run says that it was not done in time.
func Late(err error) bool { return errors.Is(err, errLate) }

func (p *Program) eval(ctx context.Context, env *Environment) (any, error) {
	v, err := expr.Run(p.program, *env.run(ctx, p.patterns))
	if err == nil {
		return v, nil
	}
	if errors.Is(err, errLate) {
		return nil, errLate
	}
	if fe, ok := errors.AsType[*file.Error](err); ok {
		err = errors.New(plain(fe.Message))
	}
	return nil, err
}

// number is a value as a finite number.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	case time.Duration:
		return v.Seconds(), true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	switch r := reflect.ValueOf(v); {
	case r.CanInt():
		return float64(r.Int()), true
	case r.CanUint():
		return float64(r.Uint()), true
	case r.CanFloat():
		return number(r.Float())
	}
	return 0, false
}

// maxShown is how much of a text a value shows; who shows it cuts further.
const maxShown = 2048

// show writes a value for people.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case string:
		return strconv.Quote(v[:min(len(v), maxShown)])
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	case time.Duration:
		return v.String()
	case []any:
		return fmt.Sprintf("a list of %d", len(v))
	case map[string]any:
		return fmt.Sprintf("an object of %d keys", len(v))
	}
	text := fmt.Sprint(v)
	return text[:min(len(text), maxShown)]
}

// describe names a value in a message.
func describe(v any) string {
	switch v.(type) {
	case nil:
		return "nil (there is no such value)"
	case string:
		return "a text"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return show(v)
}

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int, reflect.Int64, reflect.Float64:
		if t == reflect.TypeFor[time.Duration]() {
			return "a duration"
		}
		return "a number"
	case reflect.String:
		return "a text"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "an object"
	}
	return t.String()
}

// span is the function duration of expressions: Go's, and days.
func span(args ...any) (any, error) {
	text, _ := args[0].(string)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseFloat(days, 64); err == nil && math.Abs(n) < 100_000 {
			return time.Duration(n * 24 * float64(time.Hour)), nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return nil, fmt.Errorf("%q is no duration; write for example 250ms, 2s or 14d", text)
	}
	return d, nil
}
