package expression_test

import (
	"context"
	"encoding/json"
	"runtime"
	"strings"
	"testing"
	"time"

	"sitemon/expression"
)

// TestFunctions shows those that are not the language's own.
func TestFunctions(t *testing.T) {
	env := environment(t)
	if err := json.Unmarshal([]byte(`{"v":["1.2",1,true,null,[1],{"a":1},1,"1.2",true,null,[1],{"a":1},"1"],"n":[1,[2,["3"]]],"s":"a,b","t":"<x>","words":["a","b"]}`), &env.JSON); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		`len(uniq(json.v)) == 7`, `uniq(json.v)[0] == "1.2"`, `len(uniq(certificate.names)) == 1`, `uniq(map([1, 1.0, 2], #))[1] == 2`,
		`flatten(json.n) == [1, 2, "3"]`, `len(flatten([certificate.names, [1]])) == 2`,
		`toJSON(json.n) == "[1,[2,[\"3\"]]]"`, `toJSON(json.t) == "\"<x>\""`,
		`int(replace("1,234", ",", "")) == 1234`, `replace("aa", "a", "bb") == "bbbb"`, `replace("ab", "", "-") == "-a-b-"`,
		`join(json.words) == "ab"`, `join(json.words, ", ") == "a, b"`, `join(split("a b", " "), "-") == "a-b"`, `join(certificate.names, "+") == "example.org"`,
		`trim(" a ") == "a"`, `trim("xax", "x") == "a"`,
		`json.s + "c" == "a,bc"`, `"x" + json.s == "xa,b"`, `"x" + "y" == "xy"`, `json.n[0] + 1 == 2`, `json.n[0] + json.n[0] == 2`, `status + 1 == 201`,
		`latency + duration("1s") == duration("2.5s")`, `upper(json.words[0]) + lower("B") == "Ab"`, `fromBase64(toBase64("a")) == "a"`, `string(status) == "200"`,
		`reduce(json.words, #acc + #) == "ab"`, `map(json.words, upper(#) + "!") == ["A!", "B!"]`,
	} {
		p, err := expression.Condition(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if ok, err := p.Holds(t.Context(), env); !ok || err != nil {
			t.Errorf("%s: %v, %v", text, ok, err)
		}
	}
	for text, want := range map[string]string{
		`"a" + 1 == "a1"`: "mismatched types string and int", `upper(status) == ""`: "upper", `replace(body, 1, "") == ""`: "replace", `upper(body) == 1`: "mismatched types string and int",
		`stats matches "x"`: "unknown name stats", `any(json.n, stats > 1)`: "unknown name stats",
		`$env.status == 200`: "unknown name $env", `get($env, "body") == ""`: "unknown name $env",
	} {
		if _, err := expression.Condition(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for text, want := range map[string]string{`json.n + "x" == ""`: "invalid operation", `uniq(json.t) == []`: "a list is needed, not a text", `join(json.n) == ""`: "join takes texts, not 1"} {
		p, err := expression.Condition(text)
		if err == nil {
			_, err = p.Holds(t.Context(), env)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestFunctionsBounded: what an answer is made of costs neither minutes nor all
// memory.
func TestFunctionsBounded(t *testing.T) {
	items := make([]any, 150_000)
	for i := range items {
		items[i] = float64(i)
	}
	const depth = 5000
	deep := any(items[:10_000])
	for range depth {
		deep = []any{deep}
	}
	text := strings.Repeat("x", 1<<20)
	env := &expression.Environment{Body: text, JSON: map[string]any{"items": items, "deep": deep, "s": text, "one": []any{text, text}}}
	for _, c := range []struct{ text, err string }{
		{`len(uniq(json.items)) == 150000`, ""},
		{`len(uniq(map(json.items, string(#)))) == 150000`, ""},
		{`len(toJSON(json.deep)) < 100000`, ""},
		{`len(flatten(json.deep)) == 1`, "more than 100 deep"},
		{`len(toJSON(map(1..1000, json.s))) == 0`, "texts of more than 64 MiB"},
		{`len(string(map(1..1000, json.s))) == 0`, "texts of more than 64 MiB"},
		{`len(uniq(map(json.items, [json.s]))) == 1`, "texts of more than 64 MiB"},
		{`len(toJSON(map(1..1000, [{"a": {"b": json.s}}]))) == 0`, "texts of more than 64 MiB"},
		{`len(toJSON(reduce(json.items, [#acc], 1))) == 0`, "more than 10000 deep"},
		{`len(uniq(map(1..1000, json.s))) == 1`, ""},
		{`len(replace(body, "x", json.s)) == 0`, "texts of more than 64 MiB"},
		{`len(replace(body, "", json.s)) == 0`, "texts of more than 64 MiB"},
		{`len(join(json.one, json.s)) == 3145728`, ""},
		{`len(join(map(1..1000, json.s))) == 0`, "texts of more than 64 MiB"},
		{`trim(body, json.s) == ""`, "trim takes up to 256 bytes"},
		{`len(reduce(json.items, #acc + json.s, "")) == 0`, "texts of more than 64 MiB"},
		{`len(map(json.items, upper(body))) == 0`, "texts of more than 64 MiB"},
		{`let a = body + body; let b = a + a; let c = b + b; let d = c + c; let e = d + d; len(e + e + e + e) == 0`, "texts of more than 64 MiB"},
	} {
		t.Run(c.text, func(t *testing.T) {
			p, err := expression.Condition(c.text)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			ok, err := p.Holds(ctx, env)
			runtime.ReadMemStats(&after)
			if ok != (c.err == "") || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%v, %v", ok, err)
			}
			if made := (after.TotalAlloc - before.TotalAlloc) >> 20; made > 256 {
				t.Errorf("%d MiB were made", made)
			}
		})
	}
}
