package importer

import (
	"encoding/json"
	"fmt"
	"net"
	"regexp"
	"strings"
)

// readKuma reads a backup of Uptime Kuma: JSON with monitorList and notificationList,
// or a list of monitors alone, as its API gives them.
func readKuma(content []byte, r *Result) error {
	top, err := parse(content)
	if err != nil {
		var list []any
		if json.Unmarshal(content, &list) != nil {
			return err
		}
		top = mapping{"monitorList": list}
	}
	monitors := top.list("monitorList")
	if monitors == nil {
		return fmt.Errorf("there is no monitorList; export a backup in the settings of Uptime Kuma")
	}
	names := map[string]string{}
	for _, n := range top.list("notificationList") {
		m := asMapping(n)
		id, name := m.text("id"), m.text("name")
		names[id] = name
		r.lose("channel "+name, "notifications are not carried over, as backups keep their settings in a form of each service; docs/channels.md has what to write")
	}
	groups := map[string]string{}
	for _, one := range monitors {
		if m := asMapping(one); m != nil && fmt.Sprint(m["type"]) == "group" {
			groups[fmt.Sprint(m["id"])] = fmt.Sprint(m["name"])
		}
	}
	for i, one := range monitors {
		m := asMapping(one)
		if m == nil {
			return fmt.Errorf("monitor %d is no object", i+1)
		}
		if kind := m.text("type"); kind != "group" {
			r.kumaMonitor(kind, m, groups, names)
		}
	}
	top.take("version")
	r.leftover("top of the file", top, "is not known to the importer")
	return nil
}

// kumaQuiet are keys of a monitor that say nothing about what is watched, or that all
// monitors have and only those of another type use.
var kumaQuiet = []string{
	"id", "weight", "childrenIDs", "forceInactive", "includeSensitiveData", "path", "pathName", "screenshot", "maintenance", "created_date", "user_id", "dns_last_result",
	"docker_container", "docker_host", "grpcUrl", "grpcProtobuf", "grpcMethod", "grpcServiceName", "grpcBody", "grpcMetadata", "mqttTopic", "mqttSuccessMessage",
	"mqttCheckType", "mqttUsername", "mqttPassword", "databaseConnectionString", "databaseQuery", "radiusUsername", "radiusPassword", "radiusSecret",
	"radiusCalledStationId", "radiusCallingStationId", "game", "gamedigGivenPortOnly", "kafkaProducerTopic", "kafkaProducerBrokers", "kafkaProducerSaslOptions",
	"kafkaProducerMessage", "oauth_auth_method", "remote_browser", "rabbitmqNodes", "rabbitmqUsername", "rabbitmqPassword", "snmpOid", "snmpVersion", "pushToken",
	"port", "hostname", "url", "method", "maxredirects", "accepted_statuscodes", "authMethod",
}

// kumaUsual are values that say nothing, as monitors have them from the start.
var kumaUsual = map[string]string{
	"httpBodyEncoding": "json", "jsonPathOperator": "==", "packetSize": "56", "dns_resolve_type": "A", "dns_resolve_server": "1.1.1.1", "conditions": "[]", "jsonPath": "$",
}

func (r *Result) kumaMonitor(kind string, m mapping, groups, channels map[string]string) {
	name := m.text("name")
	s := Site{Comment: "from monitor " + name + ", type " + kind}
	target := kumaTarget(kind, m)
	if target == "" {
		r.lose(name, "monitors of type %s have no counterpart", kind)
		return
	}
	s.set("url", target)
	s.set("group", groups[m.text("parent")])
	var tags []string
	for _, t := range m.list("tags") {
		if tag := asMapping(t); tag != nil {
			tags = append(tags, strings.TrimSuffix(tag.text("name")+":"+tag.text("value"), ":"))
		}
	}
	s.set("tags", tags)
	if !m.flag("active", true) {
		s.set("enabled", false)
	}
	interval, _ := m.number("interval")
	if kind == "push" { // it is looked at more often than it calls
		r.kumaPush(&s, name, m, interval)
		interval = min(interval, 60)
	}
	s.set("interval", seconds(interval))
	if t, ok := m.number("timeout"); ok && t > 0 {
		s.set("timeout", seconds(min(t, interval)))
	}
	pause, paused := m.number("retryInterval")
	if n, ok := m.number("maxretries"); ok && n > 0 {
		s.set("failure_threshold", int(n)+1)
		if d := pause; paused && d != interval {
			r.lose(name, "the interval of %s between retries: failed reports are counted at the site's own interval", seconds(d))
		}
	}
	if query := m.text("databaseQuery"); kind == "postgres" && query != "" {
		s.set("postgres", []Key{{"query", query}})
	}
	if strings.HasPrefix(target, "http") {
		r.kumaRequest(&s, name, kind, m)
	}
	r.kumaStream(&s, name, kind, m)
	r.kumaLosses(name, m, channels)
	for _, key := range kumaQuiet {
		delete(m, key)
	}
	for key, usual := range kumaUsual {
		if fmt.Sprint(m[key]) == usual {
			delete(m, key)
		}
	}
	r.leftover(name, m, "is not carried over")
	r.add(s, name, groups[m.text("parent")]+" "+name)
}

