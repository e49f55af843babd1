package config

import (
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"sitemon"
)

const (
	minInterval     = time.Second
	maxInterval     = 24 * time.Hour
	minTimeout      = time.Millisecond
	defaultInterval = time.Minute
	defaultTimeout  = 10 * time.Second
	maxName         = 200
	maxThreshold    = 1000
)

// draft is a site while it is read.
type draft struct {
	site    sitemon.Site
	request sitemon.Request
	expect  sitemon.Expect
	// What is looked at again once the whole site is known.
	name, body             *yaml.Node
	method, auth, latency  field
	dns, tls, icmp, kafka  field
	headers                field
	beat                   beatAt
	startTLS               bool // query_response begins TLS
	validity               field
	h2c, http3, steps      field
	captured               []string // by the steps so far
	retry, quorum, parents field

	rules sitemon.Rules
}

// siteObject has every key of a site. The keys of defaults are the same.
var siteObject = newSiteObject()

func newSiteObject() *object[draft] {
	keys := slices.Concat(identityKeys(), rhythmKeys(), retryKeys(), ruleKeys(), requestKeys(), connectionKeys(), authKeys(), kindKeys(), []key[draft]{heartbeatKey()})
	o := newObject("a site", append(keys, expectKey(), regexKey(), stepsKey(), valuesKey()), nil)
	o.aliases = siteAliases
	return o
}

// siteAliases are what other monitors, and haste, call the keys of a site.
var siteAliases = map[string]string{
	"endpoint": "url", "target": "url", "address": "url", "uri": "url", "host": "url", "hostname": "url", "testurl": "url", "link": "url",
	"id": "name", "title": "name", "label": "name", "friendlyname": "name",
	"frequency": "interval", "period": "interval", "every": "interval", "scaninterval": "interval", "checkinterval": "interval", "schedule": "interval",
	"deadline": "timeout", "maxtime": "timeout",
	"keyword": "regex", "contains": "regex", "pattern": "regex", "regexp": "regex", "match": "regex", "bodymatch": "regex",
	"conditions": "expect", "expected": "expect", "assertions": "expect", "assert": "expect", "checks": "expect", "expectation": "expect",
	"expectedstatus": "expect.status", "acceptedstatuscodes": "expect.status", "validstatuscodes": "expect.status",
	"expectedstatuscodes": "expect.status", "statuscode": "expect.status", "statuscodes": "expect.status", "status": "expect.status",
	"json": "expect.json", "latency": "expect.latency", "responsetime": "expect.latency", "maxresponsetime": "expect.latency",
	"certificatevalidfor": "expect.certificate_valid_for", "certificateexpiration": "expect.certificate_valid_for",
	"notmatch": "expect.body.not_match", "failifbodymatchesregexp": "expect.body.not_match", "failifbodynotmatchesregexp": "expect.body.match",
	"verb": "method", "httpmethod": "method", "requestmethod": "method", "header": "headers", "httpheaders": "headers", "useragent": "headers",
	"payload": "body", "data": "body", "requestbody": "body",
	"followredirect": "follow_redirects", "redirects": "follow_redirects", "nofollowredirects": "follow_redirects", "ignoreredirect": "follow_redirects",
	"maxredirect": "max_redirects",
	"auth":        "basic_auth", "basic": "basic_auth", "username": "basic_auth.username", "password": "basic_auth.password",
	"bearer": "authorization.credentials", "bearertoken": "authorization.credentials", "token": "authorization.credentials",
	"proxy": "proxy_url", "httpproxy": "proxy_url", "tls": "tls_config", "ssl": "tls_config", "client": "tls_config",
	"insecure": "tls_config.insecure_skip_verify", "insecureskipverify": "tls_config.insecure_skip_verify", "ignoretls": "tls_config.insecure_skip_verify",
	"verify": "tls_config.insecure_skip_verify", "verifyssl": "tls_config.insecure_skip_verify", "sslverify": "tls_config.insecure_skip_verify",
	"servername": "tls_config.server_name", "sni": "tls_config.server_name",
	"ipprotocol": "preferred_ip_protocol", "ipversion": "preferred_ip_protocol", "http2": "enable_http2", "http3": "enable_http3", "quic": "enable_http3", "h2c": "enable_h2c", "validhttpversions": "expect.http_version", "httpversion": "expect.http_version", "maxbodysize": "body_size_limit",
	"active": "enabled", "disabled": "enabled", "disable": "enabled", "enable": "enabled", "paused": "enabled",
	"labels": "tags", "tag": "tags", "category": "group", "folder": "group", "groups": "group",
	"threshold": "failure_threshold", "failures": "failure_threshold", "maxfailures": "failure_threshold", "successes": "success_threshold",
	"retry": "retries", "maxretries": "retries", "attempts": "retries", "retrydelay": "retry_interval", "location": "locations", "regions": "locations",
	"alert": "alerts", "notify": "alerts", "notification": "alerts", "notifications": "alerts", "channels": "alerts", "objective": "slo",
	"querytype": "url", "queryname": "url", "transportprotocol": "dns.transport_protocol", "dnsovertls": "dns.dns_over_tls", "dot": "dns.dns_over_tls", "ping": "icmp", "websocket": "ws", "subprotocol": "ws.subprotocols", "metadata": "headers", "service": "url", "payloadsize": "icmp.payload_size",
	"dependencies": "depends_on", "dependency": "depends_on", "parent": "depends_on", "parents": "depends_on", "requires": "depends_on",
}

