package importer

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// relabel changes the labels of a target as the relabel_configs of a job have it. It
// reports whether the target is kept.
func (r *Result) relabel(where string, labels map[string]string, rules []any) bool {
	for _, one := range rules {
		m := clone(asMapping(one))
		if len(m) == 0 {
			continue
		}
		action := strings.ToLower(m.text("action"))
		pattern, replacement, separator := "(.*)", "$1", ";"
		for key, value := range map[string]*string{"regex": &pattern, "replacement": &replacement, "separator": &separator} {
			if _, there := m[key]; there {
				*value = m.text(key)
			}
		}
		re, err := regexp.Compile("^(?s:" + pattern + ")$")
		if err != nil {
			r.lose(where, "a rule of relabel_configs whose regex is none: %s", pattern)
			continue
		}
		var from []string
		for _, name := range m.texts("source_labels") {
			from = append(from, labels[name])
		}
		target := m.text("target_label")
		value := strings.Join(from, separator)
		switch action {
		case "", "replace":
			replaceLabel(labels, re, value, target, replacement)
		case "keep", "drop":
			if re.MatchString(value) == (action == "drop") {
				return false
			}
		case "keepequal", "dropequal":
			if (value == labels[target]) == (action == "dropequal") {
				return false
			}
		case "lowercase":
			labels[target] = strings.ToLower(value)
		case "uppercase":
			labels[target] = strings.ToUpper(value)
		case "labelmap":
			for _, name := range slices.Sorted(maps.Keys(labels)) {
				if re.MatchString(name) {
					labels[re.ReplaceAllString(name, replacement)] = labels[name]
				}
			}
		case "labeldrop", "labelkeep":
			maps.DeleteFunc(labels, func(name, _ string) bool { return re.MatchString(name) == (action == "labeldrop") })
		default:
			r.lose(where, "a rule of relabel_configs with the action %s", action)
		}
	}
	return true
}

// replaceLabel is the action replace: an empty value takes the label away.
func replaceLabel(labels map[string]string, re *regexp.Regexp, value, target, replacement string) {
	found := re.FindStringSubmatchIndex(value)
	if found == nil {
		return
	}
	target = string(re.ExpandString(nil, target, value, found))
	if labels[target] = string(re.ExpandString(nil, replacement, value, found)); labels[target] == "" {
		delete(labels, target)
	}
}
