package sitemon

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// Kind says how a site is probed; the scheme of its URL decides it.
type Kind string

// The kinds of probe.
const (
	KindHTTP     Kind = "http"     // http:// and https://
	KindTCP      Kind = "tcp"      // tcp://host:port
	KindTLS      Kind = "tls"      // tls://host:port
	KindDNS      Kind = "dns"      // dns://server/name?type=A, see [ParseDNSURL]
	KindICMP     Kind = "icmp"     // icmp://host
	KindPostgres Kind = "postgres" // postgres://host:port/database and postgresql://
	KindRedis    Kind = "redis"    // redis://host:port/number and rediss://
	KindKafka    Kind = "kafka"    // kafka://host:port/topic
	KindGRPC     Kind = "grpc"     // grpc://host:port/service and grpcs://: its health by grpc.health.v1
	KindWS       Kind = "ws"       // ws:// and wss://
)

// Site is one thing that is watched. A Site and all it points to is immutable
// once it has left package config: it is shared between goroutines, and sites
// with equal requests or expectations share one value.
type Site struct {
	// Name identifies the site everywhere: 1 to 200 printable characters.
	Name string
	// URL is the target as written, ${…} references not expanded.
	URL  string
	Kind Kind

	Group   string
	Tags    []string
	Enabled bool

	// Interval is the time between two slots, 1 s to 24 h in whole milliseconds.
	Interval time.Duration
	// Timeout bounds one probe; it is at most Interval.
	Timeout time.Duration

	// FailureThreshold is how many failed reports in a row make the status down,
	// SuccessThreshold how many good ones end it. Both are at least 1.
	FailureThreshold int
	SuccessThreshold int

	// Retries is how many further attempts a failed probe gets within its slot, and
	// RetryInterval the time between two attempts; the last one's report counts.
	Retries       int
	RetryInterval time.Duration

	// Locations are those that probe the site; nil: all.
	Locations []string
	// Quorum is how many of them must say down before the site is.
	Quorum Quorum
	// Rules are what follows from the status; nil: nothing.
	Rules *Rules

	Request *Request // never nil
	Expect  *Expect  // never nil
	// Steps are the requests of a site that makes several; nil: Request says all.
	Steps []Step

	// References is true where a text of the site holds a ${…} reference, which
	// is expanded for each probe and never stored.
	References bool

	// Definition is the site in effect as canonical JSON: an object with the keys
	// of sites.yaml, sorted, defaults applied, ${…} unexpanded, credentials as
	// written. Two sites are the same exactly if their definitions are equal. It
	// goes into the store and nowhere else, as it may hold credentials.
	Definition json.RawMessage
}

// ProbedAt reports whether the monitors of a location probe the site while it is
// enabled.
func (s *Site) ProbedAt(location string) bool {
	return s.Locations == nil || slices.Contains(s.Locations, location)
}

// Request is what a probe sends, and how it connects. The names are
// blackbox_exporter's.
type Request struct {
	Method  string // "GET" unless set
	Headers []Header
	Body    string

	FollowRedirects bool // default true
	MaxRedirects    int  // default 10

	BasicAuth     *BasicAuth
	Authorization *Authorization
	OAuth2        *OAuth2

	ProxyURL string
	TLS      *TLSConfig // nil: the system's roots, TLS 1.2 or later

	// PreferredIPProtocol is "ip4", "ip6", or "" for both as RFC 8305 has it.
	PreferredIPProtocol string
	// IPProtocolFallback allows the other family where the preferred one has no
	// address. Default true.
	IPProtocolFallback bool

	// BodySizeLimit is how many decoded bytes of the body are read and judged.
	BodySizeLimit int64 // default 1 MiB
	EnableHTTP2   bool  // default true
	// EnableH2C speaks HTTP/2 without TLS to http:// addresses, by prior knowledge.
	EnableH2C bool
	// EnableHTTP3 speaks HTTP/3 to https:// addresses, and nothing else.
	EnableHTTP3 bool
	// KeepAlive keeps the connection for the next probe. Default false: a fresh
	// connection is what a visitor meets.
	KeepAlive bool

	DNS  *DNSRequest  // nil: as [DefaultDNSRequest]
	ICMP *ICMPRequest // nil: as [DefaultICMPRequest]
	// QueryResponse is what is said on the connection of a tcp or tls site; nil:
	// nothing.
	QueryResponse []DialogueStep
	Postgres      *PostgresRequest // nil: as [DefaultPostgresRequest]
	Kafka         *KafkaRequest    // nil: as [DefaultKafkaRequest]
	WS            *WSRequest       // nil: nothing is sent and no subprotocol offered
	// Heartbeat is never nil for a site that calls us, and nil for all others.
	Heartbeat *HeartbeatRequest
}

