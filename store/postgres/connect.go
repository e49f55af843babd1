package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	connectTimeout = 5 * time.Second
	// maxConns is how many connections a process opens at most unless the DSN says
	// (pool_max_conns): some write, some read, and Postgres has a hundred by default.
	maxConns = 12
	// unheard is after how long a peer that acknowledges nothing counts as gone.
	unheard = 10 * time.Second
)

// keepAlive notices a peer that is gone while we wait for its answer.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 4 * time.Second, Interval: 2 * time.Second, Count: 3}

// poolConfig reads a DSN. Its errors never hold it, as it may hold a password.
func poolConfig(dsn, instance string) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("the Postgres DSN can't be read; it looks like postgres://user:password@host:5432/database?sslmode=require")
	}
	c := cfg.ConnConfig
	// Nothing is prepared on the server, so a pooler may give each transaction
	// another connection; what a statement takes and gives is asked once.
	c.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	c.StatementCacheCapacity, c.DescriptionCacheCapacity = 0, 512
	c.ConnectTimeout = connectTimeout
	c.DialFunc = (&net.Dialer{Timeout: connectTimeout, KeepAliveConfig: keepAlive, Control: limitUnheard}).DialContext
	if c.ValidateConnect == nil { // the DSN does not say what kind of server it wants
		c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = strings.TrimSuffix("sitemon "+instance, " ")
	}
	if !strings.Contains(dsn, "pool_max_conns") {
		cfg.MaxConns = maxConns
	}
	cfg.MaxConnIdleTime = 5 * time.Minute
	cfg.HealthCheckPeriod = 15 * time.Second
	cfg.PingTimeout = connectTimeout
	return cfg, nil
}

// whereOf names the servers and the database of a DSN: "database sitemon at
// db.example.org:5432".
func whereOf(c *pgx.ConnConfig) string {
	hosts := []string{hostOf(c.Host, c.Port)}
	for _, f := range c.Fallbacks {
		if h := hostOf(f.Host, f.Port); hosts[len(hosts)-1] != h {
			hosts = append(hosts, h)
		}
	}
	return fmt.Sprintf("database %s at %s", c.Database, strings.Join(hosts, ", "))
}

func hostOf(host string, port uint16) string {
	if strings.HasPrefix(host, "/") {
		return path.Join(host, ".s.PGSQL."+strconv.Itoa(int(port)))
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return netip.AddrPortFrom(a, port).String()
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// trouble is why a database can't be used now, by what somebody has to do about it.
type trouble struct {
	kind string // constant for each kind: it is said once
	hint string // what helps; "" nothing but time
}

// troubleOf sorts an error of connecting or migrating.
func troubleOf(err error) trouble {
	switch c := code(err); {
	case c == codeBadPassword || c == codeNotAllowed:
		return trouble{"sign-in refused", "check user, password and pg_hba.conf"}
	case c == codeNoDatabase:
		return trouble{"no such database", "create it, for example with: createdb -E UTF8 NAME"}
	case c == codeNoPrivilege:
		return trouble{"not permitted", "the user must own the database's tables, or be allowed to create some: GRANT CREATE ON SCHEMA public TO USER"}
	case c == "53300":
		return trouble{kind: "too many connections"}
	case c == codeReadOnly || errors.Is(err, pgconn.ErrReadOnlyConnection):
		return trouble{kind: "the server is read only, as a replica is"}
	case strings.HasPrefix(c, "57P"):
		return trouble{kind: "the server starts or stops"}
	case errors.Is(err, errSchemaMissing):
		return trouble{kind: "the schema is not there yet"}
	case errors.Is(err, context.DeadlineExceeded):
		return trouble{kind: "no answer in time"}
	case c == "":
		return trouble{kind: "no connection"}
	}
	return trouble{kind: "refused with " + code(err)}
}
