package importer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// readBlackbox reads the modules of blackbox_exporter together with the jobs of
// Prometheus that use them: both files one after the other, divided by a line ---.
func readBlackbox(content []byte, r *Result) error {
	modules, jobs := mapping{}, []any{}
	for _, part := range documents(content) {
		top, err := parse(part)
		if err != nil {
			return err
		}
		maps.Copy(modules, top.sub("modules"))
		jobs = append(jobs, top.list("scrape_configs")...)
		for _, ours := range []string{"global", "alerting", "rule_files", "remote_write", "remote_read", "storage"} {
			if top.take(ours) != nil {
				r.lose(ours, "concerns Prometheus itself")
			}
		}
		r.leftover("top of the file", top, "is not known to the importer")
	}
	used := map[string]bool{}
	for _, j := range jobs {
		job := asMapping(j)
		if job == nil || fmt.Sprint(job["metrics_path"]) != "/probe" {
			r.lose("job "+job.text("job_name"), "it is none of blackbox_exporter, whose metrics_path is /probe")
			continue
		}
		if err := r.blackboxJob(job, modules, used); err != nil {
			return err
		}
	}
	for _, name := range sortedKeys(modules) {
		if !used[name] {
			r.lose("module "+name, "no job of a Prometheus file uses it; give both files: { cat blackbox.yml; echo ---; cat prometheus.yml; }")
		}
	}
	if len(r.Sites) == 0 && len(modules) == 0 {
		return errors.New("there are neither modules nor jobs with metrics_path: /probe")
	}
	return nil
}

// documents divides a file at lines that are --- alone.
func documents(content []byte) (parts [][]byte) {
	for part := range strings.SplitSeq("\n"+string(content), "\n---\n") {
		if strings.TrimSpace(part) != "" {
			parts = append(parts, []byte(part))
		}
	}
	return parts
}

func (r *Result) blackboxJob(job, modules mapping, used map[string]bool) error {
	name := job.text("job_name")
	wanted := "http_2xx" // what it is without the parameter
	params := job.sub("params")
	if names := params.texts("module"); len(names) > 0 {
		wanted = names[0]
		for _, more := range names[1:] {
			r.lose("job "+name, "the module %s beside %s", more, wanted)
		}
	}
	r.leftover("job "+name, params, "of its params is not carried over")
	var targets []string
	labels := map[string][]string{}
	for _, s := range job.list("static_configs") {
		m := asMapping(s)
		var tags []string
		for key, value := range m.sub("labels") {
			tags = append(tags, key+":"+fmt.Sprint(value))
		}
		slices.Sort(tags)
		for _, t := range m.texts("targets") {
			targets = append(targets, t)
			labels[t] = tags
		}
	}
	for _, discovery := range sortedKeys(job) {
		if strings.HasSuffix(discovery, "_sd_configs") {
			job.take(discovery)
			r.lose("job "+name, "%s: export the targets and use sitemon import prometheus-sd", discovery)
		}
	}
	module := asMapping(modules[wanted])
	if module == nil {
		if wanted != "http_2xx" && wanted != "tcp_connect" && wanted != "icmp" {
			r.lose("job "+name, "the module %s is not in the file; its sites are plain ones", wanted)
		}
		module = mapping{"prober": map[string]string{"tcp_connect": "tcp", "icmp": "icmp"}[wanted]}
	}
	used[wanted] = true
	interval, _ := duration(job.text("scrape_interval"))
	for _, target := range targets {
		s := Site{Comment: fmt.Sprintf("from job %s, module %s", name, wanted)}
		if err := r.blackboxSite(&s, target, clone(module)); err != nil {
			return fmt.Errorf("module %s: %w", wanted, err)
		}
		s.set("group", name)
		s.set("tags", labels[target])
		s.set("interval", span(interval))
		r.add(s, target, name+" "+target)
	}
	job.take("metrics_path")
	if rules := job.list("relabel_configs"); len(rules) > blackboxRules {
		r.lose("job "+name, "relabel_configs has more than the %d rules that lead to the exporter; look whether they change targets", blackboxRules)
	}
	r.leftover("job "+name, job, "is not carried over")
	return nil
}

