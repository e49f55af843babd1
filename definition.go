package sitemon

import "encoding/json"

// DefinitionOrigin says where a value of a site's definition comes from.
type DefinitionOrigin string

// The origins of values.
const (
	FromSite         DefinitionOrigin = "site"          // the site itself
	FromDefaults     DefinitionOrigin = "defaults"      // the section defaults of the document
	FromAnchor       DefinitionOrigin = "anchor"        // an anchor, through an alias or <<
	FromScanInterval DefinitionOrigin = "scan_interval" // the setting SCAN_INTERVAL
	FromProgram      DefinitionOrigin = "default"       // the program's own default
	FromTable        DefinitionOrigin = "table"         // a row that was put in by hand
	// FromUnknown is the origin of a value whose document was stored before origins
	// were, or whose row somebody has changed since.
	FromUnknown DefinitionOrigin = "unknown"
)

// DefinitionKey is one key of a site's definition in effect.
type DefinitionKey struct {
	// Key is the key as it is written in sites.yaml, those inside of others behind a
	// dot: "expect.status", "headers.Accept".
	Key string `json:"key"`
	// Value is the value as JSON, ${…} unexpanded, credentials replaced by
	// [Redacted]. With [FromProgram] it may be a text that says it in words.
	Value json.RawMessage  `json:"value"`
	From  DefinitionOrigin `json:"from"`
	// File, Line and Column are where the value is written, both from 1, columns in
	// characters; "" and 0 where that is in no file, or not known.
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// StoredDefinition is a site's definition as the store has it.
type StoredDefinition struct {
	Definition
	Source     string // the document that owns the site; "" for a row put in by hand
	Generation int64  // with which it got this definition
	// Places is [Document.Places] of the document, nil where they are not known.
	Places []byte
}