// identityKeys say what a site is and where it is listed.
func identityKeys() []key[draft] {
	return []key[draft]{
		{
			keyInfo: keyInfo{
				name: "name", value: typeName, must: true, own: true, example: "docs",
				doc: "By what everything refers to the site: history hangs on it, and its slots are made from it. Unique, 1 to 200 printable characters, neither `.` nor `..`. A site that is renamed is a new site.",
			},
			read: func(w *walker, f field, d *draft) { d.name = f.value; d.site.Name = w.name(f.value) },
		},
		{
			keyInfo: keyInfo{
				name: "url", value: typeURL, must: true, own: true, example: "https://docs.example.org/",
				doc: "What is watched. The scheme chooses the probe: `http://` and `https://` make a request, `tcp://host:port` opens a connection, `tls://host:port` makes a TLS handshake and looks at the certificate, `dns://server/name` asks a name server, `icmp://host` sends echo requests, `grpc://host:port/service` and `grpcs://` ask for the health of a gRPC service, `ws://` and `wss://` open a WebSocket, `postgres://`, `redis://` and `rediss://`, `kafka://` ask a database or a broker, and with `heartbeat://` the site calls us; see [kinds.md](kinds.md). An address that begins with a `${…}` reference is probed by HTTP.",
			},
			read: func(w *walker, f field, d *draft) { d.site.URL = w.url(f.value) },
		},
		{
			keyInfo: keyInfo{
				name: "group", value: typeGroup, example: "public",
				doc: "The heading under which the site is listed. An empty one takes that of `defaults` away.",
			},
			read: func(w *walker, f field, d *draft) {
				if v := deref(f.value); v.Tag != "!!str" || v.Value != "" {
					d.site.Group = w.shortLine("group", f.value)
				}
				w.out = appendJSON(w.out, d.site.Group)
			},
		},
		{
			keyInfo: keyInfo{
				name: "tags", value: typeTags, example: "[docs, emea]",
				doc: "Words by which sites can be found and filtered. An empty list takes those of `defaults` away.",
			},
			read: func(w *walker, f field, d *draft) { d.site.Tags = w.tags(f.value) },
		},
	}
}

