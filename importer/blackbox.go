package importer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// blackbox are the files of a blackbox_exporter and its Prometheus while they are read.
type blackbox struct {
	*Result

	modules mapping
	used    map[string]bool
	global  mapping
}

// readBlackbox reads the modules of blackbox_exporter together with the jobs of
// Prometheus that use them: both files one after the other, divided by a line ---.
func readBlackbox(content []byte, r *Result) error {
	r.literal = true
	top, err := parse(content)
	if err != nil {
		return err
	}
	b := &blackbox{Result: r, modules: top.sub("modules"), used: map[string]bool{}, global: top.sub("global")}
	jobs := top.list("scrape_configs")
	for _, ours := range []string{"alerting", "rule_files", "remote_write", "remote_read", "storage", "scrape_config_files", "tracing", "runtime", "otlp"} {
		if top.take(ours) != nil {
			r.lose(ours, "concerns Prometheus itself")
		}
	}
	r.leftover("top of the file", top, "is not known to the importer")
	for _, j := range jobs {
		job := asMapping(j)
		if job == nil || !strings.HasSuffix(fmt.Sprint(job["metrics_path"]), "/probe") {
			r.lose("job "+job.text("job_name"), "it is none of blackbox_exporter, whose metrics_path is /probe")
			continue
		}
		b.job(job)
	}
	for _, name := range sortedKeys(b.modules) {
		if !b.used[name] {
			r.lose("module "+name, "no job of a Prometheus file uses it; give both files: { cat blackbox.yml; echo ---; cat prometheus.yml; }")
		}
	}
	if len(r.Sites) == 0 && len(b.modules) == 0 {
		return errors.New("there are neither modules nor jobs with metrics_path: /probe")
	}
	return nil
}

// job makes sites of the targets of a job.
func (b *blackbox) job(job mapping) {
	name := job.text("job_name")
	where := "job " + name
	labels := map[string]string{"job": name}
	for key, label := range map[string]string{"scrape_interval": "__scrape_interval__", "scrape_timeout": "__scrape_timeout__"} {
		if labels[label] = job.text(key); labels[label] == "" {
			labels[label] = b.global.textOf(key)
		}
	}
	params := job.sub("params")
	for _, key := range sortedKeys(params) {
		values := params.texts(key)
		if len(values) > 0 {
			labels["__param_"+key] = values[0]
		}
		for _, more := range values[min(1, len(values)):] {
			b.lose(where, "the %s %s beside %s", key, more, values[0])
		}
	}
	for _, discovery := range sortedKeys(job) {
		if strings.HasSuffix(discovery, "_sd_configs") {
			job.take(discovery)
			b.lose(where, "%s: export the targets and use sitemon import prometheus-sd", discovery)
		}
	}
	rules := job.list("relabel_configs")
	for _, s := range job.list("static_configs") {
		m := asMapping(s)
		own := m.sub("labels")
		for _, address := range m.texts("targets") {
			all := maps.Clone(labels)
			for _, key := range sortedKeys(own) {
				if list, ok := own[key].([]any); ok && len(list) > 0 {
					all[key] = fmt.Sprint(list[0])
				} else {
					all[key] = fmt.Sprint(own[key])
				}
			}
			all["__address__"] = address
			if b.relabel(where, all, rules) {
				b.site(where, address, all)
			}
		}
	}
	job.take("metrics_path")
	b.leftover(where, job, "is not carried over")
}

// site makes a site of a target with its labels.
func (b *blackbox) site(where, address string, labels map[string]string) {
	target := labels["__param_target"]
	if target == "" {
		target = address
	}
	wanted := labels["__param_module"]
	if wanted == "" {
		wanted = "http_2xx" // what it is without the parameter
	}
	module := asMapping(b.modules[wanted])
	if module == nil {
		if wanted != "http_2xx" && wanted != "tcp_connect" && wanted != "icmp" {
			b.lose(where, "the module %s is not in the file; its sites are plain ones", wanted)
		}
		module = mapping{"prober": map[string]string{"tcp_connect": "tcp", "icmp": "icmp"}[wanted]}
	}
	b.used[wanted] = true
	s := Site{Comment: fmt.Sprintf("from %s, module %s", where, wanted)}
	if !b.probe(&s, "module "+wanted, target, clone(module)) {
		b.lose(target, "the site is left out")
		return
	}
	timeout := s.duration("timeout")
	if scrape, ok := duration(labels["__scrape_timeout__"]); ok && (timeout == 0 || scrape < timeout) {
		taken(&s, "timeout")
		s.set("timeout", span(scrape))
	}
	s.set("group", labels["job"])
	var tags []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		switch {
		case strings.HasPrefix(key, "__param_") && key != "__param_target" && key != "__param_module":
			b.lose(where, "%s of its params is not carried over", strings.TrimPrefix(key, "__param_"))
		case !strings.HasPrefix(key, "__") && key != "job" && key != "instance":
			tags = append(tags, key+":"+labels[key])
		}
	}
	s.set("tags", tags)
	if interval, ok := duration(labels["__scrape_interval__"]); ok {
		s.set("interval", span(interval))
	} else if text := labels["__scrape_interval__"]; text != "" {
		b.lose(where, "its interval %q is no duration", text)
	}
	name := labels["instance"]
	if name == "" {
		name = target
	}
	b.add(s, nameOf(name), strings.TrimSpace(labels["job"]+" "+nameOf(name)))
}

// clone copies a mapping with all below it, as each site takes it apart.
func clone(m mapping) mapping {
	c := mapping{}
	for key, v := range m {
		c[key] = cloned(v)
	}
	return c
}

func cloned(v any) any {
	if m := asMapping(v); m != nil {
		return map[string]any(clone(m))
	}
	if list, ok := v.([]any); ok {
		all := make([]any, len(list))
		for i, one := range list {
			all[i] = cloned(one)
		}
		return all
	}
	return v
}

// copyKeys takes keys over that have the same name and meaning here.
func (r *Result) copyKeys(s *Site, m mapping, names ...string) {
	for _, name := range names {
		if v := m.take(name); v != nil {
			s.set(name, ordered(v))
		}
	}
}

// ordered is a value whose mappings are in the order of their keys.
func ordered(v any) any {
	if m := asMapping(v); m != nil {
		keys := make([]Key, 0, len(m))
		for _, name := range sortedKeys(m) {
			keys = append(keys, Key{name, ordered(m[name])})
		}
		return keys
	}
	return v
}
