package importer

import (
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// kumaQuiet are keys of a monitor that say nothing about what is watched, or that all
// monitors have and only those of another type use.
var kumaQuiet = []string{
	"id", "weight", "childrenIDs", "forceInactive", "includeSensitiveData", "path", "pathName", "screenshot", "maintenance", "created_date", "user_id", "dns_last_result",
	"docker_container", "docker_host", "grpcUrl", "grpcProtobuf", "grpcMethod", "grpcServiceName", "grpcBody", "grpcMetadata", "grpcEnableTls", "mqttTopic", "mqttSuccessMessage",
	"mqttCheckType", "mqttUsername", "mqttPassword", "mqttWebsocketPath", "databaseConnectionString", "databaseQuery", "radiusUsername", "radiusPassword", "radiusSecret",
	"radiusCalledStationId", "radiusCallingStationId", "game", "gamedigGivenPortOnly", "gamedigToken", "kafkaProducerTopic", "kafkaProducerBrokers", "kafkaProducerSaslOptions",
	"kafkaProducerMessage", "kafkaProducerSsl", "kafkaProducerAllowAutoTopicCreation", "oauth_auth_method", "remote_browser", "screenshot_delay", "rabbitmqNodes", "rabbitmqUsername",
	"rabbitmqPassword", "snmpOid", "snmpVersion", "pushToken", "saveResponse", "saveErrorResponse", "responseMaxLength", "subtype", "location", "protocol", "system_service_name",
	"ntpStratumThreshold", "ntpTimeOffsetThreshold", "ntpRootDispersionThreshold", "ping_numeric", "ping_count", "ping_per_request_timeout", "smtpSecurity", "packetSize",
	"port", "hostname", "url", "method", "maxredirects", "accepted_statuscodes", "authMethod", "basic_auth_user", "basic_auth_pass", "bearer_token", "authDomain", "authWorkstation",
	"oauth_client_id", "oauth_client_secret", "oauth_token_url", "oauth_scopes", "oauth_audience", "tlsCa", "tlsCert", "tlsKey", "headers", "body", "httpBodyEncoding",
	"keyword", "invertKeyword", "jsonPath", "jsonPathOperator", "expectedValue", "dns_resolve_type", "dns_resolve_server", "wsSubprotocol", "wsIgnoreSecWebsocketAcceptHeader",
	"ignoreTls", "expiryNotification", "ipFamily", "proxyId",
}

// kumaUsual are values that say nothing, as monitors have them from the start.
var kumaUsual = map[string]string{"conditions": "[]", "expectedTlsAlert": "none"}

// targets are the URLs of a monitor, of which one is enough; none where no kind of
// site fits. What is particular to its type is set.
func (k *kuma) targets(s *Site, name, kind string, m mapping) []string {
	host, port := m.text("hostname"), m.text("port")
	switch kind {
	case "http", "keyword", "json-query", "websocket-upgrade":
		return []string{m.textOf("url")}
	case "real-browser":
		k.lose(name, "it is opened by a browser there; here the address is fetched, and what it loads is not")
		return []string{m.textOf("url")}
	case "port":
		return k.port(s, name, net.JoinHostPort(host, port), port, m)
	case "smtp":
		return k.smtp(s, host, port, m)
	case "tailscale-ping":
		k.lose(name, "it is asked by tailscale ping there, and by ICMP here")
		return []string{"icmp://" + bracketed(host)}
	case "ping":
		k.ping(s, m)
		return []string{"icmp://" + bracketed(host)}
	case "dns":
		return k.dns(s, name, host, port, m)
	case "grpc-keyword":
		return []string{kumaGRPCTarget(m)}
	case "push":
		return []string{"heartbeat://"}
	case "postgres", "redis":
		return []string{m.text("databaseConnectionString")}
	case "kafka-producer":
		return k.kafka(s, name, m)
	case "rabbitmq":
		return k.rabbitmq(s, name, m)
	case "mysql", "mongodb", "mqtt", "sqlserver":
		return k.portOf(name, kind, host, port, m)
	}
	return nil
}

// bracketed is a host as addresses have it.
func bracketed(host string) string {
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		return "[" + host + "]"
	}
	return host
}

// port is a monitor of a port, which also looks at the certificate where it is told
// when that ends.
func (k *kuma) port(s *Site, name, address, port string, m mapping) []string {
	security, expiry := m.text("smtpSecurity"), m.flag("expiryNotification", false)
	switch {
	case !expiry || security == "":
		return []string{"tcp://" + address}
	case security == "starttls" && slices.Contains([]string{"25", "587", "2525"}, port):
		s.set("query_response", smtpDialogue())
	case security == "starttls":
		k.lose(name, "its certificate behind STARTTLS; docs/kinds.md has what to write to query_response")
		return []string{"tcp://" + address}
	default:
		address = "tls://" + address
	}
	s.set("expect", []Key{{"certificate_valid_for", "14d"}})
	return []string{strings.Replace("tcp://"+address, "tcp://tls://", "tls://", 1)}
}

