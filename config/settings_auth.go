package config

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"sitemon"
)

// AuthSettings say who may come in and what they may do: "viewer" reads, "operator"
// changes too.
type AuthSettings struct {
	Basic  []BasicUser
	Tokens []AuthToken
	OIDC   *OIDCSettings // nil: there is none
}

// BasicUser is somebody with a password.
type BasicUser struct {
	Username     string
	PasswordHash sitemon.Secret // bcrypt
	Role         string
}

// AuthToken is a program with a bearer token.
type AuthToken struct {
	Name  string
	Token sitemon.Secret
	Role  string
}

// OIDCSettings are an OpenID Connect provider, and which of its people have a role.
type OIDCSettings struct {
	Issuer       string // URL
	ClientID     string
	ClientSecret sitemon.Secret
	// RolesClaim is the claim in which Operators and Viewers are looked for.
	RolesClaim         string
	Operators, Viewers []string
}

// Required reports whether anybody has to sign in.
func (a *AuthSettings) Required() bool {
	return len(a.Basic) > 0 || len(a.Tokens) > 0 || a.OIDC != nil
}

// leastToken is the length of the shortest token, in bytes: less could be guessed.
const leastToken = 16

// bcryptHash is the form of bcrypt's hashes.
var bcryptHash = regexp.MustCompile(`^\$2[abxy]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}$`)

// authRoles are the roles, from the least on.
var authRoles = []string{"viewer", "operator"}

// readAuth reads the section auth.
func (f *settingsFile) readAuth(n *yaml.Node) {
	at := f.at(n)
	before := len(f.faults)
	parts := f.object(n, "auth", "basic", "tokens", "oidc")
	for i, o := range f.objects(parts["basic"], "auth.basic", "username", "password_hash", "role") {
		key := fmt.Sprintf("auth.basic[%d]", i)
		u := BasicUser{Username: f.text(o, key, "username"), PasswordHash: sitemon.Secret(f.text(o, key, "password_hash")), Role: f.role(o, key)}
		if h := u.PasswordHash.Reveal(); h != "" && !bcryptHash.MatchString(h) {
			f.fail(o["password_hash"], "%s.password_hash is no bcrypt hash; sitemon hash-password makes one", key)
		}
		if strings.Contains(u.Username, ":") {
			f.fail(o["username"], "%s.username has a colon, which the protocol can't carry", key)
		}
		if slices.ContainsFunc(f.auth.Basic, func(b BasicUser) bool { return b.Username == u.Username }) {
			f.fail(o["username"], "%s.username %q is there twice", key, u.Username)
		}
		f.auth.Basic = append(f.auth.Basic, u)
	}
	for i, o := range f.objects(parts["tokens"], "auth.tokens", "name", "token", "role") {
		key := fmt.Sprintf("auth.tokens[%d]", i)
		t := AuthToken{Name: f.text(o, key, "name"), Token: sitemon.Secret(f.text(o, key, "token")), Role: f.role(o, key)}
		if s := t.Token.Reveal(); s != "" && len(s) < leastToken {
			f.fail(o["token"], "%s.token is shorter than %d characters and could be guessed; `openssl rand -hex 24` makes one", key, leastToken)
		}
		if slices.ContainsFunc(f.auth.Tokens, func(a AuthToken) bool { return a.Name == t.Name }) {
			f.fail(o["name"], "%s.name %q is there twice", key, t.Name)
		}
		f.auth.Tokens = append(f.auth.Tokens, t)
	}
	if oidc := parts["oidc"]; oidc != nil {
		f.readOIDC(oidc)
	}
	if len(f.faults) == before && !f.auth.Required() {
		f.faults = append(f.faults, settingFault{at, "auth lets nobody in; give it basic, tokens or oidc, or take it out"})
	}
}

