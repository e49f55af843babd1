package probes

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
)

const (
	// maxSignIn is how long a message may be by which a server lets somebody sign in.
	maxSignIn = 64 << 10
	// saslContinue is the kind of such a message that says how to hash the password.
	saslContinue = 11
)

// messages reads the messages of a Postgres server on their way to the library, which
// would hash a password as often as the server asks for.
type messages struct {
	*answers
	whole   []byte // of a message that was looked at, and what of it is still to be read
	pending []byte
	body    int // bytes of another message's body that are still to come
	seen    bool
	err     error // the first of reading, which the library does not always tell
}

// newMessages reads a connection, many messages with one call.
func newMessages(conn io.Reader, limit int64) *messages {
	return &messages{answers: newAnswers(bufio.NewReader(conn), limit)}
}

// Read implements [io.Reader].
func (m *messages) Read(p []byte) (int, error) {
	n, err := m.read(p)
	if m.err == nil {
		m.err = err
	}
	return n, err
}

func (m *messages) read(p []byte) (int, error) {
	switch {
	case len(m.pending) > 0:
		n := copy(p, m.pending)
		m.pending = m.pending[n:]
		return n, nil
	case m.body > 0:
		n, err := m.answers.Read(p[:min(len(p), m.body)])
		m.body -= n
		return n, err
	}
	const header = 5 // a kind and a length, which counts itself
	m.whole = append(m.whole[:0], make([]byte, header)...)
	if n, err := io.ReadFull(m.answers, m.whole); err != nil {
		return copy(p, m.whole[:n]), err
	}
	m.seen = true
	length := int64(binary.BigEndian.Uint32(m.whole[1:])) - 4
	switch kind := m.whole[0]; {
	case length < 0 || length > 1<<30 || kind < 'A' || kind > 'z':
		return 0, fmt.Errorf("it says %q", m.whole)
	case kind == 'R':
		if err := m.signIn(int(length)); err != nil {
			return 0, err
		}
	default:
		m.body = int(length)
	}
	m.pending = m.whole
	return m.read(p)
}

// signIn reads a message of signing in.
func (m *messages) signIn(length int) error {
	if length > maxSignIn {
		return errWireLimit
	}
	header := len(m.whole)
	m.whole = append(m.whole, make([]byte, length)...)
	body := m.whole[header:]
	if _, err := io.ReadFull(m.answers, body); err != nil {
		return err
	}
	if length >= 4 && binary.BigEndian.Uint32(body) == saslContinue && hashes(body[4:]) > maxHashing {
		return errHashing
	}
	return nil
}

// protocol is what the server speaks, once it has said something.
func (m *messages) protocol() string {
	if !m.seen {
		return ""
	}
	return "PostgreSQL"
}

// hashes is how many rounds of hashing a message of SCRAM asks for (RFC 5802).
func hashes(message []byte) int {
	for part := range bytes.SplitSeq(message, []byte(",")) {
		if number, ok := bytes.CutPrefix(part, []byte("i=")); ok {
			n, err := strconv.Atoi(string(number))
			if err != nil {
				return maxHashing + 1
			}
			return n
		}
	}
	return 0
}
