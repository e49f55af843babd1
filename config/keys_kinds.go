package config

import (
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"sitemon"
)

const (
	maxUDPRetries   = 10
	maxEchoCount    = 100
	minEchoInterval = 10 * time.Millisecond
	maxEchoPayload  = 65507
	maxHops         = 255
	fullLoss        = 100
)

func kindsDNS() []sitemon.Kind  { return []sitemon.Kind{sitemon.KindDNS} }
func kindsICMP() []sitemon.Kind { return []sitemon.Kind{sitemon.KindICMP} }

// kindKeys say what is sent by the kinds that have more to say than an address.
func kindKeys() []key[draft] {
	return []key[draft]{
		request(keyInfo{
			name: "dns", value: typeMapping(dnsObject.info), kinds: kindsDNS(), example: `{ transport_protocol: tcp }`,
			doc: "How the question is asked. What is asked, and whom, the `url` says.",
		}, func(w *walker, f field, d *draft) {
			r := sitemon.DefaultDNSRequest()
			dnsObject.read(w, f.alone(), &r)
			d.dns, d.request.DNS = f, &r
		}),
		request(keyInfo{
			name: "icmp", value: typeMapping(icmpObject.info), kinds: kindsICMP(), example: `{ count: 5, interval: 100ms }`,
			doc: "Which echo requests are sent.",
		}, func(w *walker, f field, d *draft) {
			r := sitemon.DefaultICMPRequest()
			icmpObject.read(w, f.alone(), &r)
			d.icmp, d.request.ICMP = f, &r
		}),
		wsKey(),
		dialogueKey(),
		serviceKeys()[0],
		serviceKeys()[1],
	}
}

var transportProtocols = []string{"udp", "tcp"}

var dnsObject = newDNSObject()

func newDNSObject() *object[sitemon.DNSRequest] {
	o := newObject("dns", []key[sitemon.DNSRequest]{
		{
			keyInfo: keyInfo{
				name: "transport_protocol", value: typeWords(transportProtocols...), def: "udp", example: "tcp", oneOf: "transport",
				doc: "How the question travels. An answer that UDP cuts off is fetched by TCP in any case.",
			},
			read: func(w *walker, f field, r *sitemon.DNSRequest) {
				r.TCP = w.choice("transport_protocol", f.value, transportProtocols...) == 1
			},
		},
		{
			keyInfo: keyInfo{
				name: "dns_over_tls", value: typeBool, def: "false", example: "true", oneOf: "transport",
				doc: "Whether the question travels by TLS (DoT), to port 853 unless the address has one. `tls_config` and `expect.certificate_valid_for` apply then.",
			},
			read: func(w *walker, f field, r *sitemon.DNSRequest) { r.OverTLS = w.boolean("dns_over_tls", f.value) },
		},
		{
			keyInfo: keyInfo{
				name: "recursion_desired", value: typeBool, def: "true", example: "false",
				doc: "Whether the server is asked to ask others. `false` shows what an authoritative server has itself.",
			},
			read: func(w *walker, f field, r *sitemon.DNSRequest) {
				r.RecursionDesired = w.boolean("recursion_desired", f.value)
			},
		},
		{
			keyInfo: keyInfo{
				name: "udp_retries", value: typeCount(0, maxUDPRetries), def: "2", example: "0",
				doc: "How often a question by UDP is sent again while there is no answer, in equal shares of the timeout; where there are several servers, to each in turn.",
			},
			read: func(w *walker, f field, r *sitemon.DNSRequest) {
				r.UDPRetries = w.integer("udp_retries", f.value, 0, maxUDPRetries)
			},
		},
	}, nil)
	o.aliases = map[string]string{
		"protocol": "transport_protocol", "transport": "transport_protocol", "tcp": "transport_protocol", "udp": "transport_protocol",
		"dot": "dns_over_tls", "tls": "dns_over_tls", "recursion": "recursion_desired", "recursive": "recursion_desired", "retries": "udp_retries",
	}
	return o
}

var icmpObject = newICMPObject()

func newICMPObject() *object[sitemon.ICMPRequest] {
	o := newObject("icmp", []key[sitemon.ICMPRequest]{
		{
			keyInfo: keyInfo{
				name: "count", value: typeCount(1, maxEchoCount), def: "3", example: "5", doc: "How many echo requests one probe sends.",
			},
			read: func(w *walker, f field, r *sitemon.ICMPRequest) {
				r.Count = w.integer("count", f.value, 1, maxEchoCount)
			},
		},
		{
			keyInfo: keyInfo{
				name: "interval", value: typeDuration, def: "200ms", example: "1s", doc: "The time from one echo request to the next, from 10ms. All of them have to be sent within the site's timeout.",
			},
			read: func(w *walker, f field, r *sitemon.ICMPRequest) {
				r.Interval, _ = w.duration("interval", f.value, minEchoInterval, maxInterval)
			},
		},
		{
			keyInfo: keyInfo{
				name: "payload_size", value: typeCount(0, maxEchoPayload), def: "56", example: "1400", doc: "How many bytes an echo request carries, the headers not counted.",
			},
			read: func(w *walker, f field, r *sitemon.ICMPRequest) {
				r.PayloadSize = w.integer("payload_size", f.value, 0, maxEchoPayload)
			},
		},
		{
			keyInfo: keyInfo{
				name: "dont_fragment", value: typeBool, def: "false", example: "true", doc: "Whether echo requests are kept in one piece on the way, to find out whether they fit. For monitors on Linux.",
			},
			read: func(w *walker, f field, r *sitemon.ICMPRequest) { r.DontFragment = w.boolean("dont_fragment", f.value) },
		},
		{
			keyInfo: keyInfo{
				name: "ttl", value: typeCount(1, maxHops), def: "that of the system", example: "64", doc: "How many routers an echo request may pass.",
			},
			read: func(w *walker, f field, r *sitemon.ICMPRequest) { r.TTL = w.integer("ttl", f.value, 1, maxHops) },
		},
	}, nil)
	o.aliases = map[string]string{
		"packets": "count", "size": "payload_size", "packetsize": "payload_size", "df": "dont_fragment", "hops": "ttl", "hoplimit": "ttl", "timetolive": "ttl",
	}
	return o
}

