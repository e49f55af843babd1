package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"sitemon"
)

// Describe lists the keys of a stored definition with their values, each with where
// it comes from, and behind them the keys that the site does not have and what holds
// in their place. Credentials are hidden. The error wraps [sitemon.ErrInvalid] where
// the definition is none; places that can't be read are as good as none.
func Describe(d sitemon.StoredDefinition) ([]sitemon.DefinitionKey, error) {
	site, err := DecodeSite(d.Name, d.JSON)
	if err != nil {
		return nil, err
	}
	places, _ := placesOf(d.Places, d.Name, d.JSON) // without them the values are all the same
	e := description{kind: site.Kind, places: places, other: sitemon.FromUnknown}
	if d.Source == "" {
		e.other = sitemon.FromTable
	}
	if err := e.object("", d.JSON, siteObject.info()); err != nil {
		return nil, fmt.Errorf("describe site %q: %w: %w", d.Name, sitemon.ErrInvalid, err)
	}
	return append(e.own, e.defaults...), nil
}

// description is a definition that is being described.
type description struct {
	kind   sitemon.Kind
	places map[string]sitemon.DefinitionKey
	other  sitemon.DefinitionOrigin // of values without a place

	own, defaults []sitemon.DefinitionKey
}

// object describes a mapping whose keys are before the prefix.
func (e *description) object(prefix string, raw json.RawMessage, info mappingInfo) error {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(raw, &values); err != nil {
		return err
	}
	for i := range info.keys {
		k := &info.keys[i]
		value, set := values[k.name]
		path := prefix + k.name
		switch {
		case k.kinds != nil && !slices.Contains(k.kinds, e.kind):
		case set && k.value.mapping != nil && k.value.opened():
			if err := e.object(path+".", value, k.value.mapping()); err != nil {
				return err
			}
		case set && k.value.opened():
			if err := e.table(path+".", value); err != nil {
				return err
			}
		case set:
			e.add(path, k.name, value)
		case k.def != "":
			e.addDefault(path, k.def)
		case prefix == "" && k.value.mapping != nil && k.value.opened() && k.part == partExpect:
			if err := e.object(path+".", json.RawMessage("{}"), k.value.mapping()); err != nil {
				return err
			}
		}
	}
	return nil
}

// table describes a mapping of free names.
func (e *description) table(prefix string, raw json.RawMessage) error {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(raw, &values); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		e.add(prefix+name, name, values[name])
	}
	return nil
}

func (e *description) add(path, name string, value json.RawMessage) {
	k, ok := e.places[path]
	if !ok {
		k.From = e.other
	}
	k.Key, k.Value = path, hidden(name, value)
	e.own = append(e.own, k)
}

func (e *description) addDefault(path, words string) {
	words = strings.ReplaceAll(words, "`", "")
	value, err := json.Marshal(words)
	if err == nil { // a text always can
		e.defaults = append(e.defaults, sitemon.DefinitionKey{Key: path, Value: value, From: sitemon.FromProgram})
	}
}

// Public returns a definition as everybody may see it, ${…} unexpanded and credentials
// replaced by [sitemon.Redacted], and its keys in which something was replaced. Of two
// definitions that differ in nothing else it is the same.
func Public(definition json.RawMessage) (public json.RawMessage, redacted []string, err error) {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(definition, &values); err != nil {
		return nil, nil, fmt.Errorf("read a definition: %w: %w", sitemon.ErrInvalid, err)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		shown := hidden(name, values[name])
		if bytes.Contains(shown, []byte(sitemon.Redacted)) {
			redacted = append(redacted, name)
		}
		values[name] = shown
	}
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	if err := out.Encode(values); err != nil {
		return nil, nil, fmt.Errorf("write a definition: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), redacted, nil
}

// hidden is a value as everybody may see it.
func hidden(name string, value json.RawMessage) json.RawMessage {
	var v any
	d := json.NewDecoder(strings.NewReader(string(value)))
	d.UseNumber()
	if d.Decode(&v) != nil {
		v = sitemon.Redacted // never made by this package
	}
	var b strings.Builder
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	if err := out.Encode(hide(name, v)); err != nil {
		return json.RawMessage(`"` + sitemon.Redacted + `"`)
	}
	return json.RawMessage(strings.TrimSuffix(b.String(), "\n"))
}

// hide hides what may be a credential in a value under a name. A value stays what
// it is where that says nothing: a number, the path of a file.
func hide(name string, v any) any {
	switch v := v.(type) {
	case string:
		switch {
		case sitemon.CredentialName(name) && !strings.HasSuffix(name, "_file"):
			return sitemon.RedactCredential(v)
		case strings.Contains(v, "PRIVATE KEY"):
			return sitemon.Redacted
		case name == "url" || strings.Contains(v, "://"):
			return sitemon.RedactURL(v)
		case wordy(name) && saysCredential(v):
			return sitemon.RedactCredential(v)
		case name == "send":
			if before, credential, ok := sitemon.CutCredential(v); ok {
				return before + sitemon.RedactCredential(credential)
			}
		}
	case []any:
		var signIn sitemon.SignIn
		for i := range v {
			v[i] = hide(name, answering(&signIn, v[i]))
		}
	case map[string]any:
		for key := range v {
			v[key] = hide(key, v[key])
		}
	}
	return v
}

// answering hides what a step of a dialogue says to sign in.
func answering(s *sitemon.SignIn, step any) any {
	m, ok := step.(map[string]any)
	if !ok {
		return step
	}
	if line, ok := m["send"].(string); ok {
		if before, credential, ok := s.Cut(line); ok {
			m["send"] = before + sitemon.RedactCredential(credential)
		}
	}
	return m
}

// wordy reports whether the text under a name is one that is sent, in which
// anything can stand.
func wordy(name string) bool { return name == "body" || name == "send" || name == "request" }

// saysCredential reports whether a text that is sent looks as if it had a credential
// in it: one of its words is what credentials are called.
func saysCredential(text string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(text, func(r rune) bool {
		return r != '_' && r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}), sitemon.CredentialName)
}
