package importer

import "fmt"

// expectations are those of a site, as they are found one by one.
type expectations struct {
	status            []any
	versions          []string // of HTTP
	match, notMatch   []string
	json              []any
	expr              []any
	tls               []Key
	rcodes            []string
	latency, validFor string
	headers           []Key
}

func (e *expectations) keys() (keys []Key) {
	put := func(name string, there bool, value any) {
		if there {
			keys = append(keys, Key{name, value})
		}
	}
	put("status", e.status != nil, e.status)
	put("http_version", e.versions != nil, e.versions)
	put("rcode", e.rcodes != nil, e.rcodes)
	var body []Key
	if e.match != nil {
		body = append(body, Key{"match", e.match})
	}
	if e.notMatch != nil {
		body = append(body, Key{"not_match", e.notMatch})
	}
	put("body", body != nil, body)
	put("headers", e.headers != nil, e.headers)
	put("json", e.json != nil, e.json)
	put("tls", e.tls != nil, e.tls)
	put("expr", e.expr != nil, e.expr)
	put("latency", e.latency != "", e.latency)
	put("certificate_valid_for", e.validFor != "", e.validFor)
	return keys
}

// codes are status codes, those from 100 to 599 by themselves.
type codes [600]bool

// codesWhere are the codes for which something holds.
func codesWhere(holds func(code int) bool) *codes {
	var all codes
	for code := 100; code < len(all); code++ {
		all[code] = holds(code)
	}
	return &all
}

// and keeps of c what is in d as well.
func (c *codes) and(d *codes) {
	for i := range c {
		c[i] = c[i] && d[i]
	}
}

// ranges are the codes as expect.status has them.
func (c *codes) ranges() (all []any) {
	for from := 100; from < len(c); from++ {
		if !c[from] {
			continue
		}
		to := from
		for to+1 < len(c) && c[to+1] {
			to++
		}
		if from == to {
			all = append(all, from)
		} else {
			all = append(all, fmt.Sprintf("%d-%d", from, to))
		}
		from = to
	}
	return all
}
