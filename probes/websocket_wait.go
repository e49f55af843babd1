package probes

import (
	"crypto/sha256"
	"slices"
)

// waits reports whether something is expected of messages.
func (s *webSocket) waits() bool {
	return len(s.attempt.site.Expect.JSON) > 0 || s.attempt.expectsOfBody()
}

// expectsOfBody reports whether something is expected of the answer's text, or read
// out of it.
func (a *attempt) expectsOfBody() bool {
	e := a.site.Expect
	if len(e.BodyMatch)+len(e.BodyNotMatch) > 0 || e.BodyHash != "" {
		return true
	}
	v := verdict{attempt: a}
	return slices.ContainsFunc(v.reads(), ofBody)
}

// ofBody reports whether what an expression reads is made of the answer's text.
func ofBody(name string) bool {
	return name == "body" || name == "json" || name == "body_bytes" || name == "values"
}

// answered is what the WebSocket tells expressions of its answer and of messages.
func (s *webSocket) answered(body []byte) answered {
	return answered{status: s.answer.resp.StatusCode, header: s.answer.resp.Header, body: body, json: body[s.start:]}
}

// enough reports whether the messages so far are as expected.
func (s *webSocket) enough(body []byte) bool {
	e := s.attempt.site.Expect
	v := verdict{attempt: s.attempt, ans: s.answered(body)}
	for _, p := range e.BodyMatch {
		if !v.match(p, body) {
			return false
		}
	}
	if e.BodyHash != "" && e.BodyHash != stable && hashOf(sha256.Sum256(body)) != e.BodyHash {
		return false
	}
	return v.jsonHolds(body[s.start:]) && s.conditionsHold(&v)
}

// conditionsHold reports whether the conditions on messages hold, with what the
// expressions that name numbers find in them.
func (s *webSocket) conditionsHold(v *verdict) bool {
	a, e := s.attempt, s.attempt.site.Expect
	if len(e.Expr) == 0 {
		return true
	}
	for _, p := range e.BodyMatch {
		v.matchBody(p, v.ans.body)
	}
	env := v.environment()
	env.BodyBytes = int64(len(v.ans.body))
	v.values(env)
	for _, want := range e.Expr {
		p, err := a.set.programs.condition(want.Expr)
		if err != nil || want.Degrades || !slices.ContainsFunc(p.Uses(), ofBody) {
			continue // which the verdict tells
		}
		if ok, err := p.Holds(a.ctx, env); err != nil || !ok {
			return false
		}
	}
	return true
}