func (f *settingsFile) readOIDC(n *yaml.Node) {
	const key = "auth.oidc"
	o := f.object(n, key, "issuer", "client_id", "client_secret", "roles_claim", "operators", "viewers")
	if o == nil {
		return
	}
	s := &OIDCSettings{
		Issuer: f.text(o, key, "issuer"), ClientID: f.text(o, key, "client_id"),
		ClientSecret: sitemon.Secret(f.text(o, key, "client_secret")), RolesClaim: "groups",
		Operators: f.texts(o, key, "operators"), Viewers: f.texts(o, key, "viewers"),
	}
	if o["roles_claim"] != nil {
		s.RolesClaim = f.text(o, key, "roles_claim")
	}
	if s.Issuer != "" && !safeIssuer(s.Issuer) {
		f.fail(o["issuer"], "%s.issuer must be an https URL without a query; http is for this machine alone", key)
	}
	if len(s.Operators) == 0 && len(s.Viewers) == 0 {
		f.fail(n, "%s names neither operators nor viewers, so nobody could come in", key)
	}
	f.auth.OIDC = s
}

// safeIssuer reports whether nobody in between can speak for the issuer.
func safeIssuer(issuer string) bool {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return false
	}
	host := u.Host
	if h, _, err := net.SplitHostPort(u.Host); err == nil {
		host = h
	}
	return u.Scheme == "https" || u.Scheme == "http" && isLoopback(strings.Trim(host, "[]"))
}

// object reads the values of a mapping by their keys, which have to be known ones.
// Under "" is the mapping itself, where what is missing is to be said; not where a
// key is unknown, as that one is most likely what is missing.
func (f *settingsFile) object(n *yaml.Node, key string, names ...string) map[string]*yaml.Node {
	if n = deref(n); n.Kind != yaml.MappingNode {
		f.fail(n, "%s must be a mapping of keys to values", key)
		return nil
	}
	before := len(f.faults)
	found := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i]
		switch {
		case !slices.Contains(names, name.Value):
			f.unknown(name, joinKey(key, name.Value), slices.Sorted(slices.Values(names)))
		case found[name.Value] != nil:
			f.fail(name, "the key %q is there twice", joinKey(key, name.Value))
		case !isEmpty(n.Content[i+1]):
			found[name.Value] = n.Content[i+1]
		}
	}
	if len(f.faults) == before {
		found[""] = n
	}
	return found
}

// objects reads a list of mappings.
func (f *settingsFile) objects(n *yaml.Node, key string, names ...string) (all []map[string]*yaml.Node) {
	if n == nil {
		return nil
	}
	if n = deref(n); n.Kind != yaml.SequenceNode {
		f.fail(n, "%s must be a list", key)
		return nil
	}
	for i, item := range n.Content {
		all = append(all, f.object(item, fmt.Sprintf("%s[%d]", key, i), names...))
	}
	return all
}

// text reads a text that has to be there.
func (f *settingsFile) text(o map[string]*yaml.Node, key, name string) string {
	n := o[name]
	if n == nil {
		if whole := o[""]; whole != nil {
			f.fail(whole, "%s has no %s", key, name)
		}
		return ""
	}
	return f.scalar(n, joinKey(key, name))
}

// texts reads a text or a list of texts, which may be missing.
func (f *settingsFile) texts(o map[string]*yaml.Node, key, name string) (all []string) {
	n := o[name]
	if n == nil {
		return nil
	}
	if n = deref(n); n.Kind != yaml.SequenceNode {
		return []string{f.scalar(n, joinKey(key, name))}
	}
	for i, item := range n.Content {
		all = append(all, f.scalar(item, fmt.Sprintf("%s[%d]", joinKey(key, name), i)))
	}
	return all
}

func (f *settingsFile) scalar(n *yaml.Node, key string) string {
	n = deref(n)
	if n.Kind != yaml.ScalarNode {
		f.fail(n, "%s must be a single value", key)
		return ""
	}
	text, _, err := f.expander.expand(n.Value)
	switch {
	case err != nil:
		f.fail(n, "%s: %v", key, err)
	case text == "":
		f.fail(n, "%s is empty", key)
	}
	return text
}

func (f *settingsFile) role(o map[string]*yaml.Node, key string) string {
	role := f.text(o, key, "role")
	if role != "" && !slices.Contains(authRoles, role) {
		f.fail(o["role"], "%s.role is %q; it can be %s", key, role, strings.Join(authRoles, " or "))
	}
	return role
}
