package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/term"

	"sitemon/config"
	"sitemon/web/auth"
)

// sessionKey is the file in the data folder with which the keys of sessions are made
// where no database is shared.
const sessionKey = "session.key"

// sessionSecret is what the processes that share sessions have and nobody else: the
// database's DSN, or a file in the data folder.
func sessionSecret(s config.Settings) ([]byte, error) {
	if dsn := s.Postgres.DSN.Reveal(); dsn != "" {
		return []byte(dsn), nil
	}
	path := filepath.Join(s.DataDir, sessionKey)
	secret, err := os.ReadFile(path)
	if err == nil && len(secret) >= 16 {
		return secret, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the key of sessions: %w", err)
	}
	secret = []byte(rand.Text() + rand.Text() + "\n")
	if err := os.WriteFile(path, secret, 0o600); err != nil {
		return nil, fmt.Errorf("write the key of sessions: %w", err)
	}
	return secret, nil
}

// newGate makes the gate of the settings; nil where nobody has to sign in.
func newGate(settings config.Settings) (*auth.Gate, error) {
	s := settings.Auth
	if !s.Required() {
		return nil, nil //nolint:nilnil // No gate is an answer.
	}
	secret, err := sessionSecret(settings)
	if err != nil {
		return nil, err
	}
	o := auth.Options{Secret: secret}
	for _, u := range s.Basic {
		o.Logins = append(o.Logins, auth.Login{Name: u.Username, Hash: []byte(u.PasswordHash.Reveal()), Role: auth.Role(u.Role)})
	}
	for _, t := range s.Tokens {
		o.Tokens = append(o.Tokens, auth.Token{Name: t.Name, Token: t.Token, Role: auth.Role(t.Role)})
	}
	if p := s.OIDC; p != nil {
		o.OIDC = &auth.OIDC{
			Issuer: p.Issuer, ClientID: p.ClientID, ClientSecret: p.ClientSecret, RolesClaim: p.RolesClaim,
			Operators: p.Operators, Viewers: p.Viewers,
		}
	}
	return auth.New(o)
}

// scheme is how page and API are served.
func scheme(s config.Settings) string {
	if s.Web.TLSCertFile != "" {
		return "https"
	}
	return "http"
}

// ownDaemon is what asks the daemon of the same settings. Where that serves TLS it
// is known by its certificate, whatever name it is asked under.
func ownDaemon(s config.Settings) http.RoundTripper {
	if scheme(s) == "http" {
		return http.DefaultTransport
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection is stricter than names are.
		VerifyConnection: func(c tls.ConnectionState) error {
			text, err := os.ReadFile(s.Web.TLSCertFile)
			if err != nil {
				return fmt.Errorf("read the daemon's certificate: %w", err)
			}
			block, _ := pem.Decode(text)
			if block == nil {
				return fmt.Errorf("%s holds no certificate", s.Web.TLSCertFile)
			}
			own, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return fmt.Errorf("read %s: %w", s.Web.TLSCertFile, err)
			}
			if len(c.PeerCertificates) == 0 || !bytes.Equal(own.Raw, c.PeerCertificates[0].Raw) {
				return fmt.Errorf("what answers has another certificate than %s", s.Web.TLSCertFile)
			}
			return nil
		},
	}
	return t
}

// passwordCost is the cost of bcrypt for new hashes: a quarter of a second on a
// usual core.
const passwordCost = 12

func (a *app) hashPasswordCommand() *cobra.Command {
	return &cobra.Command{
		Use: "hash-password", Short: "Print the bcrypt hash of a password, for auth.basic in sitemon.yaml", Args: cobra.NoArgs,
		Long: "Hash-password reads a password, from the terminal without showing it or from stdin, and prints\n" +
			"its bcrypt hash for password_hash in sitemon.yaml.",
		Example: "  sitemon hash-password\n  pass show sitemon | sitemon hash-password",
		RunE: func(cmd *cobra.Command, _ []string) error {
			password, err := a.readPassword(cmd.InOrStdin())
			if err != nil {
				return err
			}
			hash, err := bcrypt.GenerateFromPassword([]byte(password), passwordCost)
			if errors.Is(err, bcrypt.ErrPasswordTooLong) {
				return errors.New("the password is longer than 72 bytes, which bcrypt can't tell apart")
			}
			if err != nil {
				return fmt.Errorf("hash the password: %w", err)
			}
			_, err = fmt.Fprintln(a.out, string(hash))
			return err
		},
	}
}

// readPassword reads the first line of in.
func (a *app) readPassword(in io.Reader) (string, error) {
	var line string
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(a.err, "Password: ")
		text, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(a.err)
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		line = string(text)
	} else {
		text, err := bufio.NewReader(in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read the password: %w", err)
		}
		line = strings.TrimRight(text, "\r\n")
	}
	if line == "" {
		return "", errors.New("the password is empty")
	}
	return line, nil
}
