package sitemon

import (
	"slices"
	"strconv"
	"time"
)

// DNSRequest is how a question of the DNS is asked. The names are
// blackbox_exporter's but for UDPRetries.
type DNSRequest struct {
	TCP     bool // TransportProtocol "tcp"; else UDP, and TCP where the answer is cut off
	OverTLS bool // DNS over TLS (RFC 7858), on port 853
	// RecursionDesired asks the server to ask others. Default true.
	RecursionDesired bool
	// UDPRetries is how often a question that stays without an answer is sent again,
	// in equal shares of the timeout. Default 2.
	UDPRetries int
}

// DefaultDNSRequest is how a question is asked unless a site says otherwise.
func DefaultDNSRequest() DNSRequest { return DNSRequest{RecursionDesired: true, UDPRetries: 2} }

// ICMPRequest is which echo requests are sent.
type ICMPRequest struct {
	Count    int           // default 3
	Interval time.Duration // from one to the next; default 200 ms
	// PayloadSize is in bytes, the headers of ICMP and IP not counted. Default 56.
	PayloadSize  int
	DontFragment bool
	TTL          int // hops at most; 0: the system's default
}

// DefaultICMPRequest is what is sent unless a site says otherwise.
func DefaultICMPRequest() ICMPRequest {
	return ICMPRequest{Count: 3, Interval: 200 * time.Millisecond, PayloadSize: 56}
}

// Rcode is a response code of the DNS (RFC 6895).
type Rcode int

// RcodeSuccess and RcodeNameError are those that say whether a name exists.
const (
	RcodeSuccess   Rcode = 0
	RcodeNameError Rcode = 3
)

var rcodeNames = []string{
	"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE",
}

// RcodeNames are the names of response codes, such as "NXDOMAIN".
func RcodeNames() []string { return slices.Clone(rcodeNames) }

// String returns the code's name, or RCODE and its number.
func (r Rcode) String() string {
	if r >= 0 && int(r) < len(rcodeNames) {
		return rcodeNames[r]
	}
	return "RCODE" + strconv.Itoa(int(r))
}
