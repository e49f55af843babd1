package probes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/tidwall/gjson"

	"sitemon"
)

// json judges the JSON expectations of a body.
func (v *verdict) json(body []byte) {
	want := v.attempt.site.Expect.JSON
	if len(want) == 0 {
		return
	}
	// The standard library's check bounds the depth, which gjson's does not. A body
	// cut at its limit can't be valid; its first part is searched all the same.
	if !v.attempt.report.BodyTruncated && !json.Valid(body) {
		seen := v.attempt.seen(body)
		v.note(false, sitemon.OutcomeDown, sitemon.ReasonJSON, Check{Name: "json", Expected: "JSON", Seen: seen},
			fmt.Sprintf("body %s, expected JSON", seen))
		return
	}
	for i := range want {
		e := &want[i]
		found := gjson.GetBytes(body, e.Path)
		ok := v.meets(e, found)
		if v.quiet(ok) {
			continue
		}
		seen := "absent"
		if found.Exists() {
			seen = v.attempt.seen([]byte(found.Raw))
			seen = seen[1 : len(seen)-1] // JSON has its own quotes
		}
		expected := expectedJSON(e)
		v.note(ok, sitemon.OutcomeDown, sitemon.ReasonJSON, Check{Name: "json " + e.Path, Expected: expected, Seen: seen},
			fmt.Sprintf("json %s: %s, expected %s", e.Path, seen, expected))
	}
}

// jsonHolds reports whether a body is as the JSON expectations want it.
func (v *verdict) jsonHolds(body []byte) bool {
	want := v.attempt.site.Expect.JSON
	if len(want) == 0 {
		return true
	}
	if !json.Valid(body) {
		return false
	}
	for i := range want {
		if !v.meets(&want[i], gjson.GetBytes(body, want[i].Path)) {
			return false
		}
	}
	return true
}

// meets reports whether a value of a JSON body is as expected. A value that is
// absent meets nothing but not_equals and exists: false.
func (v *verdict) meets(e *sitemon.JSONExpectation, found gjson.Result) bool {
	switch e.Operator {
	case sitemon.JSONExists:
		return found.Exists() == (string(e.Value) != "false")
	case sitemon.JSONEquals:
		return found.Exists() && sameJSON(gjson.ParseBytes(e.Value), found)
	case sitemon.JSONNotEquals:
		return !found.Exists() || !sameJSON(gjson.ParseBytes(e.Value), found)
	case sitemon.JSONMatches:
		return found.Exists() && v.match(e.Pattern, []byte(found.String()))
	case sitemon.JSONLessThan:
		return found.Type == gjson.Number && found.Num < e.Number
	case sitemon.JSONGreaterThan:
		return found.Type == gjson.Number && found.Num > e.Number
	}
	return false
}

// sameJSON reports whether two values have the same JSON type and value.
func sameJSON(want, found gjson.Result) bool {
	if want.Type != found.Type {
		return false
	}
	switch want.Type {
	case gjson.String:
		return want.Str == found.Str
	case gjson.Number:
		return want.Num == found.Num
	case gjson.JSON:
		return sameDocument([]byte(want.Raw), []byte(found.Raw))
	}
	return true // null, true and false are types of their own
}

// sameDocument compares objects and arrays without regard to spaces, and to the
// order of an object's keys.
func sameDocument(a, b []byte) bool {
	x, errX := canonical(a)
	y, errY := canonical(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func canonical(raw []byte) ([]byte, error) {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, err
	}
	return json.Marshal(v) // sorts keys
}

func expectedJSON(e *sitemon.JSONExpectation) string {
	switch e.Operator {
	case sitemon.JSONExists:
		if string(e.Value) == "false" {
			return "to be absent"
		}
		return "to exist"
	case sitemon.JSONMatches:
		return "to match " + strconv.Quote(e.Pattern.String())
	case sitemon.JSONNotEquals:
		return "not " + string(e.Value)
	case sitemon.JSONLessThan:
		return "less than " + strconv.FormatFloat(e.Number, 'g', -1, 64)
	case sitemon.JSONGreaterThan:
		return "greater than " + strconv.FormatFloat(e.Number, 'g', -1, 64)
	}
	return string(e.Value)
}