// Header is one header field of a request. Its value may be a credential.
type Header struct {
	Name  string
	Value Secret
}

// BasicAuth is HTTP basic authentication (RFC 7617). Files are read again while
// the program runs, so that they can be rotated.
type BasicAuth struct {
	Username     string
	UsernameFile string
	Password     Secret
	PasswordFile string
}

// Authorization is an Authorization header: its type ("Bearer" unless set) and
// its credentials, in place or in a file.
type Authorization struct {
	Type            string
	Credentials     Secret
	CredentialsFile string
}

// OAuth2 is the client credentials grant (RFC 6749 section 4.4).
type OAuth2 struct {
	ClientID         string
	ClientSecret     Secret
	ClientSecretFile string
	TokenURL         string
	Scopes           []string
	EndpointParams   []Header // sorted by name
}

// TLSConfig changes how a server's certificate is checked and which certificate
// is shown to it. PEM texts are given in place or as files.
type TLSConfig struct {
	CA                 string
	CAFile             string
	Cert               string
	CertFile           string
	Key                Secret
	KeyFile            string
	ServerName         string
	InsecureSkipVerify bool
	MinVersion         uint16 // as in crypto/tls; 0: TLS 1.2
	MaxVersion         uint16 // 0: the newest
}

// Expect is what a good answer looks like. A zero field expects nothing.
type Expect struct {
	// Status lists the status codes that are good; nil means 200-399, judged
	// after redirects.
	Status       []StatusRange
	HTTPVersions []string  // such as "HTTP/2.0"; nil: any
	BodyMatch    []Pattern // all must match
	BodyNotMatch []Pattern // none may match
	Headers      []HeaderPattern
	JSON         []JSONExpectation
	// Rcodes are the response codes of the DNS that are good; nil: NOERROR with a
	// record of the type that was asked for.
	Rcodes []Rcode
	// Authenticated expects the DNS server to have verified the answer by DNSSEC.
	Authenticated bool
	// MaxLoss is the share of echo requests without an answer, in percent, above
	// which the report is degraded; nil: none. Without any answer it is down.
	MaxLoss *float64
	// Latency is the duration above which the report is degraded; 0: none.
	Latency time.Duration
	// CertificateValidFor is the validity below which the report is degraded.
	CertificateValidFor time.Duration
	// Expr are conditions that all have to hold.
	Expr []Condition
	// TLSMinVersion is the oldest version that is good, as in crypto/tls; 0: any.
	TLSMinVersion uint16
	TLSIssuer     *Pattern // of the server's certificate; nil: any
	TLSNames      []string // hosts that the server's certificate has to be for
	// BodyHash is "stable", where the body has to stay as it was, or "sha256:" and
	// what its hash has to be; "": anything.
	BodyHash string
	// Values are numbers of the answer for the report, beside those that named groups
	// of BodyMatch capture.
	Values []ValueExpr
}

// Condition is a condition in the language of package expression.
type Condition struct {
	Expr     string
	Degrades bool // a report that does not meet it is degraded, not down
}

// ValueExpr is a number by an expression.
type ValueExpr struct {
	Name string // as [ValidValueName] has it
	Expr string
}

// StatusRange is an inclusive range of HTTP status codes.
type StatusRange struct{ From, To int }

// String returns the range as it is written in sites.yaml: "304" or "200-299".
func (r StatusRange) String() string {
	if r.From == r.To {
		return strconv.Itoa(r.From)
	}
	return strconv.Itoa(r.From) + "-" + strconv.Itoa(r.To)
}

// HeaderPattern expects a response header to be there and to match.
type HeaderPattern struct {
	Name    string
	Pattern Pattern
}

// JSONOperator is the comparison of a [JSONExpectation].
type JSONOperator string

// The comparisons of a value found in a JSON body.
const (
	JSONEquals      JSONOperator = "equals" // same JSON type and value
	JSONNotEquals   JSONOperator = "not_equals"
	JSONMatches     JSONOperator = "matches" // a regular expression
	JSONExists      JSONOperator = "exists"  // true or false
	JSONLessThan    JSONOperator = "less_than"
	JSONGreaterThan JSONOperator = "greater_than"
)

// JSONExpectation is a condition on one value of a JSON body.
type JSONExpectation struct {
	Path     string // a GJSON path
	Operator JSONOperator
	Value    json.RawMessage // the value to compare with, as JSON
	Pattern  Pattern         // compiled Value of JSONMatches
	Number   float64         // Value of JSONLessThan and JSONGreaterThan
}
