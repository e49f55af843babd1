package sitemon

import "strings"

// PostgresRequest is what a postgres:// site asks.
type PostgresRequest struct {
	// Query is the statement that is run. Default "SELECT 1".
	Query string
}

// DefaultPostgresRequest is what is asked unless a site says otherwise.
func DefaultPostgresRequest() PostgresRequest { return PostgresRequest{Query: "SELECT 1"} }

// KafkaRequest is how a kafka:// site signs in.
type KafkaRequest struct {
	TLS bool
	// Mechanism is one of [KafkaMechanisms], for the user of the URL. Default "plain".
	Mechanism string
}

// DefaultKafkaRequest is how a site signs in unless it says otherwise.
func DefaultKafkaRequest() KafkaRequest { return KafkaRequest{Mechanism: KafkaMechanisms()[0]} }

// KafkaMechanisms are the mechanisms by which a user can sign in to Kafka.
func KafkaMechanisms() []string { return []string{"plain", "scram-sha-256", "scram-sha-512"} }

// PostgresModes are the values of sslmode in the URL of a postgres:// site, as libpq
// has them.
func PostgresModes() []string {
	return []string{"disable", "prefer", "require", "verify-ca", "verify-full"}
}

// ServiceURL is an address with a user in it, whose ${…} references are not expanded:
// their values may hold any character, so it is divided before they are replaced.
type ServiceURL struct {
	Address        string // without user and password
	User, Password string // as they are written
}

// ParseServiceURL divides an address.
func ParseServiceURL(raw string) ServiceURL {
	masked := maskReferences(raw)
	_, rest, ok := strings.Cut(masked, "://")
	if !ok {
		return ServiceURL{Address: raw}
	}
	start := len(raw) - len(rest)
	end := len(raw)
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		end = start + i
	}
	at := strings.LastIndexByte(masked[start:end], '@')
	if at < 0 {
		return ServiceURL{Address: raw}
	}
	at += start
	u := ServiceURL{Address: raw[:start] + raw[at+1:], User: raw[start:at]}
	if i := strings.IndexByte(masked[start:at], ':'); i >= 0 {
		u.User, u.Password = raw[start:start+i], raw[start+i+1:at]
	}
	return u
}