// kindExpectations are those of the same kinds.
func kindExpectations() []key[sitemon.Expect] {
	return []key[sitemon.Expect]{
		{
			keyInfo: keyInfo{
				name: "rcode", value: typeRcodes, kinds: kindsDNS(), def: "NOERROR with a record of the type asked for", example: "NXDOMAIN",
				doc: "The response codes that are good. `rcode: NOERROR` also takes an answer without records.",
			},
			read: func(w *walker, f field, e *sitemon.Expect) { e.Rcodes = w.rcodes(f.value) },
		},
		{
			keyInfo: keyInfo{
				name: "authenticated", value: typeBool, kinds: kindsDNS(), def: "false", example: "true",
				doc: "Whether the server has to have verified the answer by DNSSEC (its flag AD), as resolvers do that validate.",
			},
			read: func(w *walker, f field, e *sitemon.Expect) { e.Authenticated = w.boolean("authenticated", f.value) },
		},
		{
			keyInfo: keyInfo{
				name: "max_loss", value: typeLoss, kinds: kindsICMP(), example: "20",
				doc: "How many percent of the echo requests may stay without an answer; more is degraded. A host that answers none is down.",
			},
			read: func(w *walker, f field, e *sitemon.Expect) { e.MaxLoss = w.loss("max_loss", f.value) },
		},
	}
}

var (
	typeRcodes = valueInfo{name: "list of words", schema: oneOrMore(schema{"enum": sitemon.RcodeNames()})}
	typeLoss   = valueInfo{name: "number", schema: schema{"type": "number", "minimum": 0, "exclusiveMaximum": fullLoss}}
)

func (w *walker) rcodes(n *yaml.Node) []sitemon.Rcode {
	var codes []sitemon.Rcode
	w.items("rcode", n, func(n *yaml.Node) {
		if i := w.choice("rcode", n, sitemon.RcodeNames()...); i >= 0 {
			codes = append(codes, sitemon.Rcode(i))
		}
	})
	return codes
}

func (w *walker) loss(name string, n *yaml.Node) *float64 {
	if v := deref(n); v.Kind == yaml.ScalarNode && strings.HasSuffix(v.Value, "%") && isNumber(strings.TrimSuffix(v.Value, "%")) {
		w.fail(n, "%s is in percent anyway; write %s", name, strings.TrimSuffix(v.Value, "%"))
		return nil
	}
	f := w.number(name, n)
	if f < 0 || f >= fullLoss {
		w.fail(n, "%s must be at least 0 and below 100 percent, not %s", name, deref(n).Value)
	}
	return &f
}

// ofKind notes what is wrong with keys of one kind beside each other.
func (w *walker) ofKind(n *yaml.Node, d *draft) {
	w.plainOrSecure(d)
	w.ofService(d)
	r := &d.request
	overTLS := r.DNS != nil && r.DNS.OverTLS
	switch { // what defaults brings may do nothing here, and is in stored definitions
	case w.kind == sitemon.KindDNS && !overTLS && d.tls.value != nil && !d.tls.inherited:
		w.warn(d.tls.key, "tls_config does nothing here without dns: { dns_over_tls: true }")
	case w.kind == sitemon.KindDNS && !overTLS && d.validity.value != nil && !d.validity.inherited:
		w.warn(d.validity.key, "certificate_valid_for does nothing here without dns: { dns_over_tls: true }")
	case w.kind == sitemon.KindTCP && !d.startTLS && d.tls.value != nil && !d.tls.inherited:
		w.warn(d.tls.key, "tls_config does nothing here without starttls: true in query_response; to speak TLS from the start, write tls://")
	case w.kind == sitemon.KindTCP && !d.startTLS && d.validity.value != nil && !d.validity.inherited:
		w.warn(d.validity.key, "certificate_valid_for does nothing here without starttls: true in query_response; to speak TLS from the start, write tls://")
	case r.DNS != nil && (r.DNS.TCP || overTLS) && r.DNS.UDPRetries != sitemon.DefaultDNSRequest().UDPRetries:
		w.fail(d.dns.value, "udp_retries does nothing where the question does not travel by UDP")
	case r.ICMP != nil && time.Duration(r.ICMP.Count-1)*r.ICMP.Interval >= d.site.Timeout:
		at := d.icmp.value
		if d.icmp.inherited {
			at = n
		}
		w.fail(at, "%d echo requests, one every %s, take longer than the timeout %s",
			r.ICMP.Count, FormatDuration(r.ICMP.Interval), FormatDuration(d.site.Timeout))
	}
}