// kumaTarget is the URL of a monitor; "" where no kind of site fits.
func kumaTarget(kind string, m mapping) string {
	host, port := m.text("hostname"), m.text("port")
	switch kind {
	case "http", "keyword", "json-query", "real-browser":
		return m.text("url")
	case "port":
		return "tcp://" + net.JoinHostPort(host, port)
	case "ping", "tailscale-ping":
		return "icmp://" + host
	case "dns":
		server := m.text("dns_resolve_server")
		if port != "" && port != "53" && server != "" {
			server = net.JoinHostPort(server, port)
		}
		query := ""
		if t := m.text("dns_resolve_type"); t != "" && t != "A" {
			query = "?type=" + t
		}
		return "dns://" + server + "/" + host + query
	case "grpc-keyword":
		return kumaGRPCTarget(m)
	case "push":
		return "heartbeat://"
	case "postgres", "redis":
		return m.text("databaseConnectionString")
	case "websocket-upgrade":
		return m.text("url")
	}
	return ""
}

func (r *Result) kumaRequest(s *Site, name, kind string, m mapping) {
	if method := m.text("method"); method != "" && method != "GET" {
		s.set("method", method)
	}
	var headers mapping
	if text := m.text("headers"); text != "" {
		if json.Unmarshal([]byte(text), &headers) != nil {
			r.lose(name, "its headers are no JSON object")
		}
	}
	s.set("headers", headersOf(headers))
	s.set("body", m.text("body"))
	if n, ok := m.number("maxredirects"); ok {
		if n == 0 {
			s.set("follow_redirects", false)
		} else if n != 10 {
			s.set("max_redirects", int(n))
		}
	}
	switch method := m.text("authMethod"); {
	case m["basic_auth_user"] != nil && (method == "" || method == "basic"):
		if user := m.text("basic_auth_user"); user != "" {
			s.set("basic_auth", []Key{{"username", user}, {"password", m.text("basic_auth_pass")}})
		}
	case method == "oauth2-cc":
		keys := []Key{{"client_id", m.text("oauth_client_id")}, {"client_secret", m.text("oauth_client_secret")}, {"token_url", m.text("oauth_token_url")}}
		if scopes := m.text("oauth_scopes"); scopes != "" {
			keys = append(keys, Key{"scopes", strings.Fields(scopes)})
		}
		s.set("oauth2", keys)
	case method != "" && method != "basic":
		r.lose(name, "signing in by %s is not carried over", method)
	}
	if m.flag("ignoreTls", false) {
		s.set("tls_config", []Key{{"insecure_skip_verify", true}})
	}
	var e expectations
	for _, code := range m.texts("accepted_statuscodes") {
		e.status = append(e.status, code)
	}
	if word := m.text("keyword"); kind == "keyword" && word != "" {
		pattern := regexp.QuoteMeta(word)
		if m.flag("invertKeyword", false) {
			e.notMatch = append(e.notMatch, pattern)
		} else {
			e.match = append(e.match, pattern)
		}
	}
	if path := m.text("jsonPath"); kind == "json-query" && path != "" {
		e.json = append(e.json, map[string]any{"path": gjson(strings.TrimPrefix(strings.TrimPrefix(path, "$"), ".")), "equals": literal(m.text("expectedValue"))})
		r.lose(name, "its JSON path is written in JSONata there and as a GJSON path here; look whether %q means the same", path)
	}
	if m.flag("expiryNotification", false) && strings.HasPrefix(fmt.Sprint(s.Keys[0].Value), "https") {
		e.validFor = "14d"
	}
	s.set("expect", e.keys())
}

// kumaLosses notes what no site has.
func (r *Result) kumaLosses(name string, m mapping, channels map[string]string) {
	if m.flag("upsideDown", false) {
		r.lose(name, "it is upside down there (up when it does not answer), which has no counterpart")
	}
	if m.text("proxyId") != "" {
		r.lose(name, "its proxy; write proxy_url by hand")
	}
	if n, ok := m.number("resendInterval"); ok && n > 0 {
		r.lose(name, "reminders each %g failed checks; write alerts: [{ to: …, reminder_interval: … }] by hand", n)
	}
	var to []string
	for _, id := range sortedKeys(m.sub("notificationIDList")) {
		to = append(to, channels[id])
	}
	if to != nil {
		r.lose(name, "its notifications (%s); write alerts: by hand once the channels are there", strings.Join(to, ", "))
	}
	if text := m.text("description"); text != "" {
		r.lose(name, "its description")
	}
}
