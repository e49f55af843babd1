package probes

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"

	"sitemon"
)

const (
	dnsPort        = 53
	dnsOverTLSPort = 853
	// ednsSize is how large an answer by UDP may be: what passes everywhere in one
	// piece.
	ednsSize = 1232
)

// question is what a dns:// site asks, and whom.
type question struct {
	msg     *dns.Msg
	wire    []byte // msg as it is sent, behind two bytes of length for TCP
	host    string // of the server as written, for its certificate
	servers []netip.Addr
	port    uint16
	request sitemon.DNSRequest
	shown   *exchange
}

// probeDNS asks a name server a question.
func probeDNS(a *attempt) error {
	q, err := a.question()
	if err != nil {
		return err
	}
	answer, err := a.ask(q)
	if err == nil && a.refusesEDNS(q, answer) {
		q.msg.Extra = nil // RFC 6891 section 7
		if err = q.pack(); err == nil {
			answer, err = a.ask(q)
		}
	}
	if err != nil {
		return err
	}
	return a.judgeDNS(q, answer)
}

// question reads the site's and finds the addresses of its server.
func (a *attempt) question() (*question, error) {
	raw, err := a.expand(a.site.URL)
	if err != nil {
		return nil, err
	}
	t, err := sitemon.ParseDNSURL(raw)
	if err != nil {
		return nil, failf(sitemon.ReasonInternal, err, "the URL can't be read: %s", strings.TrimPrefix(err.Error(), sitemon.ErrInvalid.Error()+": "))
	}
	q := &question{request: sitemon.DefaultDNSRequest(), shown: &exchange{method: "QUERY", url: raw}}
	if a.site.Request.DNS != nil {
		q.request = *a.site.Request.DNS
	}
	a.asking(q.shown)
	if err := q.fill(t, a.site.Expect.Authenticated); err != nil {
		return nil, err
	}
	if t.Server == "" {
		return q, a.systemServers(q)
	}
	q.port = t.Port
	if q.port == 0 {
		q.port = dnsPort
		if q.request.OverTLS {
			q.port = dnsOverTLSPort
		}
	}
	if q.host, err = asciiHost(t.Server); err != nil {
		return nil, err
	}
	q.servers, err = a.resolve(q.host)
	return q, err
}

// fill makes the message.
func (q *question) fill(t sitemon.DNSTarget, authenticated bool) error {
	name, err := asciiHost(t.Name)
	if err != nil {
		return err
	}
	code, known := dns.StringToType[t.Type]
	if digits, ok := strings.CutPrefix(t.Type, "TYPE"); ok && !known {
		n, _ := strconv.ParseUint(digits, 10, 16) // checked by ParseDNSURL
		code = uint16(n)
	}
	if _, err := netip.ParseAddr(name); err == nil && t.Type == "PTR" {
		name, _ = dns.ReverseAddr(name)
	}
	q.msg = new(dns.Msg).SetQuestion(dns.Fqdn(name), code)
	if t.Class == "CH" {
		q.msg.Question[0].Qclass = dns.ClassCHAOS
	}
	q.msg.RecursionDesired, q.msg.AuthenticatedData = q.request.RecursionDesired, authenticated
	q.msg.SetEdns0(ednsSize, false)
	q.shown.fill = q.describe
	return q.pack()
}

// describe says in words what is asked.
func (q *question) describe() {
	q.shown.sent = map[string]string{"Question": strings.Join(strings.Fields(strings.TrimPrefix(q.msg.Question[0].String(), ";")), " ")}
}

// pack writes the message, with an id that nobody can guess.
func (q *question) pack() error {
	q.msg.Id = dns.Id()
	wire, err := q.msg.Pack()
	if err != nil {
		return failf(sitemon.ReasonInternal, err, "the question can't be asked: %s", strings.TrimPrefix(err.Error(), "dns: "))
	}
	q.wire = append([]byte{byte(len(wire) >> 8), byte(len(wire))}, wire...)
	return nil
}

// systemServers takes those that this machine itself asks.
func (a *attempt) systemServers(q *question) error {
	text, err := a.set.files.read(a.set.resolvConf)
	if err != nil {
		return failf(sitemon.ReasonInternal, err, "the system's name servers are not known: %v; name one: dns://192.0.2.53/…", err)
	}
	conf, err := dns.ClientConfigFromReader(strings.NewReader(text))
	if err != nil {
		return failf(sitemon.ReasonInternal, err, "the system's name servers are not known: %v", err)
	}
	var addrs []netip.Addr
	for _, server := range conf.Servers {
		if addr, err := netip.ParseAddr(server); err == nil && len(addrs) < maxAddresses {
			addrs = append(addrs, addr)
		}
	}
	if len(addrs) == 0 {
		return failf(sitemon.ReasonInternal, nil, "%s names no server; name one: dns://192.0.2.53/…", a.set.resolvConf)
	}
	q.port, q.host = dnsPort, addrs[0].String()
	if q.request.OverTLS {
		q.port = dnsOverTLSPort
	}
	if a.site.Request.PreferredIPProtocol == "" {
		q.servers = addrs // in the order of the file
		return nil
	}
	q.servers, err = a.preferred(addrs, "the system's resolver")
	return err
}

// ask sends the question in the way the site says and returns the answer to it.
func (a *attempt) ask(q *question) (*dns.Msg, error) {
	if q.request.TCP || q.request.OverTLS {
		return a.askStream(q, q.servers)
	}
	answer, server, err := a.askUDP(q)
	if err == nil && answer.Truncated {
		return a.askStream(q, []netip.Addr{server})
	}
	return answer, err
}

// refusesEDNS reports whether a server is too old for EDNS, which a site gets on
// without.
func (a *attempt) refusesEDNS(q *question, answer *dns.Msg) bool {
	return q.msg.IsEdns0() != nil && answer.IsEdns0() == nil && a.site.Expect.Rcodes == nil &&
		(answer.Rcode == dns.RcodeFormatError || answer.Rcode == dns.RcodeNotImplemented)
}

// errOther says that a message is no answer to the question.
var errOther = errors.New("the message is no answer to the question")

// answerOf reads a message that may be the answer to the question. Errors other
// than errOther say that it pretends to be.
func (q *question) answerOf(wire []byte) (*dns.Msg, error) {
	const answers = 0x80 // the flag QR
	if len(wire) < 12 || wire[0] != byte(q.msg.Id>>8) || wire[1] != byte(q.msg.Id) || wire[2]&answers == 0 {
		return nil, errOther
	}
	m := new(dns.Msg)
	if err := m.Unpack(wire); err != nil {
		if m.MsgHdr.Truncated && len(m.Question) == 1 && q.same(m) {
			m.Answer, m.Ns, m.Extra = nil, nil, nil // cut off amid a record
			return m, nil
		}
		return nil, err
	}
	refused := len(m.Question) == 0 && len(m.Answer) == 0 && m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError
	if refused || q.same(m) {
		return m, nil
	}
	return nil, errOther
}

// same reports whether a message repeats the question.
func (q *question) same(m *dns.Msg) bool {
	if len(m.Question) != 1 {
		return false
	}
	asked, got := q.msg.Question[0], m.Question[0]
	return got.Qtype == asked.Qtype && got.Qclass == asked.Qclass && strings.EqualFold(got.Name, asked.Name)
}

// answered takes note of the time that an answer took, and of its size.
func (a *attempt) answered(sent, began time.Time, size int) {
	a.report.Phases.Processing += began.Sub(sent)
	a.report.BodyBytes = int64(size)
}
