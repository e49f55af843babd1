package config

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"sitemon"
)

const (
	docsPath  = "../docs/sites-file.md"
	keysBegin = "<!-- The tables of keys are made from the code: go test ./config -update -->\n"
	keysEnd   = "<!-- The end of the tables. -->\n"
)

// TestDocsHaveAllKeys checks that the tables in docs/sites-file.md are those of
// the code.
func TestDocsHaveAllKeys(t *testing.T) {
	b, err := os.ReadFile(docsPath)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(b), "\r\n", "\n")
	before, rest, begins := strings.Cut(text, keysBegin)
	_, after, ends := strings.Cut(rest, keysEnd)
	if !begins || !ends {
		t.Fatalf("%s has no place for the tables", docsPath)
	}
	want := before + keysBegin + keyTables() + keysEnd + after
	if text == want {
		return
	}
	if flag.Lookup("update").Value.String() != "true" {
		t.Fatalf("%s is not current; run go test ./config -update", docsPath)
	}
	if err := os.WriteFile(docsPath, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestExamples checks that the example of each key is one.
func TestExamples(t *testing.T) {
	var check func(path, around string, m mappingInfo)
	check = func(path, around string, m mappingInfo) {
		for _, k := range m.keys {
			text := fmt.Sprintf(around, k.name+": "+k.example)
			if k.own {
				continue
			}
			text = strings.Replace(text, "url: 'https://a'", "url: '"+addressFor(k.kinds, text)+"'", 1)
			_, _, err := Parse([]File{{"sites.yaml", []byte(text)}}, ParseOptions{})
			faults := fmt.Sprint(err)
			for l := range strings.SplitSeq(faults, "\n") {
				if err != nil && !strings.Contains(l, " needs ") { // of the keys that it is alone without
					t.Errorf("%s%s: %s in\n%s", path, k.name, l, text)
				}
			}
			if k.value.mapping != nil {
				check(path+k.name+".", fmt.Sprintf(around, k.name+": { %s }"), k.value.mapping())
			}
		}
	}
	const channels, sites = "channels: { ops: { url: 'ntfy://n/t' }, mail: { url: 'ntfy://n/m' } }", "sites: [{ name: docs, url: 'https://d', group: public, tags: database }]"
	check("", "alerting: { "+channels+" }\nsites: [{ name: router, url: 'https://r' }, { name: a, url: 'https://a', %s }]", siteObject.info())
	check("", "alerting: { "+channels+", %s }\n"+sites, mappingInfo{keys: except("channels", alertingObject.info().keys)})
	check("channels.", "alerting: { channels: { mail: { url: 'ntfy://n/m' }, ops: { %s } } }\n"+sites, channelObject.info())
	check("maintenance.", "maintenance: { %s }\n"+sites, maintenanceObject.info())
}

// addressFor is an address of a kind that a key is for.
func addressFor(kinds []sitemon.Kind, text string) string {
	switch {
	case strings.Contains(text, " postgres: "):
		return "postgres://a"
	case strings.Contains(text, " kafka: "):
		return "kafka://u:p@a"
	case strings.Contains(text, " query_response: "):
		return "tcp://a:1"
	case strings.Contains(text, " enable_h2c: "):
		return "http://a"
	case slices.Contains(kinds, sitemon.KindHTTP):
	case slices.Contains(kinds, sitemon.KindDNS), strings.Contains(text, " dns: "):
		return "dns://a/b"
	case slices.Contains(kinds, sitemon.KindICMP), strings.Contains(text, " icmp: "):
		return "icmp://a"
	case slices.Contains(kinds, sitemon.KindWS), strings.Contains(text, " ws: "):
		return "wss://a"
	case slices.Contains(kinds, sitemon.KindHeartbeat), strings.Contains(text, " heartbeat: "):
		return "heartbeat://"
	}
	return "https://a"
}

// except is keys without one.
func except(name string, keys []keyInfo) []keyInfo {
	return slices.DeleteFunc(keys, func(k keyInfo) bool { return k.name == name })
}

// keyTables are the tables of all mappings in Markdown.
func keyTables() string {
	var b strings.Builder
	site := siteObject.info()
	for _, p := range []struct {
		part  part
		title string
	}{{partSite, "A site"}, {partRequest, "The request of a site"}, {partExpect, "The expectations of a site"}, {partRules, "What follows from a site's status"}} {
		m := mappingInfo{}
		for _, k := range site.keys {
			if k.part == p.part {
				m.keys = append(m.keys, k)
			}
		}
		keyTable(&b, p.title, m)
	}
	nestedTables(&b, "", site)
	nestedTables(&b, "", mappingInfo{keys: sectionKeys})
	return b.String()
}

func nestedTables(b *strings.Builder, path string, m mappingInfo) {
	for _, k := range m.keys {
		if k.value.mapping == nil {
			continue
		}
		nested := k.value.mapping()
		title := "`" + path + k.name + "`"
		if k.value.list || k.value.table {
			title = "An entry of " + title
		}
		keyTable(b, title, nested)
		nestedTables(b, path+k.name+".", nested)
	}
}

func keyTable(b *strings.Builder, title string, m mappingInfo) {
	fmt.Fprintf(b, "\n### %s\n\n| key | value | default | meaning | example |\n|---|---|---|---|---|\n", title)
	cell := func(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
	for _, k := range m.keys {
		def := k.def
		switch {
		case k.must:
			def = "required"
		case def == "":
			def = "none"
		case !strings.Contains(def, " "):
			def = "`" + def + "`"
		}
		doc := k.doc
		if k.kinds != nil && len(k.kinds) < len(everyKind()) {
			doc += " Only for " + kindWords(k.kinds) + "."
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | `%s` |\n", k.name, k.value.name, cell(def), cell(doc), cell(k.name+": "+k.example))
	}
	for _, words := range m.needs {
		fmt.Fprintf(b, "\nIt needs %s.\n", words)
	}
}
