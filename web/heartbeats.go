package web

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"math"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"sitemon"
	"sitemon/heartbeat"
)

// Heartbeats keeps the calls of sites, and reads what they said.
type Heartbeats interface {
	// RecordHeartbeat keeps one; repeated: it is one that came before. Its error wraps
	// [sitemon.ErrNotFound] where none of the site are accepted.
	RecordHeartbeat(ctx context.Context, site string, h sitemon.Heartbeat) (repeated bool, err error)
	// Heartbeats lists the newest ones of a site, newest first.
	Heartbeats(ctx context.Context, site string, limit int) ([]sitemon.Heartbeat, error)
	// HeartbeatState returns what is known of them.
	HeartbeatState(ctx context.Context, site string) (sitemon.HeartbeatState, error)
}

const (
	// MinHeartbeatToken is how many bytes a token has at least: with as many, guesses
	// lead nowhere, however many there are.
	MinHeartbeatToken = 16
	// A site may send so many heartbeats at once, and so many a second.
	beatsAtOnce   = 30
	beatsASecond  = 2
	maxRunName    = 100
	maxRunTime    = 366 * 24 * time.Hour
	recordTimeout = 5 * time.Second
	// maxMessageRead is how much of a body is read before its begin is kept: a token in
	// it, which may be long, has to be seen whole.
	maxMessageRead = 64 << 10
)

// beatParams are the parameters of a heartbeat.
func beatParams() []string { return []string{"token", "exit_code", "duration", "message", "run"} }

// Caller is a site whose heartbeats are accepted.
type Caller struct {
	// Token is what they have to bring.
	Token sitemon.Secret
	// Fault says why none can be accepted all the same, as the token is not known here;
	// "": they are.
	Fault string
	// Request and Rule say when they are expected.
	Request *sitemon.HeartbeatRequest
	Rule    heartbeat.Rule
}

// Callers are the sites whose heartbeats a [Server] accepts. It is safe for
// concurrent use; the zero value knows of none yet.
type Callers struct {
	mu     sync.Mutex
	known  map[string]*caller // nil: nobody has said
	budget map[string]*budget // of those that called
}

// caller is a site with what is compared of its token.
type caller struct {
	Caller
	digest [sha256.Size]byte
}

// budget is how many heartbeats a site may send now.
type budget struct {
	left float64
	at   time.Time
}

// Set says which sites there are, by their names.
func (c *Callers) Set(sites map[string]Caller) {
	known := make(map[string]*caller, len(sites))
	for name, s := range sites {
		known[name] = &caller{s, sha256.Sum256([]byte(s.Token.Reveal()))}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = known
	for name := range c.budget {
		if known[name] == nil {
			delete(c.budget, name)
		}
	}
}

// Find returns a site; false: there is none of that name.
func (c *Callers) Find(name string) (Caller, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.known[name]; s != nil {
		return s.Caller, true
	}
	return Caller{}, false
}

var (
	errNobodyKnown = problem{Status: http.StatusServiceUnavailable, Detail: "the sites are not known yet; send the heartbeat again"}
	errNoCaller    = problem{Status: http.StatusNotFound, Detail: "there is no site of that name that sends heartbeats, or the token is another one"}
	errBeatsOften  = problem{Status: http.StatusTooManyRequests, Detail: "the site sends too many heartbeats; 2 a second are allowed"}
)

// admit finds the site that a heartbeat is of. A name that is not there takes as long
// as a wrong token, and gets the same answer.
func (c *Callers) admit(name, token string, now time.Time) (Caller, error) {
	digest := sha256.Sum256([]byte(token))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		return Caller{}, errNobodyKnown
	}
	site, there := c.known[name]
	if !there {
		site = &caller{}
	}
	if good := subtle.ConstantTimeCompare(digest[:], site.digest[:]) == 1; site.Fault == "" && (!good || !there) {
		return Caller{}, errNoCaller
	}
	if site.Fault != "" { // nobody can tell whether the token is right
		return Caller{}, problemf(http.StatusServiceUnavailable, "heartbeats of this site can't be accepted now; the log of the server says why")
	}
	if !c.afford(name, now) {
		return Caller{}, errBeatsOften
	}
	return site.Caller, nil
}

