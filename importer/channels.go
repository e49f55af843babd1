package importer

import (
	"net/url"
	"strings"
)

// gatusChannels makes channels of the providers of Gatus, named as they are there. It
// returns what an alert over each is unless it says otherwise.
func (r *Result) gatusChannels(alerting mapping) map[string]mapping {
	made := map[string]mapping{}
	for _, kind := range sortedKeys(alerting) {
		m := asMapping(alerting[kind])
		if m == nil {
			r.lose("channel "+kind, "it is no mapping")
			continue
		}
		where := "channel " + kind
		address := r.gatusChannel(kind, where, m)
		if address == "" {
			continue
		}
		usual := m.sub("default-alert")
		if m.take("overrides") != nil {
			r.lose(where, "overrides are not carried over; make a channel for each")
		}
		r.leftover(where, m, "is not carried over")
		r.Channels = append(r.Channels, Channel{kind, address})
		made[kind] = usual
	}
	return made
}

func (r *Result) gatusChannel(kind, where string, m mapping) string {
	hook := m.text("webhook-url")
	switch kind {
	case "slack", "mattermost", "discord", "teams", "googlechat":
		return r.hookURL(kind, where, hook)
	case "telegram":
		return "telegram://" + m.text("token") + "@telegram?chats=" + url.QueryEscape(m.text("id"))
	case "gotify":
		return "gotify://" + withoutScheme(m.text("server-url")) + "/" + m.text("token")
	case "ntfy":
		server := withoutScheme(m.text("url"))
		if server == "" {
			server = "ntfy.sh"
		}
		if token := m.text("token"); token != "" {
			server = ":" + token + "@" + server
		}
		return "ntfy://" + server + "/" + m.text("topic")
	case "pushover":
		return "pushover://shoutrrr:" + m.text("application-token") + "@" + m.text("user-key") + "/"
	case "opsgenie":
		return "opsgenie://api.opsgenie.com/" + m.text("api-key")
	case "pagerduty":
		return "pagerduty://events.pagerduty.com/" + m.text("integration-key")
	case "email":
		u := url.URL{Scheme: "smtp", Host: m.text("host"), Path: "/"}
		if port := m.text("port"); port != "" {
			u.Host += ":" + port
		}
		if name := m.text("username"); name != "" {
			u.User = url.UserPassword(name, m.text("password"))
		}
		u.RawQuery = url.Values{"from": {m.text("from")}, "to": {m.text("to")}}.Encode()
		return references(u.String())
	}
	r.lose(where, "alerts over %s are not carried over; docs/channels.md has what there is", kind)
	return ""
}

// hookURL makes a channel of the address of an incoming webhook.
func (r *Result) hookURL(kind, where, hook string) string {
	u, err := url.Parse(hook)
	if err != nil || strings.Contains(hook, "${") || u.Host == "" {
		r.lose(where, "its address is in a variable, which can't be taken apart; set %s_URL to a URL as in docs/channels.md", strings.ToUpper(kind))
		return "${" + strings.ToUpper(kind) + "_URL}"
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	switch {
	case kind == "slack" && len(parts) == 4:
		return "slack://hook:" + strings.Join(parts[1:], "-") + "@webhook"
	case kind == "discord" && len(parts) >= 4:
		return "discord://" + parts[len(parts)-1] + "@" + parts[len(parts)-2]
	case kind == "mattermost" && len(parts) >= 2:
		return "mattermost://" + u.Host + "/" + parts[len(parts)-1]
	}
	r.lose(where, "its address can't be taken apart; set %s_URL to a URL as in docs/channels.md", strings.ToUpper(kind))
	return "${" + strings.ToUpper(kind) + "_URL}"
}

func withoutScheme(address string) string {
	if _, rest, ok := strings.Cut(address, "://"); ok {
		address = rest
	}
	return strings.TrimSuffix(address, "/")
}

// references makes ${NAME} again of what a URL has escaped.
func references(text string) string {
	return strings.NewReplacer("$%7B", "${", "%24%7B", "${", "%7D", "}").Replace(text)
}
