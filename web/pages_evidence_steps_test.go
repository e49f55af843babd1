package web_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
)

// stepsOf is evidence of a site with three steps of which one failed, with a name
// that means harm.
func stepsOf(failed int) string {
	lines := []string{
		`{"name":"form","url":"https://shop.example.org/login","status_code":200,"duration_us":12000}`,
		`{"name":"sign <b>in","url":"https://shop.example.org/login","status_code":503,"duration_us":2300000,"reason":"status"}`,
		`{"name":"basket"}`,
	}
	name := "sign <b>in"
	if failed == 3 {
		lines[1] = `{"name":"sign <b>in","url":"https://shop.example.org/login","status_code":200,"duration_us":2300000}`
		lines[2] = `{"name":"basket","url":"https://shop.example.org/basket","status_code":503,"duration_us":4000,"reason":"status"}`
		name = "basket"
	}
	return `{"reason":"status","error":"step (x): status 503","request":{"method":"GET","url":"https://shop.example.org/"},"steps":[` + strings.Join(lines, ",") +
		`],"expectations":[{"name":"` + name + `: status","expected":"200-299, 304","seen":"503"}]}`
}

// withSteps is evidence with steps beside all else.
func withSteps(evidence string) string {
	return strings.Replace(evidence, `"redirects":`, `"steps":[{"name":"form","url":"https://shop.example.org/form","status_code":200,"duration_us":1200},`+
		`{"name":"</li><script>alert(1)</script>","url":"https://shop.example.org/login?token=<redacted>","status_code":503,"duration_us":2300,"reason":"status"},{"name":"basket"}],"redirects":`, 1)
}

// TestStepsShown: the steps of a site are lines of its evidence, on the incident, in
// its Markdown and in the report; what the site expects was judged with the last one.
func TestStepsShown(t *testing.T) {
	const report = "/sites/shop%2Fcheckout?report=2026-11-24T09:59:37.250Z&location=default&parts=reports"
	for _, tt := range []struct {
		name, path string
		failed     int
		want       []string
	}{
		{"an incident", "/incidents/42", 2, []string{
			`<h4>Steps</h4>`, `<bdi>form</bdi></b> <span class="status up">`, `status 200 after 12 ms`, `<bdi>sign &lt;b&gt;in</bdi></b> <span class="status down">`,
			`status 503 after 2.30 s`, `<bdi>basket</bdi></b> <span class="status unknown">`, "Not reached", "step 2, sign &lt;b&gt;in: ", "!<b>in",
		}},
		{"a report of which the site's expectations were not judged", report, 2, []string{`<h4>Steps</h4>`, "Not judged", `<bdi>sign &lt;b&gt;in: status</bdi></th>`}},
		{"a report of which they were", report, 3, []string{`<h4>Steps</h4>`, `<bdi>status</bdi></th><td class="mono"><bdi>200-299, 304</bdi></td><td class="mono"><bdi>503</bdi>`, `!<bdi>basket: status</bdi>`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			store := newAPIStore()
			store.incidents[0].Evidence[0].Details = stepsOf(tt.failed)
			wantOn(t, page(t, newServer(t, store), tt.path, 200), tt.want...)
		})
	}
}

// TestStepsOfAProbe: a probe that is made at once shows its steps, also where all is
// well.
func TestStepsOfAProbe(t *testing.T) {
	store := newAPIStore()
	store.probe = func(context.Context, string) (json.RawMessage, error) {
		return json.RawMessage(strings.Replace(probed, `"checks":`, `"steps":[{"name":"form","url":"https://docs.example.org/login","status_code":200,"duration_us":12000,"captured":["token"]}],"checks":`, 1)), nil
	}
	text := body(ask(newServer(t, store), "POST", "/sites/docs/probe"))
	wantOn(t, text, `<h4>Steps</h4>`, `<bdi>form</bdi>`, `status 200 after 12 ms`)
}
