package web_test

import (
	"context"
	"encoding/json"
	"testing"

	"sitemon"
	"sitemon/web"
)

// expecting is a store whose sites expect more.
type expecting struct {
	*apiStore

	keys map[string]string
}

// Definition has the keys beside those that there are.
func (e expecting) Definition(ctx context.Context, name string) (web.Definition, error) {
	d, err := e.apiStore.Definition(ctx, name)
	for key, value := range e.keys {
		d.Keys = append(d.Keys, sitemon.DefinitionKey{Key: key, Value: json.RawMessage(value), From: sitemon.FromSite})
	}
	return d, err
}

// TestReportSeen: what was seen is told also of what was met, as far as the report
// has it, or its evidence.
func TestReportSeen(t *testing.T) {
	const conditions = `[{"expr":"latency < duration(\"2s\") and json.status == \"status\""},{"expr":"values.queue > 1 && phases.processing < latency","otherwise":"degraded"}]`
	row := func(name, expected, seen, class string) string {
		return `<bdi>` + name + `</bdi></th><td class="mono"><bdi>` + expected + `</bdi></td><td class="mono"><bdi>` + seen + `</bdi></td><td class="nowrap"><span class="status ` + class + `">`
	}
	for _, c := range []struct {
		name       string
		keys       map[string]string
		up         bool
		evidence   string
		want, miss string
	}{
		{
			"conditions",
			map[string]string{"expect.expr": conditions},
			true, "",
			row("expr", `latency &lt; duration(&#34;2s&#34;) and json.status == &#34;status&#34;; values.queue &gt; 1 &amp;&amp; phases.processing &lt; latency (otherwise degraded)`, "latency 18 ms, values.queue 7.5, phases.processing 15 ms", "up"), "",
		},
		{"a condition of what no report has", map[string]string{"expect.expr": `[{"expr":"json.a == 1"}]`}, true, "", row("expr", "json.a == 1", "–", "up"), ""},
		{"a group with a name", map[string]string{"regex": `"queue: (?P<queue>[0-9]*)"`}, true, "", row("regex", `queue: (?P&lt;queue&gt;[0-9]*)`, "queue 7.5", "up"), ""},
		{
			"met, by evidence",
			map[string]string{"expect.headers.x-region": `"east"`, "expect.json": `[{"path":"a","equals":1}]`},
			false,
			`{"expectations":[{"name":"json a","expected":"1","seen":"2"}],"met":[{"name":"header x-region","expected":"to match \"east\"","seen":"\"east-1\""}]}`,
			row("headers.x-region", "east", "&#34;east-1&#34;", "up"), "Not judged",
		},
		{
			"a part of tls",
			map[string]string{"expect.tls.issuer": `"R3"`, "expect.certificate_valid_for": `"14d"`},
			false,
			`{"expectations":[{"name":"tls issuer","expected":"to match \"R3\"","seen":"CN=Nobody"}]}`,
			row("tls.issuer", "R3", "CN=Nobody", "down"), `<bdi>14d</bdi></td><td class="mono"><bdi>CN=Nobody`,
		},
		{
			"met, by evidence of a step",
			map[string]string{"expect.headers.x-region": `"east"`},
			false,
			`{"steps":[{"name":"a"},{"name":"b","reason":"status"}],"expectations":[{"name":"b: status","expected":"200","seen":"503"}],"met":[{"name":"b: header x-region","expected":"to match \"east\"","seen":"\"east-1\""}]}`,
			row("headers.x-region", "east", "&#34;east-1&#34;", "up"), "",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := newAPIStore()
			r := &store.reports[0]
			r.Values = `{"queue":7.5}`
			if c.up {
				r.Outcome, r.Reason, r.Error, r.StatusCode = sitemon.OutcomeUp, "", "", 200
			}
			store.incidents[0].Evidence[0].Details = c.evidence
			s := newServer(t, store, func(o *web.Options) { o.Definitions = expecting{store, c.keys} })
			want := []string{c.want}
			if c.miss != "" {
				want = append(want, "!"+c.miss)
			}
			wantOn(t, page(t, s, "/sites/shop%2Fcheckout?report=2026-11-24T09:59:37.250Z&parts=reports", 200), want...)
		})
	}
}
