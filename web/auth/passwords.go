package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"
)

const (
	// atOnce is how many passwords are compared at the same time: each takes a core
	// for a good while, on purpose.
	atOnce = 2
	// patience is how long a password waits for its turn.
	patience = 5 * time.Second
	// known is how long a right password is known without comparing it again, so that
	// a script with a password does not cost a core.
	known = 5 * time.Minute
	// wrongAllowed is how many wrong passwords in a row from one client for one name
	// are nothing; then one a forgive passes.
	wrongAllowed = 5
	forgive      = time.Minute
	// remembered bounds what is kept of passwords, right and wrong.
	remembered = 10_000
	// longest is the longest password that bcrypt takes.
	longest = 72
)

// passwords compares passwords, and slows down who guesses.
type passwords struct {
	key    []byte
	nobody []byte // the hash that is compared for a name that is not there
	now    func() time.Time
	turn   chan struct{}

	mu    sync.Mutex
	right map[digest]time.Time // until when
	wrong map[digest]guesses   // by client and name, however long those are
}

type digest = [sha256.Size]byte

type guesses struct {
	count int
	last  time.Time
}

func newPasswords(key, nobody []byte, now func() time.Time) *passwords {
	return &passwords{
		key: key, nobody: nobody, now: now, turn: make(chan struct{}, atOnce),
		right: map[digest]time.Time{}, wrong: map[digest]guesses{},
	}
}

// check compares a password with a hash; none: it is wrong, and takes as long. The
// wrong passwords of a client for a name are counted together.
func (p *passwords) check(ctx context.Context, client string, hash []byte, name, password string) error {
	who := sha256.Sum256([]byte(client + "\x00" + name))
	mac := hmac.New(sha256.New, p.key)
	mac.Write(hash)
	mac.Write([]byte{0})
	mac.Write([]byte(name + "\x00" + password))
	sum := digest(mac.Sum(nil))
	if ok, err := p.remember(who, sum); ok || err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return ErrOften
	}
	// Others of the same client may have been wrong while this one waited.
	if ok, err := p.remember(who, sum); ok || err != nil {
		return err
	}
	against := hash
	if against == nil {
		against = p.nobody
	}
	good := bcrypt.CompareHashAndPassword(against, []byte(password)) == nil && hash != nil && len(password) <= longest
	p.note(who, sum, good)
	if !good {
		return ErrWrong
	}
	return nil
}

// remember reports whether the password has been right lately, or that its client has
// been wrong too often to be asked.
func (p *passwords) remember(who, sum digest) (ok bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if until, ok := p.right[sum]; ok && now.Before(until) {
		return true, nil // whoever else guesses from there
	}
	if g, ok := p.wrong[who]; ok && g.count >= wrongAllowed && now.Sub(g.last) < forgive {
		return false, ErrOften
	}
	return false, nil
}

// note keeps what a comparison said.
func (p *passwords) note(who, sum digest, good bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if good {
		delete(p.wrong, who)
		if len(p.right) >= remembered {
			clear(p.right)
		}
		p.right[sum] = now.Add(known)
		return
	}
	g, there := p.wrong[who]
	if !there && len(p.wrong) >= remembered {
		p.forget(now)
	}
	p.wrong[who] = guesses{g.count + 1, now}
}

// forget makes room: those go that may guess again anyway, and if that is not enough
// all of them. The caller holds the lock.
func (p *passwords) forget(now time.Time) {
	for who, g := range p.wrong {
		if now.Sub(g.last) >= forgive {
			delete(p.wrong, who)
		}
	}
	if len(p.wrong) >= remembered {
		clear(p.wrong)
	}
}
