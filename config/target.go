package config

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"sitemon"
)

// schemes are the schemes of an address with the probes that they choose.
var schemes = map[string]sitemon.Kind{
	"http": sitemon.KindHTTP, "https": sitemon.KindHTTP, "tcp": sitemon.KindTCP, "tls": sitemon.KindTLS,
	"dns": sitemon.KindDNS, "icmp": sitemon.KindICMP,
	"grpc": sitemon.KindGRPC, "grpcs": sitemon.KindGRPC, "ws": sitemon.KindWS, "wss": sitemon.KindWS, "heartbeat": sitemon.KindHeartbeat,
	"postgres": sitemon.KindPostgres, "postgresql": sitemon.KindPostgres, "redis": sitemon.KindRedis, "rediss": sitemon.KindRedis, "kafka": sitemon.KindKafka,
}

var schemeNames = []string{"http", "https", "tcp", "tls", "dns", "icmp", "grpc", "grpcs", "ws", "wss", "heartbeat", "postgres", "redis", "rediss", "kafka"}

// schemeAliases say what to write instead of schemes that people try.
var schemeAliases = map[string]string{
	"ping": "icmp", "ssl": "tls", "starttls": "starttls", "websocket": "ws", "push": "heartbeat",
	"udp": "", "ssh": "tcp", "mysql": "tcp", "amqp": "tcp",
	"mongodb": "tcp", "smtp": "tcp", "imap": "tcp", "ftp": "tcp", "ldap": "tcp", "mqtt": "tcp",
	"smtps": "tls", "imaps": "tls", "ldaps": "tls",
}

// targetKind says by which kind of probe an address is reached, or what is wrong
// with its scheme. An address that begins with a reference is one for HTTP.
func targetKind(address string) (kind sitemon.Kind, fault string) {
	if strings.HasPrefix(address, "${") {
		return sitemon.KindHTTP, ""
	}
	if len(address) > 4 && strings.EqualFold(address[:4], "dns:") {
		return sitemon.KindDNS, "" // it need not name a server
	}
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok || strings.ContainsAny(scheme, "/?#${") {
		return "", schemeless(address)
	}
	scheme = strings.ToLower(scheme)
	if k, ok := schemes[scheme]; ok {
		return k, ""
	}
	instead, aliased := schemeAliases[scheme]
	switch {
	case instead == "heartbeat":
		return "", "url: unknown scheme " + quote(scheme) + "; for a site that calls us, write heartbeat://"
	case instead == "starttls":
		return "", "url: unknown scheme " + quote(scheme) + "; write tcp://host:port with starttls: true in query_response"
	case instead == "icmp":
		return "", "url: unknown scheme " + quote(scheme) + "; for echo requests, write icmp://host"
	case instead != "":
		return "", "url: unknown scheme " + quote(scheme) + "; to watch a port, write " + instead + "://host:port"
	case !aliased && closest(scheme, schemeNames) != "":
		return "", "url: unknown scheme " + quote(scheme) + ", did you mean " + quote(closest(scheme, schemeNames)+"://"+rest) + "?"
	}
	return "", "url: unknown scheme " + quote(scheme) + "; it can be one of " + builtSchemes()
}

// builtSchemes lists the schemes for people.
func builtSchemes() string { return strings.Join(schemeNames, ", ") }

func schemeless(address string) string {
	switch {
	case address == "":
		return "url is empty; write for example https://example.org/"
	case strings.Contains(address, ":/") || strings.ContainsAny(address, " \t\n"):
		return "url: " + quote(address) + " is no address; write for example https://example.org/"
	}
	host, port, _ := strings.Cut(strings.SplitN(address, "/", 2)[0], ":")
	if p, err := strconv.Atoi(port); err == nil && p != 80 && p != 443 && p < 8000 {
		return "url has no scheme; write tcp://" + host + ":" + port + " or https://" + address
	}
	return "url has no scheme; write https://" + strings.TrimPrefix(address, "//")
}

// targetFault says what is wrong with an address whose references have been
// replaced, or "".
func targetFault(address string, kind sitemon.Kind) string {
	if strings.ContainsFunc(address, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return "url has a space or a control character in it; write %20 for a space"
	}
	found, fault := targetKind(address)
	if fault != "" {
		return fault
	}
	if kind != "" && found != kind {
		return "url leads to " + string(found) + ":// only after its references are replaced; write the scheme out, as in " + string(found) + "://${NAME}"
	}
	if hasBareIPv6(address) {
		scheme, _, _ := strings.Cut(address, "://")
		return "url: an IPv6 address stands in brackets, as in " + scheme + "://[2001:db8::1]"
	}
	if kind == sitemon.KindDNS {
		if _, err := sitemon.ParseDNSURL(address); err != nil {
			return "url: " + strings.TrimPrefix(err.Error(), sitemon.ErrInvalid.Error()+": ") + "; write for example dns://192.0.2.53/example.org?type=AAAA"
		}
		return ""
	}
	if kind == sitemon.KindHeartbeat {
		return beatFault(address)
	}
	u, err := url.Parse(address)
	if err != nil {
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err // without the address, which may hold a password
		}
		return "url is no address: " + err.Error()
	}
	port, portErr := strconv.Atoi(u.Port())
	switch {
	case u.Hostname() == "":
		return "url has no host; write for example " + u.Scheme + "://example.org"
	case u.Port() != "" && (portErr != nil || port < 1 || port > 65535):
		return "url has the port " + u.Port() + "; a port is between 1 and 65535"
	case kind == sitemon.KindHTTP, kind == sitemon.KindWS:
		return ""
	case kind == sitemon.KindICMP:
		return echoFault(u)
	case slices.Contains(kindsOfServices(), kind):
		return serviceFault(u, kind)
	case u.Port() == "":
		return "url has no port; write " + u.Scheme + "://" + u.Host + portHint(kind)
	case kind == sitemon.KindGRPC:
		return grpcFault(u)
	case u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return "url: " + u.Scheme + ":// takes a host and a port only, as in " + u.Scheme + "://" + u.Host
	}
	return ""
}

// hasBareIPv6 reports whether the host of an address has colons that no brackets stand
// around, so that what follows the last one would be taken for a port.
func hasBareIPv6(address string) bool {
	_, rest, ok := strings.Cut(address, "://")
	if !ok {
		return false
	}
	host := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		host = rest[:i]
	}
	host = host[strings.LastIndexByte(host, '@')+1:]
	return strings.Count(host, ":") > 1 && !strings.Contains(host, "[")
}

// echoFault says what an address for ICMP has beside its host, or "".
func echoFault(u *url.URL) string {
	switch {
	case u.Port() != "":
		return "url: icmp:// takes no port; write icmp://" + u.Hostname() + ", or tcp://" + u.Host + " to watch the port"
	case u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return "url: icmp:// takes a host only, as in icmp://" + u.Host
	}
	return ""
}

// grpcFault says what an address for gRPC has beside its host, port and service, or
// "".
func grpcFault(u *url.URL) string {
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "url: " + u.Scheme + ":// takes a host, a port and a service, as in " + u.Scheme + "://" + u.Host + "/package.Service"
	}
	return ""
}

func portHint(kind sitemon.Kind) string {
	if kind == sitemon.KindTLS {
		return ":443"
	}
	return ":PORT"
}

// printable reports whether every character of s can be shown on one line.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
