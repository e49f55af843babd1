package config

import (
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"sitemon"
)

// groupAuth is shared by the keys that each fill in the Authorization header.
const groupAuth = "auth"

func authKeys() []key[draft] {
	return []key[draft]{
		request(keyInfo{
			name: "basic_auth", value: typeMapping(basicAuthObject.info), kinds: kindsWithHeaders(), oneOf: groupAuth,
			example: `{ username: monitor, password: "${PASSWORD}" }`,
			doc:     "HTTP basic authentication.",
		}, func(w *walker, f field, d *draft) {
			d.auth, d.request.BasicAuth = f, new(sitemon.BasicAuth)
			basicAuthObject.read(w, f.alone(), d.request.BasicAuth)
		}),
		request(keyInfo{
			name: "authorization", value: typeMapping(authorizationObject.info), kinds: kindsWithHeaders(), oneOf: groupAuth,
			example: `{ credentials: "${TOKEN}" }`,
			doc:     "An Authorization header, by default with a bearer token.",
		}, func(w *walker, f field, d *draft) {
			d.auth, d.request.Authorization = f, &sitemon.Authorization{Type: "Bearer"}
			authorizationObject.read(w, f.alone(), d.request.Authorization)
		}),
		request(keyInfo{
			name: "oauth2", value: typeMapping(oauth2Object.info), kinds: kindsWithHeaders(), oneOf: groupAuth,
			example: `{ client_id: monitor, client_secret: "${SECRET}", token_url: "https://sso.example.org/token" }`,
			doc:     "A bearer token that is fetched by the client credentials grant of OAuth 2.",
		}, func(w *walker, f field, d *draft) {
			d.auth, d.request.OAuth2 = f, new(sitemon.OAuth2)
			oauth2Object.read(w, f.alone(), d.request.OAuth2)
		}),
		request(keyInfo{
			name: "tls_config", value: typeMapping(tlsObject.info), kinds: kindsWithTLS(),
			example: `{ ca_file: /etc/ssl/internal.pem, server_name: api.internal }`,
			doc:     "How the server's certificate is checked, and which one is shown to it.",
		}, func(w *walker, f field, d *draft) {
			d.tls, d.request.TLS = f, new(sitemon.TLSConfig)
			w.tlsConfig(f.value, d.request.TLS)
		}),
	}
}

// textKey is a key whose value is a text, which read reads and in has a place for.
func textKey[T any, S ~string](info keyInfo, read func(w *walker, name string, n *yaml.Node) string, in func(*T) *S) key[T] {
	info.value = typeText
	return key[T]{keyInfo: info, read: func(w *walker, f field, into *T) {
		s := read(w, info.name, f.value)
		w.out = appendJSON(w.out, s)
		*in(into) = S(s)
	}}
}

func filledLine(w *walker, name string, n *yaml.Node) string {
	s := w.referenceLine(name, n)
	if isBlank(n) {
		w.fail(n, "%s is empty", name)
	}
	return s
}

var basicAuthObject = newObject("basic_auth", []key[sitemon.BasicAuth]{
	textKey(keyInfo{name: "username", oneOf: "username", example: "monitor", doc: "The user's name."},
		filledLine, func(a *sitemon.BasicAuth) *string { return &a.Username }),
	textKey(keyInfo{name: "username_file", oneOf: "username", example: "/run/secrets/user", doc: "A file with the user's name."},
		(*walker).path, func(a *sitemon.BasicAuth) *string { return &a.UsernameFile }),
	textKey(keyInfo{name: "password", oneOf: "password", example: `"${PASSWORD}"`, doc: "The password."},
		(*walker).credential, func(a *sitemon.BasicAuth) *sitemon.Secret { return &a.Password }),
	textKey(keyInfo{name: "password_file", oneOf: "password", example: "/run/secrets/password", doc: "A file with the password."},
		(*walker).path, func(a *sitemon.BasicAuth) *string { return &a.PasswordFile }),
}, map[string]string{"username": "username or username_file"})

var authorizationObject = newObject("authorization", []key[sitemon.Authorization]{
	textKey(keyInfo{name: "type", def: "Bearer", example: "Bearer", doc: "The word before the credentials."},
		authType, func(a *sitemon.Authorization) *string { return &a.Type }),
	textKey(keyInfo{name: "credentials", oneOf: "credentials", example: `"${TOKEN}"`, doc: "The token."},
		(*walker).credential, func(a *sitemon.Authorization) *sitemon.Secret { return &a.Credentials }),
	textKey(keyInfo{name: "credentials_file", oneOf: "credentials", example: "/run/secrets/token", doc: "A file with the token."},
		(*walker).path, func(a *sitemon.Authorization) *string { return &a.CredentialsFile }),
}, map[string]string{"credentials": "credentials or credentials_file"})