// blackboxRules is how many rules a job needs for the exporter to be asked about a
// target, as its documentation has them.
const blackboxRules = 3

// clone copies a mapping with all below it, as each site takes it apart.
func clone(m mapping) mapping {
	c := mapping{}
	for key, v := range m {
		if inner := asMapping(v); inner != nil {
			v = map[string]any(clone(inner))
		}
		c[key] = v
	}
	return c
}

func (r *Result) blackboxSite(s *Site, target string, m mapping) error {
	prober := m.text("prober")
	if prober == "" {
		prober = "http"
	}
	timeout, _ := duration(m.text("timeout"))
	o := m.sub(prober)
	for _, other := range []string{"http", "tcp", "dns", "icmp", "grpc", "unix"} {
		m.take(other)
	}
	r.leftover(target, m, "of its module is not carried over")
	switch prober {
	case "http":
		if !strings.Contains(target, "://") {
			target = "http://" + target
		}
		s.set("url", target)
		r.blackboxHTTP(s, target, o)
	case "tcp":
		scheme := "tcp://"
		if o.flag("tls", false) {
			scheme = "tls://"
		}
		s.set("url", scheme+target)
		r.copyKeys(s, o, "preferred_ip_protocol", "ip_protocol_fallback", "tls_config")
		r.blackboxDialogue(s, target, o.list("query_response"))
	case "icmp":
		s.set("url", "icmp://"+target)
		r.copyKeys(s, o, "preferred_ip_protocol", "ip_protocol_fallback")
	case "dns":
		path, kind := "/"+strings.TrimSuffix(o.text("query_name"), "."), o.text("query_type")
		if kind != "" && kind != "A" {
			path += "?type=" + kind
		}
		s.set("url", "dns://"+target+path)
		r.copyKeys(s, o, "preferred_ip_protocol", "ip_protocol_fallback")
	case "grpc":
		scheme := "grpc://"
		if o.flag("tls", false) {
			scheme = "grpcs://"
		}
		s.set("url", grpcTarget(scheme, target, o.text("service")))
		r.copyKeys(s, o, "tls_config", "preferred_ip_protocol", "ip_protocol_fallback")
	default:
		return fmt.Errorf("there is no prober %q", prober)
	}
	s.set("timeout", span(timeout))
	r.leftover(target, o, "of its module is not carried over")
	return nil
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

func (r *Result) blackboxHTTP(s *Site, target string, o mapping) {
	r.copyKeys(s, o, "method", "headers", "body", "follow_redirects", "basic_auth", "authorization", "oauth2", "proxy_url", "tls_config",
		"preferred_ip_protocol", "ip_protocol_fallback", "enable_http2")
	if token := o.text("bearer_token"); token != "" {
		s.set("authorization", []Key{{"credentials", token}})
	}
	if http3 := o.flag("enable_http3", false); http3 && strings.HasPrefix(target, "https://") {
		s.set("enable_http3", true)
	} else if http3 {
		r.lose(target, "enable_http3 is for https:// alone")
	}
	var e expectations
	for _, version := range o.texts("valid_http_versions") {
		if version == "HTTP/2" || version == "HTTP/3" {
			version += ".0"
		}
		e.versions = append(e.versions, version)
	}
	e.status = append(e.status, o.list("valid_status_codes")...)
	if e.status == nil {
		e.status = []any{"200-299"}
	}
	e.match = o.texts("fail_if_body_not_matches_regexp")
	e.notMatch = o.texts("fail_if_body_matches_regexp")
	for _, h := range o.list("fail_if_header_not_matches") {
		m := asMapping(h)
		if m.flag("allow_missing", false) {
			r.lose(target, "a header that may be missing, but has to match: %s", m.text("header"))
			continue
		}
		e.headers = append(e.headers, Key{m.text("header"), m.text("regexp")})
	}
	if o.flag("fail_if_ssl", false) {
		r.lose(target, "fail_if_ssl has no counterpart")
	}
	if o.flag("fail_if_not_ssl", false) && !strings.HasPrefix(target, "https://") {
		r.lose(target, "fail_if_not_ssl has no counterpart; write https:// in its url")
	}
	s.set("expect", e.keys())
}
