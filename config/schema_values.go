package config

import "strings"

// schema is a JSON Schema.
type schema map[string]any

// The types of values. A text may be written without quotes also where YAML
// takes it for a number or a truth value.
var (
	typeText     = valueInfo{name: "text", schema: schema{"type": []string{"string", "number", "boolean"}}}
	typeName     = valueInfo{name: "text", schema: schema{"type": []string{"string", "number", "boolean"}, "minLength": 1, "maxLength": maxName}}
	typeGroup    = valueInfo{name: "text", schema: schema{"type": []string{"string", "number", "boolean"}, "maxLength": maxName}}
	typeURL      = valueInfo{name: "address", schema: schema{"type": "string", "pattern": `^([hH][tT][tT][pP][sS]?|[tT][cC][pP]|[tT][lL][sS]|[iI][cC][mM][pP]|[gG][rR][pP][cC][sS]?|[wW][sS][sS]?|[pP][oO][sS][tT][gG][rR][eE][sS]([qQ][lL])?|[rR][eE][dD][iI][sS][sS]?|[kK][aA][fF][kK][aA])://|^[dD][nN][sS]:|^[hH][eE][aA][rR][tT][bB][eE][aA][tT]://$|^\$\{`}}
	typeLines    = valueInfo{name: "list of texts", schema: oneOrMore(schema{"type": []string{"string", "number", "boolean"}, "minLength": 1})}
	typeTags     = valueInfo{name: "list of texts", schema: schema{"anyOf": []schema{typeName.schema, {"type": "array", "items": typeName.schema}}}}
	typeBool     = valueInfo{name: "true or false", schema: schema{"type": "boolean"}}
	typeDuration = valueInfo{name: "duration", schema: schema{"type": "string", "pattern": durationPattern}}
	typeSize     = valueInfo{name: "size", schema: schema{"anyOf": []schema{
		{"type": "integer", "minimum": 1, "maximum": maxBodySizeLimit},
		{"type": "string", "pattern": `^[0-9]+ ?(B|[kK]B|MB|KiB|MiB)$`},
	}}}
	typePattern  = valueInfo{name: "regular expression", schema: typeText.schema}
	typePatterns = valueInfo{name: "list of regular expressions", schema: oneOrMore(typeText.schema)}
	typeMethod   = valueInfo{name: "text", schema: schema{"type": []string{"string", "number", "boolean"}, "pattern": `^[!#$%&'*+\-.^_|~0-9A-Z` + "`" + `]+$`}}
	typeHeaders  = valueInfo{name: "mapping of texts", schema: schema{"type": "object", "additionalProperties": typeText.schema}}
	typeAny      = valueInfo{name: "any value", schema: schema{}}
	typeNumber   = valueInfo{name: "number", schema: schema{"type": "number"}}
)

const durationPattern = `^([0-9]+(\.[0-9]+)?d)?([0-9]+(\.[0-9]+)?h)?([0-9]+(\.[0-9]+)?m)?([0-9]+(\.[0-9]+)?s)?([0-9]+(\.[0-9]+)?ms)?$`

// oneOrMore is a list, or a single value in its place.
func oneOrMore(item schema) schema {
	return schema{"anyOf": []schema{item, {"type": "array", "items": item, "minItems": 1}}}
}

func typeCount(least, most int) valueInfo {
	return valueInfo{name: "whole number", schema: schema{"type": "integer", "minimum": least, "maximum": most}}
}

func typeWords(words ...string) valueInfo {
	return valueInfo{name: strings.Join(words, " or "), schema: schema{"enum": words}}
}

func typeMapping(info func() mappingInfo) valueInfo {
	return valueInfo{name: "mapping", mapping: info}
}

// typeTable is a mapping of free names to such mappings.
func typeTable(name string, info func() mappingInfo) valueInfo {
	return valueInfo{name: name, mapping: info, table: true}
}

// typeShortList is a list of mappings or of texts in their place; it can be empty.
func typeShortList(info func() mappingInfo) valueInfo {
	return valueInfo{name: "list of mappings or texts", mapping: info, list: true, empty: true, short: typeName.schema}
}

func typeList(info func() mappingInfo) valueInfo {
	return valueInfo{name: "list of mappings", mapping: info, list: true}
}