// afford takes one heartbeat off the budget of a site. The caller holds the lock.
func (c *Callers) afford(name string, now time.Time) bool {
	b := c.budget[name]
	if b == nil {
		if c.budget == nil {
			c.budget = map[string]*budget{}
		}
		b = &budget{beatsAtOnce, now}
		c.budget[name] = b
	}
	b.left = min(beatsAtOnce, b.left+beatsASecond*max(0, now.Sub(b.at).Seconds()))
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

// postBeat records a heartbeat.
func (s *Server) postBeat(w http.ResponseWriter, r *http.Request) error {
	return s.beat(w, r, func(*sitemon.Heartbeat) {})
}

// postFailure records one that reports a failure.
func (s *Server) postFailure(w http.ResponseWriter, r *http.Request) error {
	return s.beat(w, r, func(h *sitemon.Heartbeat) { h.Failed = true })
}

// postStart records that a run begins.
func (s *Server) postStart(w http.ResponseWriter, r *http.Request) error {
	return s.beat(w, r, func(h *sitemon.Heartbeat) { h.Began, h.Message = true, "" })
}

// beat records what a request says, and its address.
func (s *Server) beat(w http.ResponseWriter, r *http.Request, address func(*sitemon.Heartbeat)) error {
	if s.Heartbeats == nil || s.Callers == nil {
		return errNobodyKnown
	}
	if err := notMeant(w, r); err != nil {
		return err
	}
	name, now := r.PathValue("name"), s.Now()
	site, err := s.Callers.admit(name, beatToken(r), now)
	if err != nil {
		if p, ok := errors.AsType[problem](err); ok && p.Status != http.StatusNotFound {
			w.Header().Set("Retry-After", "5")
		}
		return err
	}
	h, err := readBeat(r, site.Token.Reveal())
	if err != nil {
		return err
	}
	address(&h)
	h.ReceivedAt = now.UTC().Truncate(time.Microsecond)
	h.LastAt = h.ReceivedAt
	// Who sends it may hang up at once: what was received is recorded.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), recordTimeout)
	defer cancel()
	repeated, err := s.Heartbeats.RecordHeartbeat(ctx, name, h)
	if errors.Is(err, sitemon.ErrNotFound) {
		return errNoCaller // it was removed just now
	}
	if err != nil {
		s.log.Error("a heartbeat could not be recorded", "site", name, "err", err)
		w.Header().Set("Retry-After", "5")
		return problemf(http.StatusServiceUnavailable, "the heartbeat could not be recorded; send it again")
	}
	return answerJSON(w, beatAnswer{slotTime(h.ReceivedAt), repeated})
}

// beatAnswer is the answer to a heartbeat.
type beatAnswer struct {
	ReceivedAt slotTime `json:"received_at"`
	Repeated   bool     `json:"repeated"` // it came before
}

// notMeant refuses requests that are no heartbeats though they have its address: of
// browsers and of programs that look at links.
func notMeant(w http.ResponseWriter, r *http.Request) error {
	h := r.Header
	fetched := h.Get("Sec-Fetch-Mode") == "navigate" || h.Get("Sec-Purpose") != "" || h.Get("Purpose") != "" || h.Get("X-Purpose") != ""
	switch {
	case r.Method == http.MethodHead:
		w.Header().Set("Allow", "GET, POST")
		return problemf(http.StatusMethodNotAllowed, "HEAD is no heartbeat; send a POST or a GET")
	case r.Method == http.MethodGet && (fetched || foreign(r)):
		return problemf(http.StatusForbidden, "what a browser loads is no heartbeat; send a POST, or a GET from a script")
	}
	return nil
}

// beatToken is the token that a request brings: in its header, or in its address.
func beatToken(r *http.Request) string {
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return r.URL.Query().Get("token")
}

// readBeat reads what a heartbeat says. The token is blotted out of it.
func readBeat(r *http.Request, token string) (h sitemon.Heartbeat, err error) {
	q := r.URL.Query()
	if q.Has("exit_code") { // an empty one is no success: the sender does not know it
		code, err := strconv.ParseInt(q.Get("exit_code"), 10, 64)
		if err != nil || code < math.MinInt32 || code > math.MaxUint32 {
			return h, badParameter("exit_code", "%q is no exit code, which is a whole number of 32 bits", q.Get("exit_code"))
		}
		n := int(code)
		h.ExitCode, h.Failed = &n, n != 0
	}
	if text := q.Get("duration"); text != "" {
		if h.Duration, err = runTime(text); err != nil {
			return h, err
		}
	}
	if h.Run = q.Get("run"); utf8.RuneCountInString(h.Run) > maxRunName {
		return h, badParameter("run", "has %d characters; it can have %d", utf8.RuneCountInString(h.Run), maxRunName)
	}
	if r.Method == http.MethodPost {
		body, err := readMessage(r)
		if err != nil {
			return h, err
		}
		h.Message = cmp.Or(q.Get("message"), body)
	} else {
		h.Message = q.Get("message")
	}
	h.Message, h.Run = said(h.Message, token, sitemon.MaxHeartbeatMessage), said(h.Run, token, math.MaxInt)
	return h, nil
}

// readMessage reads the begin of a body, as the log of a run may be long. One that
// breaks off takes nothing from what the address says. Parameters in it are refused:
// they would be a message, and the run a success, whatever its exit code.
func readMessage(r *http.Request) (string, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxMessageRead))
	if err == nil {
		_, _ = io.Copy(io.Discard, r.Body) // so that the sender can send all of it, up to the bound of every body
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind == "multipart/form-data" {
		return "", problemf(http.StatusUnsupportedMediaType, "a form is no message; parameters belong into the address")
	}
	name, _, ok := strings.Cut(string(body), "=")
	if ok && kind == "application/x-www-form-urlencoded" && slices.Contains(beatParams(), name) {
		return "", badParameter(name, "belongs into the address: /heartbeat/NAME?%s=…", name)
	}
	return string(body), nil
}

// runTime reads how long a run took. A number needs a unit, as everywhere.
func runTime(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	switch _, number := strconv.ParseFloat(text, 64); {
	case number == nil:
		return 0, badParameter("duration", "%s has no unit; write %ss for seconds, or %sms", text, text, text)
	case err != nil:
		return 0, badParameter("duration", "%q is no duration, such as 90s, 1m30s or 250ms", text)
	case d < 0 || d > maxRunTime:
		return 0, badParameter("duration", "%s is not between 0s and %s", text, maxRunTime)
	}
	return d.Truncate(time.Microsecond), nil
}

// said is a text that came from outside, as it can be kept: valid, without the token,
// and not longer than most bytes.
func said(text, token string, most int) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "\ufffd")
	text = strings.TrimSpace(strings.ReplaceAll(text, token, sitemon.Redacted))
	if len(text) <= most {
		return text
	}
	text = text[:most]
	for !utf8.ValidString(text) {
		text = text[:len(text)-1]
	}
	return text
}
