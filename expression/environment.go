package expression

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/expr-lang/expr/vm/runtime"

	"sitemon"
)

// Environment is what an expression can read, under the names of its tags. What a
// kind of probe does not have is zero.
type Environment struct {
	Status int    `expr:"status"`
	Proto  string `expr:"proto"` // such as "HTTP/1.1"
	// Headers are those of the answer by their names in small letters, several values
	// joined by ", ".
	Headers       map[string]string `expr:"headers"`
	Body          string            `expr:"body"`
	BodyBytes     int64             `expr:"body_bytes"`
	BodyTruncated bool              `expr:"body_truncated"`
	// JSON is the body as encoding/json reads it into an any; nil where it is none.
	JSON        any                `expr:"json"`
	Rcode       string             `expr:"rcode"` // such as "NOERROR"
	Latency     time.Duration      `expr:"latency"`
	Phases      Phases             `expr:"phases"`
	Certificate Certificate        `expr:"certificate"`
	TLS         TLS                `expr:"tls"`
	RemoteAddr  string             `expr:"remote_addr"` // "ip:port"
	IP          string             `expr:"ip"`
	Values      map[string]float64 `expr:"values"` // captured so far

	// What compiled expressions call; the names are no words of the language.
	Tick   func() bool              `expr:"__tick"`
	Match  func(s any, at int) bool `expr:"__match"`
	Add    func(a, b any) any       `expr:"__add"`
	Concat func(a, b string) string `expr:"__concat"`
	Made   func(s string) string    `expr:"__made"`
}

// Phases are the durations of the probe's steps.
type Phases struct {
	Resolve    time.Duration `expr:"resolve"`
	Connect    time.Duration `expr:"connect"`
	TLS        time.Duration `expr:"tls"`
	Processing time.Duration `expr:"processing"`
	Transfer   time.Duration `expr:"transfer"`
}

// Certificate is the server's own.
type Certificate struct {
	Subject     string        `expr:"subject"`
	Issuer      string        `expr:"issuer"`
	Names       []string      `expr:"names"` // the hosts and addresses that it is for
	Serial      string        `expr:"serial"`
	Fingerprint string        `expr:"fingerprint"` // SHA-256, in small hexadecimal digits
	NotBefore   time.Time     `expr:"not_before"`
	NotAfter    time.Time     `expr:"not_after"`
	ValidFor    time.Duration `expr:"valid_for"` // until the earliest expiry of the chain
}

// TLS is the connection's.
type TLS struct {
	Version     string `expr:"version"` // such as "TLS 1.3"
	CipherSuite string `expr:"cipher_suite"`
}

// maxTurns is how many turns all loops of one run may take together.
const maxTurns = 1_000_000

// Why a run was ended.
var (
	errLate  = errors.New("it was not done in time")
	errTurns = errors.New("its loops took more than a million turns")
)

// run prepares the environment for one run of a program.
func (e *Environment) run(ctx context.Context, patterns []sitemon.Pattern) *Environment {
	bound := *e
	turns := 0
	bound.Tick = func() bool {
		turns++
		switch {
		case turns > maxTurns:
			panic(errTurns) // the machine turns it into an error
		case ctx.Err() != nil:
			panic(errLate)
		}
		return true
	}
	made := 0 // bytes of text
	spend := func(n int) {
		if made += n; made > maxText {
			panic(errText)
		}
	}
	bound.Made = func(s string) string {
		spend(len(s))
		return s
	}
	bound.Concat = func(a, b string) string {
		spend(len(a) + len(b))
		return a + b
	}
	bound.Add = func(a, b any) any {
		x, text := a.(string)
		if y, both := b.(string); text && both {
			return bound.Concat(x, y)
		}
		return runtime.Add(a, b)
	}
	bound.Match = func(s any, at int) bool {
		text, ok := s.(string)
		if !ok {
			panic(fmt.Errorf("matches takes a text, not %s", describe(s)))
		}
		found, complete := patterns[at].MatchUntil([]byte(text), func() bool { return ctx.Err() != nil })
		if !complete {
			panic(errLate)
		}
		return found
	}
	return &bound
}