// rhythmKeys say when a site is probed, and how its reports count.
func rhythmKeys() []key[draft] {
	return []key[draft]{
		{
			keyInfo: keyInfo{
				name: "enabled", value: typeBool, def: "true", example: "false",
				doc: "Whether the site is probed. A site with `enabled: false` is shown as paused and keeps its history.",
			},
			read: func(w *walker, f field, d *draft) { d.site.Enabled = w.boolean("enabled", f.value) },
		},
		{
			keyInfo: keyInfo{
				name: "interval", value: typeDuration, def: "`SCAN_INTERVAL`, which is 60s unless set", example: "30s",
				doc: "The time from one probe to the next, from 1s to 24h; for `heartbeat://` to 24d.",
			},
			always: true,
			read:   func(w *walker, f field, d *draft) { d.site.Interval = w.interval(f) },
		},
		{
			keyInfo: keyInfo{
				name: "timeout", value: typeDuration, def: "10s, or the interval if that is less", example: "5s",
				doc: "How long one probe may take in all; at most the interval. A timeout from `defaults` that is longer than a site's interval is cut to it.",
			},
			always: true,
			read:   func(w *walker, f field, d *draft) { w.timeout(f, d) },
		},
		{
			keyInfo: keyInfo{
				name: "failure_threshold", value: typeCount(1, maxThreshold), def: "1", example: "2",
				doc: "How many reports in a row have to fail before the status is down.",
			},
			read: func(w *walker, f field, d *draft) {
				d.site.FailureThreshold = w.integer("failure_threshold", f.value, 1, maxThreshold)
			},
		},
		{
			keyInfo: keyInfo{
				name: "success_threshold", value: typeCount(1, maxThreshold), def: "1", example: "2",
				doc: "How many reports in a row have to be good before the status is no longer down.",
			},
			read: func(w *walker, f field, d *draft) {
				d.site.SuccessThreshold = w.integer("success_threshold", f.value, 1, maxThreshold)
			},
		},
	}
}

func (w *walker) name(n *yaml.Node) string {
	s := w.shortLine("name", n)
	if s == "." || s == ".." {
		w.fail(n, "name can't be %s: no browser asks for the page at such an address", quote(s))
	}
	w.out = appendJSON(w.out, s)
	return s
}

// shortLine reads a text of 1 to 200 printable characters.
func (w *walker) shortLine(name string, n *yaml.Node) string {
	s, ok := w.line(name, n)
	switch count := len([]rune(s)); {
	case !ok:
		return ""
	case count == 0:
		w.fail(n, "%s is empty; write 1 to %d characters", name, maxName)
	case count > maxName:
		w.fail(n, "%s has %d characters; it can have %d", name, count, maxName)
	case s[0] == ' ' || s[len(s)-1] == ' ':
		w.fail(n, "%s begins or ends with a space: %s", name, quote(s))
	default:
		return s
	}
	return ""
}

func (w *walker) tags(n *yaml.Node) []string {
	if v := deref(n); v.Kind == yaml.SequenceNode && len(v.Content) == 0 {
		w.out = append(w.out, "[]"...)
		return nil
	}
	var tags []string
	w.items("tags", n, func(n *yaml.Node) {
		tag := w.shortLine("tags", n)
		w.out = appendJSON(w.out, tag)
		tags = append(tags, tag)
	})
	return tags
}

func (w *walker) interval(f field) time.Duration {
	if f.value != nil {
		most := maxInterval
		if w.kind == sitemon.KindHeartbeat {
			most = maxBeatInterval
		}
		d, ok := w.duration("interval", f.value, minInterval, most)
		if !ok {
			return 0
		}
		return d
	}
	d := w.opts.DefaultInterval
	if d == 0 {
		d = defaultInterval
	}
	w.out = append(appendDuration(append(w.out, '"'), d), '"')
	return d
}

// timeout reads or works out the timeout; the interval is known by then.
func (w *walker) timeout(f field, d *draft) {
	limit := d.site.Interval
	start := len(w.out)
	t, ok := min(defaultTimeout, max(limit, minTimeout)), true
	if f.value != nil {
		t, ok = w.duration("timeout", f.value, minTimeout, maxInterval)
	}
	switch {
	case !ok || limit == 0 || t <= limit:
	case f.inherited:
		t = limit
	default:
		w.fail(f.value, "timeout %s is longer than the interval %s; a probe has to end before the next one",
			FormatDuration(t), FormatDuration(limit))
	}
	w.out = append(appendDuration(append(w.out[:start], '"'), t), '"')
	d.site.Timeout = t
}

func (w *walker) url(n *yaml.Node) string {
	s, ok := w.reference("url", n)
	w.out = appendJSON(w.out, s)
	if !ok {
		return ""
	}
	shown := withoutUser(s, w.kind)
	expanded, known := w.expanded(shown)
	if _, fault := targetKind(s); fault != "" {
		w.fail(n, "%s", fault)
		return ""
	}
	if known {
		if fault := targetFault(expanded, w.kind); fault != "" {
			if expanded != shown { // the fault may show a secret
				fault = "url is not a valid address once its references are replaced"
			}
			w.fail(n, "%s", fault)
			return ""
		}
	}
	w.credentialIn("url", n, s)
	return s
}
