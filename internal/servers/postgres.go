package servers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// PostgresOptions say how a server differs from the usual one of tests, which
// lets everybody in and does not flush to disk: it survives a kill, not a power
// cut.
type PostgresOptions struct {
	TLS       bool                // only with TLS; the certificate is for localhost, and not for 127.0.0.1
	Settings  map[string]string   // of postgresql.conf, beside or instead of ours
	Advertise func(string) string // gets the server's address and returns the one for DSN, such as a proxy's
}

// Postgres is one database server.
type Postgres struct {
	*process
	DSN    string // of the database postgres, as its superuser
	CAFile string // of the authority of its certificate; empty without TLS

	options PostgresOptions
	direct  string // DSN without proxy
	port    *port
}

// account is a user of the system.
type account struct{ uid, gid uint32 }

// StartPostgres starts a server with an empty database and waits until it answers.
func StartPostgres(ctx context.Context, options PostgresOptions) (*Postgres, error) {
	bin, err := FindPostgres()
	if err != nil {
		return nil, err
	}
	owner, err := postgresOwner()
	if err != nil {
		return nil, err
	}
	dir, err := newFolder("postgres")
	if err != nil {
		return nil, err
	}
	p := &Postgres{options: options}
	p.process = &process{name: "Postgres", path: filepath.Join(bin, "postgres"), dir: dir, user: owner, ready: p.answers}
	err = p.prepare(ctx, filepath.Join(bin, "initdb"))
	if err == nil {
		err = p.Start(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Close kills the server and removes its databases.
func (p *Postgres) Close() error {
	err := p.process.Close()
	if p.port != nil {
		p.port.release()
	}
	return err
}

func (p *Postgres) prepare(ctx context.Context, initdb string) error {
	var err error
	if p.port, err = reservePort(); err != nil {
		return err
	}
	if err := p.reachable(); err != nil {
		return err
	}
	if err := p.own(p.dir.path); err != nil {
		return err
	}
	data := p.dir.file("data")
	cmd := exec.CommandContext(ctx, initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
	cmd.Dir, cmd.SysProcAttr, cmd.WaitDelay = p.dir.path, attributes(p.user), time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make a database with initdb: %w; it printed:\n%s", err, out)
	}
	settings := map[string]string{
		"port": p.port.String(), "listen_addresses": "127.0.0.1", "unix_socket_directories": "",
		"fsync": "off", "max_connections": "200",
	}
	host, query := "127.0.0.1", ""
	if p.options.TLS {
		host, query = "localhost", "?sslmode=verify-full&sslrootcert="+url.QueryEscape(p.dir.file("ca.pem"))
		if err := p.certify(settings); err != nil {
			return err
		}
	}
	p.args = []string{"-D", data}
	maps.Copy(settings, p.options.Settings)
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		p.args = append(p.args, "-c", key+"="+settings[key])
	}
	dsn := func(port string) string { return "postgres://postgres@" + host + ":" + port + "/postgres" + query }
	p.direct, p.DSN = dsn(p.port.String()), dsn(p.port.String())
	if p.options.Advertise != nil {
		other := p.options.Advertise(p.port.addr())
		p.DSN = dsn(other[strings.LastIndexByte(other, ':')+1:])
	}
	return nil
}

// certify makes the server's certificate and lets in nobody without TLS.
func (p *Postgres) certify(settings map[string]string) error {
	authority, err := NewAuthority()
	if err != nil {
		return err
	}
	cert, key, err := authority.Issue("postgres", "localhost")
	if err != nil {
		return err
	}
	p.CAFile = p.dir.file("ca.pem")
	files := map[string]string{
		p.CAFile: authority.PEM, p.dir.file("server.crt"): cert, p.dir.file("server.key"): key,
		p.dir.file("pg_hba.conf"): "hostssl all all 127.0.0.1/32 trust\n",
	}
	for path, content := range files {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return fmt.Errorf("write a file for Postgres: %w", err)
		}
		if err := p.own(path); err != nil {
			return err
		}
	}
	settings["ssl"] = "on"
	settings["ssl_cert_file"], settings["ssl_key_file"] = p.dir.file("server.crt"), p.dir.file("server.key")
	settings["hba_file"] = p.dir.file("pg_hba.conf")
	return nil
}

// reachable is an error if the user that Postgres runs as cannot get to its folder.
func (p *Postgres) reachable() error {
	for dir := filepath.Dir(p.dir.path); p.user != nil; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return fmt.Errorf("look at the folder of Postgres: %w", err)
		}
		if info.Mode().Perm()&0o001 == 0 {
			return fmt.Errorf("the folder %s is closed to the user postgres: set TMPDIR to one that is open", dir)
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return nil
}

// own gives a file to the user that Postgres runs as.
func (p *Postgres) own(path string) error {
	if p.user == nil {
		return nil
	}
	if err := os.Chown(path, int(p.user.uid), int(p.user.gid)); err != nil {
		return fmt.Errorf("give a file to the user postgres: %w", err)
	}
	return nil
}

func (p *Postgres) answers(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, p.direct)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// FindPostgres returns the folder of the newest Postgres server's programs.
func FindPostgres() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", fmt.Errorf("look for Postgres: %w", err)
	}
	slices.SortFunc(found, func(a, b string) int { return major(b) - major(a) })
	if path, err := exec.LookPath("initdb"); err == nil {
		if target, err := filepath.EvalSymlinks(path); err == nil {
			found = append(found, target)
		}
	}
	for _, initdb := range found {
		if bin := filepath.Dir(initdb); isFile(filepath.Join(bin, "postgres")) {
			return bin, nil
		}
	}
	return "", fmt.Errorf("a Postgres server (initdb and postgres) is %w", ErrMissing)
}

// major is the version in /usr/lib/postgresql/VERSION/bin/initdb.
func major(initdb string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb))))
	if err != nil {
		return 0
	}
	return n
}

// PostgresVersion asks the programs in bin for their version, such as 15.18.
func PostgresVersion(bin string) (string, error) {
	out, err := exec.Command(filepath.Join(bin, "postgres"), "--version").Output()
	fields := strings.Fields(string(out))
	if err != nil || len(fields) < 3 {
		return "", fmt.Errorf("ask Postgres for its version: %w, it printed %q", err, out)
	}
	return fields[2], nil
}

// postgresOwner is whom Postgres runs as: it refuses to run as root.
func postgresOwner() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("the user postgres, as whom to run Postgres for root, is %w", ErrMissing)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("the user postgres has no number: %w", err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("the group of the user postgres has no number: %w", err)
	}
	return &account{uid: uint32(uid), gid: uint32(gid)}, nil
}
