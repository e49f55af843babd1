package importer

import (
	"net/url"
	"strings"
)

// byURL are the keys of a channel that has a URL of the notification library.
func byURL(address string) []Key { return []Key{{"url", address}} }

// workflowTemplate is what a workflow of Microsoft Teams takes.
const workflowTemplate = `{"type":"message","attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","content":{` +
	`"type":"AdaptiveCard","version":"1.4","body":[{"type":"TextBlock","wrap":true,"text":{{json .summary}}}]}}]}`

// byWorkflow are the keys of a channel that is a workflow of Microsoft Teams.
func byWorkflow(address string) []Key {
	return []Key{{"webhook", []Key{{"url", address}, {"template", workflowTemplate}}}}
}

// byHook makes a channel of the address of an incoming webhook; nil where it can't be
// taken apart.
func byHook(kind, hook string) []Key {
	u, err := url.Parse(hook)
	if err != nil || strings.Contains(hook, "${") || u.Host == "" {
		return nil
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	last := parts[len(parts)-1]
	plain := ""
	if u.Scheme == "http" {
		plain = "?disabletls=yes"
	}
	switch {
	case kind == "slack" && len(parts) == 4:
		return byURL("slack://hook:" + strings.Join(parts[1:], "-") + "@webhook")
	case kind == "discord" && len(parts) >= 4:
		return byURL("discord://" + last + "@" + parts[len(parts)-2])
	case kind == "mattermost" && len(parts) >= 2:
		return byURL("mattermost://" + u.Host + "/" + last + plain)
	case kind == "rocketchat" && len(parts) >= 3 && u.Scheme == "https":
		return byURL("rocketchat://" + u.Host + "/" + parts[len(parts)-2] + "/" + last)
	case kind == "googlechat" && u.Query().Has("key") && u.Query().Has("token"):
		return byURL("googlechat://" + u.Host + u.Path + "?" + u.RawQuery)
	case kind == "teams" && len(parts) == 6 && parts[2] == "IncomingWebhook":
		group, tenant, _ := strings.Cut(parts[1], "@")
		return byURL("teams://" + group + "@" + tenant + "/" + strings.Join(parts[3:], "/") + "?host=" + u.Host)
	case kind == "teams":
		return byWorkflow(hook)
	}
	return nil
}

func byTelegram(token, chat string) []Key {
	return byURL("telegram://" + token + "@telegram?chats=" + url.QueryEscape(chat))
}

// byServer makes a channel of a service that is at an address of its own: plain is
// what its URL has where that has no TLS.
func byServer(scheme, server, path string, user *url.Userinfo, query url.Values, plain string) []Key {
	if key, value, ok := strings.Cut(plain, "="); ok && strings.HasPrefix(server, "http://") {
		query.Set(key, value)
	}
	host, below, _ := strings.Cut(withoutScheme(server), "/")
	if below != "" {
		path = "/" + below + path
	}
	u := url.URL{Scheme: scheme, Host: host, Path: path, User: user, RawQuery: query.Encode()}
	return byURL(u.String())
}

func byGotify(server, token string) []Key {
	return byServer("gotify", server, "/"+token, nil, url.Values{}, "disabletls=yes")
}

func byNtfy(server, topic, user, password, priority string) []Key {
	if withoutScheme(server) == "" {
		server = "https://ntfy.sh"
	}
	var who *url.Userinfo
	if user != "" || password != "" {
		who = url.UserPassword(user, password)
	}
	query := url.Values{}
	if priority != "" {
		query.Set("priority", priority)
	}
	return byServer("ntfy", server, "/"+topic, who, query, "scheme=http")
}

func byMatrix(server, room, token string) []Key {
	return byServer("matrix", server, "/", url.UserPassword("", token), url.Values{"rooms": {room}}, "disableTLS=yes")
}

func byPushover(user, token string) []Key {
	return byURL("pushover://shoutrrr:" + token + "@" + user + "/")
}

func byOpsgenie(key, priority string, europe bool) []Key {
	address := "opsgenie://api.opsgenie.com/" + key
	if europe {
		address = "opsgenie://api.eu.opsgenie.com/" + key
	}
	if priority != "" {
		address += "?priority=" + priority
	}
	return byURL(address)
}

func byPagerDuty(key string) []Key { return byURL("pagerduty:///" + key) }

func byZulip(host, bot, key, stream string) []Key {
	return byServer("zulip", host, "/", url.UserPassword(bot, key), url.Values{"stream": {stream}, "topic": {"sites"}}, "")
}

// mail is how a channel by e-mail is reached.
type mail struct{ host, port, user, password, from, to string }

func byMail(m mail) []Key {
	host := m.host
	if m.port != "" {
		host += ":" + m.port
	}
	var who *url.Userinfo
	query := url.Values{"from": {m.from}, "to": {m.to}}
	if m.user != "" {
		who = url.UserPassword(m.user, m.password)
	} else {
		query.Set("auth", "None")
	}
	return byServer("smtp", host, "/", who, query, "")
}

func withoutScheme(address string) string {
	if _, rest, ok := strings.Cut(address, "://"); ok {
		address = rest
	}
	return strings.TrimSuffix(address, "/")
}
