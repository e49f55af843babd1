package importer

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// kuma is a backup of Uptime Kuma while it is read.
type kuma struct {
	*Result

	groups   map[string]mapping // by their ids
	channels map[string]string  // the names of notifications by their ids
	there    map[string]bool    // the channels that were made, by name
	proxies  map[string]string  // the addresses of proxies by their ids
}

// readKuma reads a backup of Uptime Kuma: JSON with monitorList and notificationList,
// or a list of monitors alone, as its API gives them.
func readKuma(content []byte, r *Result) error {
	r.literal = true
	var doc yaml.Node
	if err := yaml.Unmarshal(content, &doc); err != nil {
		return err
	}
	v, err := loosely(&doc)
	if err != nil {
		return err
	}
	top := asMapping(v)
	if list, ok := v.([]any); ok {
		top = mapping{"monitorList": list}
	}
	monitors := top.list("monitorList")
	if monitors == nil {
		return errors.New("there is no monitorList; export a backup in the settings of Uptime Kuma")
	}
	k := &kuma{Result: r, groups: map[string]mapping{}, channels: map[string]string{}, there: map[string]bool{}, proxies: map[string]string{}}
	for _, n := range top.list("notificationList") {
		k.notification(asMapping(n))
	}
	for _, p := range top.list("proxyList") {
		k.proxy(asMapping(p))
	}
	for i, one := range monitors {
		m := asMapping(one)
		if m == nil {
			return fmt.Errorf("monitor %d is no object", i+1)
		}
		if fmt.Sprint(m["type"]) == "group" {
			k.groups[fmt.Sprint(m["id"])] = m
		}
	}
	for _, one := range monitors {
		if m := asMapping(one); fmt.Sprint(m["type"]) != "group" {
			k.monitor(m)
		} else if to := k.notified(m); len(to) > 0 {
			r.lose("group "+fmt.Sprint(m["name"]), "its own notifications (%s): groups have none", strings.Join(to, ", "))
		}
	}
	top.take("version")
	r.leftover("top of the file", top, "is not known to the importer")
	return nil
}

// proxy notes the address of a proxy.
func (k *kuma) proxy(m mapping) {
	u := url.URL{Scheme: m.text("protocol"), Host: m.text("host") + ":" + m.text("port")}
	if m.flag("auth", false) {
		u.User = url.UserPassword(m.text("username"), m.text("password"))
	}
	switch {
	case !m.flag("active", true):
	case u.Scheme == "socks5h":
		u.Scheme = "socks5"
		fallthrough
	case u.Scheme == "http", u.Scheme == "https", u.Scheme == "socks5":
		k.proxies[m.text("id")] = u.String()
	}
}

// group is the path of a monitor's groups; paused tells that one of them is off.
func (k *kuma) group(m mapping) (path string, paused bool) {
	var names []string
	for id := m.text("parent"); id != "" && len(names) < len(k.groups); {
		g := k.groups[id]
		if g == nil {
			break
		}
		names = append(names, strings.TrimSpace(fmt.Sprint(g["name"])))
		paused = paused || fmt.Sprint(g["active"]) == "false" || fmt.Sprint(g["active"]) == "0"
		id = ""
		if g["parent"] != nil {
			id = fmt.Sprint(g["parent"])
		}
	}
	slices.Reverse(names)
	return strings.Join(names, " / "), paused
}

func (k *kuma) monitor(m mapping) {
	name, kind := m.text("name"), m.text("type")
	s := Site{Comment: "from monitor " + name + ", type " + kind}
	if text := m.text("description"); text != "" {
		s.Comment += ": " + strings.Join(strings.Fields(text), " ")
	}
	group, paused := k.group(m)
	inverted := m.flag("upsideDown", false)
	targets := k.targets(&s, name, kind, m)
	if len(targets) == 0 {
		k.lose(name, "monitors of type %s have no counterpart", kind)
		return
	}
	s.set("group", group)
	s.set("tags", kumaTags(m.list("tags")))
	if active := m.flag("active", true); !active || m.flag("forceInactive", false) || paused || inverted {
		s.set("enabled", false)
		if inverted && active {
			k.lose(name, "it is upside down there (up when it does not answer), which has no counterpart; the site is there with enabled: false")
		}
	}
	k.rhythmOf(&s, name, kind, m)
	if query := m.text("databaseQuery"); kind == "postgres" && query != "" {
		s.set("postgres", []Key{{"query", query}})
	}
	k.request(&s, name, kind, m)
	k.kumaStream(&s, name, kind, m)
	k.alerts(&s, name, m)
	for _, key := range kumaQuiet {
		delete(m, key)
	}
	for key, usual := range kumaUsual {
		if slices.Contains(strings.Split(usual, "|"), fmt.Sprint(m[key])) {
			delete(m, key)
		}
	}
	k.leftover(name, m, "is not carried over")
	for i, target := range targets {
		if target == "" {
			target = "https://" // refused, with a word on it
		}
		one := Site{Comment: s.Comment, Keys: append([]Key{{"url", target}}, s.Keys...)}
		if i == 0 {
			k.add(one, name, group+" "+name)
		} else {
			k.add(one, fmt.Sprintf("%s, %d", name, i+1))
		}
	}
}

func kumaTags(all []any) (tags []string) {
	for _, t := range all {
		if tag := asMapping(t); tag != nil {
			tags = append(tags, strings.TrimSuffix(tag.text("name")+":"+tag.text("value"), ":"))
		}
	}
	return tags
}

// rhythmOf sets how often a monitor is looked at, and when it counts as down.
func (k *kuma) rhythmOf(s *Site, name, kind string, m mapping) {
	interval, _ := m.number("interval")
	if kind == "push" { // it is looked at more often than it calls
		k.kumaPush(s, name, m, interval)
		interval = min(interval, 60)
	}
	s.set("interval", seconds(interval))
	if t, ok := m.number("timeout"); ok && t > 0 {
		s.set("timeout", seconds(min(t, interval)))
	}
	pause, paused := m.number("retryInterval")
	if n, ok := m.number("maxretries"); ok && n > 0 {
		s.set("failure_threshold", int(n)+1)
		if paused && pause != interval {
			k.lose(name, "the interval of %s between retries: failed reports are counted at the site's own interval", seconds(pause))
		}
	}
}

// notified are the channels that a monitor tells, by name.
func (k *kuma) notified(m mapping) (to []string) {
	ids := m.sub("notificationIDList")
	for _, id := range m.list("notificationIDList") { // as some clients of its API write it
		ids[fmt.Sprint(id)] = true
	}
	for _, id := range sortedKeys(ids) {
		if fmt.Sprint(ids[id]) != "false" {
			to = append(to, k.channels[id])
		}
	}
	return to
}

// alerts sets whom a monitor tells. A reminder goes out each so many failed checks.
func (k *kuma) alerts(s *Site, name string, m mapping) {
	failures, _ := m.number("resendInterval")
	reminder, _ := duration(s.text("interval"))
	reminder = max(time.Minute, reminder*time.Duration(failures))
	var all []any
	for _, to := range k.notified(m) {
		if !k.there[to] {
			k.lose(name, "its notification %s; write alerts: by hand once there is a channel", to)
			continue
		}
		one := map[string]any{"to": to}
		if failures > 0 {
			one["reminder_interval"] = span(reminder)
		}
		all = append(all, one)
	}
	s.set("alerts", all)
	if failures > 0 && all == nil {
		k.lose(name, "reminders each %g failed checks; write alerts: [{ to: …, reminder_interval: … }] by hand", failures)
	}
}