func authType(w *walker, name string, n *yaml.Node) string {
	s, ok := w.text(name, n)
	switch {
	case ok && strings.EqualFold(s, "basic"):
		w.fail(n, "type: for basic authentication use basic_auth with username and password")
	case ok && !isToken(s):
		w.fail(n, "type must be one word such as Bearer, not %s", quote(s))
	}
	return s
}

var oauth2Object = newObject("oauth2", []key[sitemon.OAuth2]{
	textKey(keyInfo{name: "client_id", must: true, example: "monitor", doc: "Who asks for the token."},
		filledLine, func(a *sitemon.OAuth2) *string { return &a.ClientID }),
	textKey(keyInfo{name: "client_secret", oneOf: "client_secret", example: `"${SECRET}"`, doc: "The client's secret."},
		(*walker).credential, func(a *sitemon.OAuth2) *sitemon.Secret { return &a.ClientSecret }),
	textKey(keyInfo{name: "client_secret_file", oneOf: "client_secret", example: "/run/secrets/oauth", doc: "A file with the client's secret."},
		(*walker).path, func(a *sitemon.OAuth2) *string { return &a.ClientSecretFile }),
	textKey(keyInfo{name: "token_url", must: true, example: "https://sso.example.org/token", doc: "Where the token is fetched."},
		httpURL, func(a *sitemon.OAuth2) *string { return &a.TokenURL }),
	{
		keyInfo: keyInfo{name: "scopes", value: typeLines, example: "[read]", doc: "The scopes that are asked for."},
		read: func(w *walker, f field, a *sitemon.OAuth2) {
			w.items("scopes", f.value, func(n *yaml.Node) {
				s := filledLine(w, "scopes", n)
				w.out = appendJSON(w.out, s)
				a.Scopes = append(a.Scopes, s)
			})
		},
	},
	{
		keyInfo: keyInfo{name: "endpoint_params", value: typeHeaders, example: "{ audience: api }", doc: "Further parameters of the request for a token."},
		read: func(w *walker, f field, a *sitemon.OAuth2) {
			a.EndpointParams = w.headers("endpoint_params", f, headerNameFault)
		},
	},
}, map[string]string{"client_secret": "client_secret or client_secret_file"})

func httpURL(w *walker, name string, n *yaml.Node) string { return w.address(name, n, "http", "https") }

func (w *walker) proxy(n *yaml.Node) string {
	s := w.address("proxy_url", n, "http", "https", "socks5", "socks5h")
	w.out = appendJSON(w.out, s)
	return s
}

