package expression

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/expr-lang/expr"
)

const (
	// maxText is how many bytes of text one run may make.
	maxText = 64 << 20
	// maxCutset is how many bytes the characters may have that trim takes off.
	maxCutset = 256
	// maxFlat is how deep lists may stand in lists to be made flat.
	maxFlat = 100
	// maxDeep is how deep a value may be to become a text.
	maxDeep = 10_000
)

var (
	errText = errors.New("it makes texts of more than 64 MiB")
	errDeep = fmt.Errorf("lists or objects stand more than %d deep in others", maxDeep)
)

// madeTexts are the functions whose texts count: they make new ones.
var madeTexts = []string{"upper", "lower", "replace", "join", "toJSON", "toBase64", "fromBase64", "string"}

// functions take the place of those of the language that an answer could make take
// minutes, or all memory.
func functions() []expr.Option {
	own := []struct {
		name  string
		run   func(args ...any) (any, error)
		types []any
	}{
		{"duration", span, []any{new(func(string) time.Duration)}},
		{"uniq", uniq, []any{new(func(any) []any)}},
		{"flatten", flatten, []any{new(func(any) []any)}},
		{"toJSON", toJSON, []any{new(func(any) string)}},
		{"string", asText, []any{new(func(any) string)}},
		{"replace", replace, []any{strings.ReplaceAll}},
		{"join", join, []any{strings.Join, new(func([]any, string) string), new(func([]any) string), new(func([]string) string)}},
		{"trim", trim, []any{strings.TrimSpace, strings.Trim}},
	}
	options := []expr.Option{expr.DisableBuiltin("repeat"), expr.DisableBuiltin("values")}
	for _, f := range own {
		options = append(options, expr.DisableBuiltin(f.name), expr.Function(f.name, f.run, f.types...))
	}
	return options
}

// list returns the elements of a list.
func list(v any) ([]any, error) {
	if all, ok := v.([]any); ok {
		return all, nil
	}
	r := reflect.ValueOf(v)
	if k := r.Kind(); k != reflect.Slice && k != reflect.Array {
		return nil, fmt.Errorf("a list is needed, not %s", describe(v))
	}
	all := make([]any, r.Len())
	for i := range all {
		all[i] = r.Index(i).Interface()
	}
	return all, nil
}

// uniq is the function uniq: a list without what it had before.
func uniq(args ...any) (any, error) {
	all, err := list(args[0])
	if err != nil {
		return nil, err
	}
	seen := make(map[any]bool, len(all))
	unique, left := []any{}, maxText
	for _, v := range all {
		if _, plain := v.(string); !plain {
			if err := weigh(v, 0, &left); err != nil {
				return nil, err
			}
		}
		if k := keyOf(v); !seen[k] {
			seen[k] = true
			unique = append(unique, v)
		}
	}
	return unique, nil
}

// written is a value that is no plain one, by what it looks like.
type written string

// keyOf is what equal values have in common.
func keyOf(v any) any {
	switch v := v.(type) {
	case nil, string, bool:
		return v
	}
	if n, ok := number(v); ok {
		return n
	}
	b, err := json.Marshal(v)
	if err != nil {
		return written(fmt.Sprint(v))
	}
	return written(b)
}

// flatten is the function flatten: the elements of a list, and of the lists in it.
func flatten(args ...any) (any, error) {
	flat := []any{}
	err := flattenTo(&flat, args[0], 0)
	return flat, err
}

func flattenTo(flat *[]any, v any, depth int) error {
	if depth > maxFlat {
		return fmt.Errorf("lists stand more than %d deep in lists", maxFlat)
	}
	all, err := list(v)
	if err != nil {
		return err
	}
	for _, v := range all {
		if k := reflect.ValueOf(v).Kind(); k != reflect.Slice && k != reflect.Array {
			*flat = append(*flat, v)
		} else if err := flattenTo(flat, v, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// weigh takes off what a value is long at least as a text. One list may stand many
// times in another, so that it is much longer than what it is made of.
func weigh(v any, depth int, left *int) error {
	if depth > maxDeep {
		return errDeep
	}
	*left--
	switch v := v.(type) {
	case string:
		*left -= len(v)
	case []any:
		for _, v := range v {
			if err := weigh(v, depth+1, left); err != nil {
				return err
			}
		}
	case map[string]any:
		for name, v := range v {
			*left -= len(name)
			if err := weigh(v, depth+1, left); err != nil {
				return err
			}
		}
	}
	if *left < 0 {
		return errText
	}
	return nil
}

// asText is the function string.
func asText(args ...any) (any, error) {
	left := maxText
	if err := weigh(args[0], 0, &left); err != nil {
		return nil, err
	}
	return fmt.Sprint(args[0]), nil
}

// toJSON is the function toJSON: a value as JSON, without spaces.
func toJSON(args ...any) (any, error) {
	left := maxText
	if err := weigh(args[0], 0, &left); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(args[0]); err != nil {
		return nil, err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// replace is the function replace.
func replace(args ...any) (any, error) {
	text, before, after := args[0].(string), args[1].(string), args[2].(string)
	if n := strings.Count(text, before); len(after) > len(before) && n > (maxText-len(text))/(len(after)-len(before)) {
		return nil, errText
	}
	return strings.ReplaceAll(text, before, after), nil
}

// join is the function join.
func join(args ...any) (any, error) {
	glue := ""
	if len(args) > 1 {
		glue = args[1].(string)
	}
	all, err := list(args[0])
	if err != nil {
		return nil, err
	}
	texts, length := make([]string, len(all)), 0
	for i, v := range all {
		text, ok := v.(string)
		if length += len(text) + len(glue); !ok {
			return nil, fmt.Errorf("join takes texts, not %s", describe(v))
		} else if length > maxText {
			return nil, errText
		}
		texts[i] = text
	}
	return strings.Join(texts, glue), nil
}

// trim is the function trim.
func trim(args ...any) (any, error) {
	text := args[0].(string)
	if len(args) == 1 {
		return strings.TrimSpace(text), nil
	}
	cutset := args[1].(string)
	if len(cutset) > maxCutset {
		return nil, fmt.Errorf("trim takes up to %d bytes of characters, not %d", maxCutset, len(cutset))
	}
	return strings.Trim(text, cutset), nil
}
