package probes

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	redisPort = 6379
	// maxReplyLine is how long a reply of one line may be.
	maxReplyLine = 64 << 10
)

// redisReply is a reply of the protocol RESP: a text, or an error.
type redisReply struct {
	kind byte // '+', '-', ':' or '$'
	text []byte
}

// strayLine is a line that is no reply.
type strayLine string

func (s strayLine) Error() string { return fmt.Sprintf("it says %q", string(s)) }

// probeRedis signs in, chooses the database and sends PING. The few replies that this
// needs are read here: clients of Redis make room for whatever length a server
// announces, and that may be anybody.
func probeRedis(a *attempt) error {
	s, err := a.service("PING", redisPort)
	if err != nil {
		return err
	}
	conn, end, err := a.reach(s)
	if err != nil {
		return err
	}
	defer end()
	protocol := "Redis"
	if s.url.Scheme == "rediss" {
		tc, err := a.tlsTo(conn, s.host, "")
		if err != nil {
			return err
		}
		conn, protocol = tc, "Redis/tls"
	}
	asksInfo := a.expectsOfBody()
	wantsInfo := asksInfo || a.detail != nil
	commands := s.redisCommands(wantsInfo)
	var out []byte
	for _, c := range commands {
		out = appendCommand(out, c)
	}
	if _, err := conn.Write(out); err != nil {
		return a.unsent(err, "sending PING")
	}
	limit := a.bodyLimit()
	r := newAnswers(conn, limit+wireLimit)
	br := bufio.NewReader(r)
	for i, c := range commands {
		reply, err := readReply(br, limit)
		refused := err == nil && !redisGood(c[0], reply, asksInfo)
		if i == len(commands)-1 || err != nil || refused {
			a.timed(r)
		}
		if stray, ok := errors.AsType[strayLine](err); ok {
			err = strayLine(a.beginning([]byte(stray), true, maxSeen))
		}
		if err != nil {
			return a.unheard(r, err, "Redis", "waiting for the reply to "+c[0])
		}
		s.shown.protocol = protocol
		switch {
		case refused:
			return a.redisRefused(s, c[0], reply)
		case c[0] == "INFO":
			s.redisInfo(reply)
		default:
			s.shown.status = string(reply.text)
		}
	}
	return a.judgeRedis(s, wantsInfo)
}

// redisCommands are what is sent, all at once.
func (s *service) redisCommands(wantsInfo bool) [][]string {
	var commands [][]string
	switch {
	case s.user != "":
		commands = append(commands, []string{"AUTH", s.user, s.password})
	case s.password != "":
		commands = append(commands, []string{"AUTH", s.password})
	}
	if number := s.path(); number != "" && number != "0" {
		commands = append(commands, []string{"SELECT", number})
	}
	commands = append(commands, []string{"PING"})
	if wantsInfo {
		commands = append(commands, []string{"INFO"})
	}
	return commands
}

// appendCommand writes a command as an array of strings.
func appendCommand(b []byte, words []string) []byte {
	b = fmt.Appendf(b, "*%d\r\n", len(words))
	for _, w := range words {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b
}

// readReply reads a reply whose text is no longer than limit.
func readReply(br *bufio.Reader, limit int64) (redisReply, error) {
	line, err := readReplyLine(br)
	if err != nil {
		return redisReply{}, err
	}
	if line == "" {
		return redisReply{}, errors.New("it sends an empty line")
	}
	r := redisReply{line[0], []byte(line[1:])}
	switch r.kind {
	case '+', '-', ':':
		return r, nil
	case '$':
	default:
		return r, strayLine(line)
	}
	n, err := strconv.ParseInt(line[1:], 10, 64)
	switch {
	case err != nil || n < -1:
		return r, strayLine(line)
	case n > limit:
		return r, errWireLimit
	case n == -1:
		r.text = nil
		return r, nil
	}
	text := bytes.NewBuffer(make([]byte, 0, min(n+2, readChunk)+bytes.MinRead)) // room is made for what comes
	if _, err := io.CopyN(text, br, n+2); err != nil {
		return r, err
	}
	r.text = text.Bytes()[:n]
	return r, nil
}

// readReplyLine reads a line without its end.
func readReplyLine(br *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, err := br.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return strings.TrimRight(string(line), "\r\n"), nil
		case len(line) > maxReplyLine:
			return "", strayLine(line)
		case !errors.Is(err, bufio.ErrBufferFull):
			return "", err
		}
	}
}

// redisExpected is the good reply to a command.
func redisExpected(command string) string {
	switch command {
	case "PING":
		return "PONG"
	case "INFO":
		return "a text"
	}
	return "OK"
}

// redisGood reports whether a reply is good. A user may not be allowed to ask for INFO,
// which does no harm where nothing is expected of it.
func redisGood(command string, r redisReply, asksInfo bool) bool {
	if command == "INFO" {
		return !asksInfo || r.kind == '$' && r.text != nil
	}
	return r.kind != '-' && string(r.text) == redisExpected(command)
}

// redisRefused is the report of a reply that is not what is expected.
func (a *attempt) redisRefused(s *service, command string, reply redisReply) error {
	seen := shorten(visible(a.redact(string(reply.text))), maxSeen)
	s.shown.status = seen
	expected := redisExpected(command)
	return a.refused(Check{Name: command, Expected: expected, Seen: seen}, fmt.Sprintf("the reply to %s is %q, expected %s", command, seen, expected))
}

// redisInfo keeps what INFO says. A user may not be allowed to ask.
func (s *service) redisInfo(reply redisReply) {
	if reply.kind != '$' {
		s.shown.fields = map[string]string{"Info": string(reply.text)}
		return
	}
	s.shown.body = []byte(strings.TrimSuffix(strings.ReplaceAll(string(reply.text), "\r\n", "\n"), "\n"))
	s.shown.fields = map[string]string{}
	for line := range strings.Lines(string(s.shown.body)) {
		switch name, value, _ := strings.Cut(strings.TrimSpace(line), ":"); name {
		case "redis_version", "valkey_version":
			s.shown.fields["Server-Version"] = value
		case "redis_mode", "server_mode":
			s.shown.fields["Mode"] = value
		case "role":
			s.shown.fields["Role"] = value
		}
	}
}

func (a *attempt) judgeRedis(s *service, wantsInfo bool) error {
	return a.conclude(func(v *verdict) {
		if !v.quiet(true) {
			v.note(true, "", "", Check{Name: "PING", Expected: "PONG", Seen: s.shown.status}, "")
		}
		if wantsInfo {
			v.ans.body = s.shown.body
			v.bodies(s.shown.body)
		}
	})
}
