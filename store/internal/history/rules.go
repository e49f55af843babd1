package history

import (
	"encoding/json"

	"sitemon"
)

// RulesOf reads the rules of a site as they are stored; nil if there are none. What
// is stored was written by this program or a newer one: what it does not understand
// says nothing.
func RulesOf(text string) *sitemon.Rules {
	var r sitemon.Rules
	if text == "" || json.Unmarshal([]byte(text), &r) != nil {
		return nil
	}
	return &r
}
