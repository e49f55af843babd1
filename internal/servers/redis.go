package servers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// RedisOptions say what a server asks of its clients. The zero value lets everybody
// in, without TLS.
type RedisOptions struct {
	TLS      bool              // only with TLS; a certificate for 127.0.0.1 and localhost
	Settings map[string]string // of redis.conf, beside or instead of ours
	Users    []string          // lines of the access control list behind the word "user"
}

// Redis is one server.
type Redis struct {
	*process
	Addr      string     // host:port
	Authority *Authority // of its certificate; nil without TLS

	options RedisOptions
	port    *port
}

// StartRedis starts a server with nothing in it and waits until it answers.
func StartRedis(ctx context.Context, options RedisOptions) (*Redis, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("redis-server is %w", ErrMissing)
	}
	dir, err := newFolder("redis")
	if err != nil {
		return nil, err
	}
	r := &Redis{options: options}
	r.process = &process{name: "Redis", path: program, dir: dir, ready: r.answers, args: []string{dir.file("redis.conf")}}
	err = r.prepare()
	if err == nil {
		err = r.Start(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Close kills the server and removes all it has stored.
func (r *Redis) Close() error {
	err := r.process.Close()
	if r.port != nil {
		r.port.release()
	}
	return err
}

func (r *Redis) prepare() error {
	var err error
	if r.port, err = reservePort(); err != nil {
		return err
	}
	r.Addr = r.port.addr()
	settings := map[string]string{
		"port": r.port.String(), "bind": "127.0.0.1", "dir": r.dir.path, "save": `""`, "appendonly": "no", "daemonize": "no", "databases": "4",
	}
	if r.options.TLS {
		settings["port"], settings["tls-port"], settings["tls-auth-clients"] = "0", r.port.String(), "no"
		if err := r.certify(settings); err != nil {
			return err
		}
	}
	maps.Copy(settings, r.options.Settings)
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		b.WriteString(key + " " + settings[key] + "\n")
	}
	for _, user := range r.options.Users {
		b.WriteString("user " + user + "\n")
	}
	if err := os.WriteFile(r.dir.file("redis.conf"), []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("write Redis' configuration: %w", err)
	}
	return nil
}

func (r *Redis) certify(settings map[string]string) error {
	var err error
	if r.Authority, err = NewAuthority(); err != nil {
		return err
	}
	cert, key, err := r.Authority.Issue("redis", "127.0.0.1", "localhost")
	if err != nil {
		return err
	}
	for name, content := range map[string]string{"tls-ca-cert-file": r.Authority.PEM, "tls-cert-file": cert, "tls-key-file": key} {
		file := r.dir.file(name + ".pem")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			return fmt.Errorf("write a file for Redis: %w", err)
		}
		settings[name] = file
	}
	return nil
}

func (r *Redis) answers(ctx context.Context) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", r.port.addr())
	if err != nil {
		return err
	}
	return conn.Close()
}