// smtp is a monitor of a mail server.
func (k *kuma) smtp(s *Site, host, port string, m mapping) []string {
	if port == "" {
		port = "25"
	}
	scheme, dialogue := "tcp://", []any{
		map[string]any{"expect": "^220 ", "send": "EHLO localhost\r"},
		map[string]any{"expect": "^250 ", "send": "QUIT\r"},
	}
	switch m.text("smtpSecurity") {
	case "secure":
		scheme = "tls://"
	case "starttls":
		dialogue = smtpDialogue()
	}
	s.set("query_response", dialogue)
	return []string{scheme + net.JoinHostPort(host, port)}
}

func (k *kuma) ping(s *Site, m mapping) {
	var icmp []Key
	if n, ok := m.number("ping_count"); ok && n > 0 {
		icmp = append(icmp, Key{"count", int(n)})
	}
	if n, ok := m.number("packetSize"); ok && n > 0 && n != 56 {
		icmp = append(icmp, Key{"payload_size", int(n)})
	}
	s.set("icmp", icmp)
}

// dns is a monitor that asks a name server. Its one condition is about any of the
// records.
func (k *kuma) dns(s *Site, name, host, port string, m mapping) []string {
	servers := strings.FieldsFunc(m.text("dns_resolve_server"), func(c rune) bool { return c == ',' || c == ' ' })
	server := ""
	if len(servers) > 0 {
		server = bracketed(servers[0])
		for _, more := range servers[1:] {
			k.lose(name, "the name server %s beside %s", more, servers[0])
		}
		if port != "" && port != "53" {
			server += ":" + port
		}
	}
	record := m.text("dns_resolve_type")
	c := &conditions{scheme: "dns", record: record}
	if record == "" {
		c.record = "A"
	}
	all := m.list("conditions")
	if len(all) == 1 {
		one := asMapping(all[0])
		value := one.text("value")
		if pattern, ok := map[string]string{"equals": value, "contains": "pat(*" + value + "*)", "starts_with": "pat(" + value + "*)", "ends_with": "pat(*" + value + ")"}[one.text("operator")]; ok && one.text("variable") == "record" {
			c.matches("==", c.records(pattern))
			s.set("expect", c.keys())
			all = nil
		}
	}
	if len(all) > 0 {
		k.lose(name, "its conditions; write what the records have to be to expect.body.match")
	}
	return []string{gatusDNS(server, host, record)}
}

// kafka is a monitor that writes a message into a topic.
func (k *kuma) kafka(s *Site, name string, m mapping) (targets []string) {
	k.lose(name, "it writes a message into the topic there; here a broker is asked for the state of the topic, and nothing is written")
	sasl := asMapping(decoded(m.take("kafkaProducerSaslOptions")))
	mechanism, user := sasl.text("mechanism"), ""
	var keys []Key
	if m.flag("kafkaProducerSsl", false) {
		keys = append(keys, Key{"tls", true})
	}
	switch mechanism {
	case "", "None":
	case "plain", "scram-sha-256", "scram-sha-512":
		keys = append(keys, Key{"sasl_mechanism", mechanism})
		user = url.UserPassword(sasl.text("username"), sasl.text("password")).String() + "@"
	default:
		k.lose(name, "signing in by %s is not carried over", mechanism)
	}
	s.set("kafka", keys)
	brokers, _ := decoded(m.take("kafkaProducerBrokers")).([]any)
	for _, b := range brokers {
		if broker, ok := b.(string); ok {
			targets = append(targets, "kafka://"+user+broker+"/"+url.PathEscape(m.textOf("kafkaProducerTopic")))
		}
	}
	return targets
}

// rabbitmq is a monitor that asks the nodes of RabbitMQ for alarms.
func (k *kuma) rabbitmq(s *Site, name string, m mapping) (targets []string) {
	s.set("basic_auth", []Key{{"username", m.text("rabbitmqUsername")}, {"password", m.text("rabbitmqPassword")}})
	nodes, _ := decoded(m.take("rabbitmqNodes")).([]any)
	for _, n := range nodes {
		if node, ok := n.(string); ok {
			targets = append(targets, strings.TrimSuffix(node, "/")+"/api/health/checks/alarms/")
		}
	}
	if len(targets) > 1 {
		k.lose(name, "there it is up while one of its nodes is; here each node is a site")
	}
	s.set("expect", []Key{{"status", []any{200}}})
	return targets
}

// server is where the connection string of a database leads.
var server = regexp.MustCompile(`(?i)(?:server|data source)=(?:tcp:)?([^,;]+)(?:,(\d+))?`)

// portOf is a monitor of a service that is not spoken here: only its port is looked at.
func (k *kuma) portOf(name, kind, host, port string, m mapping) []string {
	connection := m.text("databaseConnectionString")
	usual := map[string]string{"mysql": "3306", "mongodb": "27017", "mqtt": "1883", "sqlserver": "1433"}[kind]
	switch u, err := url.Parse(connection); {
	case kind == "mqtt":
		host = withoutScheme(host)
	case kind == "sqlserver":
		found := server.FindStringSubmatch(connection)
		if found == nil {
			return nil
		}
		host, port = found[1], found[2]
	case err != nil || u.Hostname() == "" || u.Scheme == "mongodb+srv":
		return nil
	default:
		host, port = u.Hostname(), u.Port()
	}
	if port == "" {
		port = usual
	}
	k.lose(name, "monitors of type %s: the site only looks whether the port answers", kind)
	return []string{"tcp://" + net.JoinHostPort(host, port)}
}