// address reads an absolute URL with one of the schemes.
func (w *walker) address(name string, n *yaml.Node, schemes ...string) string {
	s := w.referenceLine(name, n)
	text, known := w.expanded(s)
	if !known || s == "" && !isBlank(n) {
		return s // noted already
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || !slices.Contains(schemes, u.Scheme) {
		w.fail(n, "%s must be an address that begins with %s", name, strings.Join(schemes, ":// or ")+"://")
		return s
	}
	w.credentialIn(name, n, s)
	return s
}

var tlsObject = newObject("tls_config", []key[sitemon.TLSConfig]{
	textKey(keyInfo{name: "ca", oneOf: "ca", example: `"${file:/etc/ssl/internal.pem}"`, doc: "The authorities to trust instead of the system's, as PEM."},
		plainText, func(c *sitemon.TLSConfig) *string { return &c.CA }),
	textKey(keyInfo{name: "ca_file", oneOf: "ca", example: "/etc/ssl/internal.pem", doc: "A file with the authorities to trust, as PEM."},
		(*walker).path, func(c *sitemon.TLSConfig) *string { return &c.CAFile }),
	textKey(keyInfo{name: "cert", oneOf: "cert", example: `"${file:/etc/ssl/client.pem}"`, doc: "The certificate to show to the server, as PEM."},
		plainText, func(c *sitemon.TLSConfig) *string { return &c.Cert }),
	textKey(keyInfo{name: "cert_file", oneOf: "cert", example: "/etc/ssl/client.pem", doc: "A file with the certificate to show."},
		(*walker).path, func(c *sitemon.TLSConfig) *string { return &c.CertFile }),
	textKey(keyInfo{name: "key", oneOf: "key", example: `"${file:/etc/ssl/client.key}"`, doc: "The private key of the certificate to show, as PEM."},
		secretText, func(c *sitemon.TLSConfig) *sitemon.Secret { return &c.Key }),
	textKey(keyInfo{name: "key_file", oneOf: "key", example: "/etc/ssl/client.key", doc: "A file with that private key."},
		(*walker).path, func(c *sitemon.TLSConfig) *string { return &c.KeyFile }),
	textKey(keyInfo{name: "server_name", def: "the host of the address", example: "api.internal", doc: "The name to ask for, and to expect in the certificate."},
		filledLine, func(c *sitemon.TLSConfig) *string { return &c.ServerName }),
	{
		keyInfo: keyInfo{name: "insecure_skip_verify", value: typeBool, def: "false", example: "true", doc: "Whether any certificate is taken. Its facts are recorded all the same."},
		read: func(w *walker, f field, c *sitemon.TLSConfig) {
			c.InsecureSkipVerify = w.boolean("insecure_skip_verify", f.value)
		},
	},
	{
		keyInfo: keyInfo{name: "min_version", value: typeWords(tlsVersions...), def: "TLS12", example: "TLS13", doc: "The oldest version to speak."},
		read:    func(w *walker, f field, c *sitemon.TLSConfig) { c.MinVersion = w.tlsVersion("min_version", f.value) },
	},
	{
		keyInfo: keyInfo{name: "max_version", value: typeWords(tlsVersions...), example: "TLS12", doc: "The newest version to speak."},
		read:    func(w *walker, f field, c *sitemon.TLSConfig) { c.MaxVersion = w.tlsVersion("max_version", f.value) },
	},
}, nil)

var tlsVersions = []string{"TLS10", "TLS11", "TLS12", "TLS13"}

func (w *walker) tlsVersion(name string, n *yaml.Node) uint16 {
	if i := w.choice(name, n, tlsVersions...); i >= 0 {
		return tls.VersionTLS10 + uint16(i)
	}
	return 0
}

func plainText(w *walker, name string, n *yaml.Node) string {
	s, _ := w.reference(name, n)
	return s
}

func secretText(w *walker, name string, n *yaml.Node) string {
	s, _ := w.reference(name, n)
	w.literalCredential(name, n, s)
	return s
}

// tlsConfig reads tls_config and checks what can be checked of it as a whole.
func (w *walker) tlsConfig(n *yaml.Node, c *sitemon.TLSConfig) {
	before := w.faults
	tlsObject.read(w, field{value: n}, c)
	if w.faults > before {
		return
	}
	hasCert, hasKey := c.Cert+c.CertFile != "", c.Key.Reveal()+c.KeyFile != ""
	switch {
	case hasCert && !hasKey:
		w.fail(n, "tls_config with a certificate to show needs key or key_file")
	case hasKey && !hasCert:
		w.fail(n, "tls_config with a key needs cert or cert_file")
	case c.MaxVersion != 0 && c.MinVersion > c.MaxVersion:
		w.fail(n, "min_version is newer than max_version")
	}
	w.checkPEM(n, func(ca ...string) string {
		if x509.NewCertPool().AppendCertsFromPEM([]byte(ca[0])) {
			return ""
		}
		return "ca holds no certificate in PEM form"
	}, c.CA, c.CAFile)
	w.checkPEM(n, func(pair ...string) string {
		if _, err := tls.X509KeyPair([]byte(pair[0]), []byte(pair[1])); err != nil {
			return "the certificate and the key can't be used: " + strings.TrimPrefix(err.Error(), "tls: ")
		}
		return ""
	}, c.Cert, c.CertFile, c.Key.Reveal(), c.KeyFile)
}

// checkPEM has a fault of PEM texts noted, each of which is given in place or by
// a file, if all of them are there and can be read here. It looks at the same
// texts once.
func (w *walker) checkPEM(n *yaml.Node, fault func(texts ...string) string, sources ...string) {
	id := strings.Join(sources, "\x00")
	message, seen := w.checked[id]
	if !seen {
		var texts []string
		for i := 0; i < len(sources); i += 2 {
			text, known := w.expanded(sources[i])
			if file := sources[i+1]; file != "" && w.expander != nil {
				file, _ = w.expanded(file)
				text, _ = w.expander.content(file)
			}
			if !known || text == "" {
				return
			}
			texts = append(texts, text)
		}
		message = fault(texts...)
		w.checked[id] = message
	}
	if message != "" {
		w.fail(n, "%s", message)
	}
}
