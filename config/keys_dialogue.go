package config

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"sitemon"
)

// maxDialogue is how many steps a dialogue may have.
const maxDialogue = 100

// dialogueKey says what is said on a connection.
func dialogueKey() key[draft] {
	return request(keyInfo{
		name: "query_response", value: typeList(dialogueObject.info), kinds: []sitemon.Kind{sitemon.KindTCP, sitemon.KindTLS},
		example: `[{ expect: "^220 " }, { send: "QUIT\r" }]`,
		doc:     "What is said once the connection is open, as blackbox_exporter has it; see [kinds.md](kinds.md).",
	}, func(w *walker, f field, d *draft) {
		groups, signIn := 0, sitemon.SignIn{}
		w.items("query_response", f.value, func(n *yaml.Node) {
			s := dialogueStep{groups: &groups, signIn: &signIn}
			before := w.faults
			dialogueObject.read(w, field{value: n}, &s)
			if w.faults == before && s.Expect == nil && s.Send == "" && !s.StartTLS {
				w.fail(n, "an entry of query_response needs expect, send or starttls: true")
			}
			d.request.QueryResponse = append(d.request.QueryResponse, s.DialogueStep)
			if s.StartTLS {
				w.startTLS(n, d)
			}
		})
		if len(d.request.QueryResponse) > maxDialogue {
			w.fail(f.value, "query_response has %d steps; it can have %d", len(d.request.QueryResponse), maxDialogue)
		}
	})
}

// startTLS notes a second beginning of TLS.
func (w *walker) startTLS(n *yaml.Node, d *draft) {
	switch {
	case w.kind == sitemon.KindTLS:
		w.fail(n, "starttls: a tls:// site speaks TLS from the start; write tcp:// to begin it later")
	case d.startTLS:
		w.fail(n, "starttls: TLS has begun already")
	}
	d.startTLS = true
}

// dialogueStep is a step while it is read.
type dialogueStep struct {
	sitemon.DialogueStep
	groups *int // how many groups the last expression has
	signIn *sitemon.SignIn
}

var dialogueObject = newDialogueObject()

func newDialogueObject() *object[dialogueStep] {
	o := newObject("an entry of query_response", []key[dialogueStep]{
		{
			keyInfo: keyInfo{
				name: "expect", value: typePattern, example: `"^220 ([^ ]+) ESMTP"`,
				doc: "A regular expression (RE2) for a line that the other side has to send; lines before it are passed over. It is waited for before anything else of the same entry.",
			},
			read: func(w *walker, f field, s *dialogueStep) {
				if p, ok := w.pattern("expect", f.value); ok {
					s.Expect, *s.groups = &p, p.Groups()
				}
			},
		},
		{
			keyInfo: keyInfo{
				name: "send", value: typeText, example: `"EHLO monitor.example.org\r"`,
				doc: "A line to send; a line feed is put to its end, and a `\\r` has to be written. `${1}` stands for what the first group of the last `expect` matched; `${NAME}` and `${file:PATH}` are variables and files as anywhere.",
			},
			read: func(w *walker, f field, s *dialogueStep) {
				s.Send = w.sendLine(f.value, *s.groups, s.signIn)
				w.out = appendJSON(w.out, s.Send)
			},
		},
		{
			keyInfo: keyInfo{
				name: "starttls", value: typeBool, def: "false", example: "true",
				doc: "Whether TLS begins now. `tls_config` and `expect.certificate_valid_for` apply from here on. Only for tcp://.",
			},
			read: func(w *walker, f field, s *dialogueStep) { s.StartTLS = w.boolean("starttls", f.value) },
		},
	}, nil)
	o.aliases = map[string]string{
		"query": "send", "request": "send", "write": "send", "line": "send", "response": "expect", "receive": "expect", "match": "expect", "regex": "expect", "tls": "starttls",
	}
	return o
}

// sendLine reads a line to be sent, whose ${1} stand for one of so many groups.
func (w *walker) sendLine(n *yaml.Node, groups int, signIn *sitemon.SignIn) string {
	s, ok := w.scalar("send", n)
	if !ok {
		return ""
	}
	if s == "" {
		w.fail(n, "send is empty; write the line to send")
	}
	rest := *deref(n)
	rest.Value, rest.Line, rest.Column = "", n.Line, n.Column
	sitemon.EachCapture(s, func(literal string) { rest.Value += literal }, func(group int) {
		switch {
		case group <= groups:
		case groups == 0:
			w.fail(n, "send: ${%d} stands for a group of the expect before, which has none; put what is meant in brackets there", group)
		default:
			w.fail(n, "send: ${%d} stands for a group of the expect before, which has %d", group, groups)
		}
	})
	w.reference("send", &rest)
	if _, credential, ok := signIn.Cut(s); ok && !strings.HasPrefix(credential, "${") {
		w.literalCredential("a credential in send", n, credential)
	}
	return s
}
