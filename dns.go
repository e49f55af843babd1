package sitemon

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// DNSTarget is what the address of a dns:// site says: which question goes to
// which server.
type DNSTarget struct {
	Server string // a host or an address; "": the system's own
	Port   uint16 // 0: the usual one
	Name   string // as written, without a dot at its end unless it is the root
	Type   string // such as "AAAA"
	Class  string // "IN" or "CH"
}

// dnsTypes are the types of records that can be asked for by name; all others as
// TYPE and their number (RFC 3597).
var dnsTypes = []string{
	"A", "AAAA", "ANY", "CAA", "CDNSKEY", "CDS", "CNAME", "DNAME", "DNSKEY", "DS", "HTTPS", "LOC", "MX", "NAPTR", "NS", "NSEC",
	"NSEC3PARAM", "PTR", "RRSIG", "SOA", "SPF", "SRV", "SSHFP", "SVCB", "TLSA", "TXT", "URI",
}

// ParseDNSURL reads the address of a dns:// site as RFC 4501 has it:
// dns://server:port/name?type=AAAA asks that server, dns:name the system's own.
// The type is A unless set, the class IN. Errors wrap [ErrInvalid] and do not
// repeat the address.
func ParseDNSURL(address string) (DNSTarget, error) {
	t, err := parseDNSURL(address)
	if err != nil {
		return DNSTarget{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return t, nil
}

func parseDNSURL(address string) (DNSTarget, error) {
	u, err := url.Parse(address)
	if err != nil {
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err // without the address
		}
		return DNSTarget{}, err
	}
	if u.User != nil || u.Fragment != "" {
		return DNSTarget{}, errors.New("a DNS address takes no user and no fragment")
	}
	t := DNSTarget{Server: u.Hostname(), Type: "A", Class: "IN"}
	name := u.Opaque
	if name == "" {
		name = strings.TrimPrefix(u.EscapedPath(), "/")
	}
	if t.Name, err = url.PathUnescape(name); err != nil {
		return DNSTarget{}, err
	}
	if u.Port() != "" {
		port, err := strconv.ParseUint(u.Port(), 10, 16)
		if err != nil || port == 0 {
			return DNSTarget{}, fmt.Errorf("the port %s is not between 1 and 65535", u.Port())
		}
		t.Port = uint16(port)
	}
	if err := t.readQuery(u.RawQuery); err != nil {
		return DNSTarget{}, err
	}
	return t, t.checkName()
}

// readQuery reads type and class. RFC 4501 parts them with a semicolon.
func (t *DNSTarget) readQuery(query string) error {
	for pair := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == ';' || r == '&' }) {
		key, value, _ := strings.Cut(pair, "=")
		value = strings.ToUpper(value)
		switch strings.ToLower(key) {
		case "type":
			if !knownDNSType(value) {
				return fmt.Errorf("unknown type of record %q; it can be A, AAAA, CNAME, MX, NS, PTR, SOA, SRV, TXT, CAA … or TYPE and a number", value)
			}
			t.Type = value
		case "class":
			if value != "IN" && value != "CH" {
				return fmt.Errorf("the class %q can't be asked for; it can be IN or CH", value)
			}
			t.Class = value
		default:
			return fmt.Errorf("unknown parameter %q; an address of the DNS takes type and class", key)
		}
	}
	return nil
}

// knownDNSType reports whether a type of record can be asked for. Numbers from 128
// to 255 are transfers and the like.
func knownDNSType(name string) bool {
	if digits, ok := strings.CutPrefix(name, "TYPE"); ok {
		n, err := strconv.ParseUint(digits, 10, 16)
		return err == nil && n > 0 && (n < 128 || n > 255)
	}
	return slices.Contains(dnsTypes, name)
}

// checkName looks at what can be seen of a name as it is written.
func (t *DNSTarget) checkName() error {
	if t.Name == "." {
		return nil
	}
	t.Name = strings.TrimSuffix(t.Name, ".")
	if _, err := netip.ParseAddr(t.Name); err == nil && t.Type != "PTR" {
		return fmt.Errorf("%s is an address, not a name; to ask for its name, write ?type=PTR", t.Name)
	}
	switch {
	case t.Name == "":
		return errors.New("the name to ask for is missing")
	case strings.Contains(t.Name, "/"):
		return errors.New("the name to ask for has a slash in it")
	case len(t.Name) > 253:
		return fmt.Errorf("the name to ask for has %d characters; it can have 253", len(t.Name))
	}
	for label := range strings.SplitSeq(t.Name, ".") {
		if label == "" || len(label) > 63 {
			return fmt.Errorf("the name to ask for has a part of %d characters; each can have 1 to 63", len(label))
		}
	}
	return nil
}
