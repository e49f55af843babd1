package config

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// channelSchemes are the schemes of the notification library. true: a URL of it may
// well do without a secret; of the others every URL is one.
var channelSchemes = map[string]bool{
	"bark": false, "discord": false, "generic": true, "gotify": false, "googlechat": false, "hangouts": false, "ifttt": false, "join": false, "lark": false,
	"matrix": true, "mattermost": false, "notifiarr": false, "ntfy": true, "opsgenie": false, "pagerduty": false, "pushbullet": false, "pushover": false,
	"rocketchat": false, "signal": true, "slack": false, "smtp": true, "teams": false, "telegram": false, "wecom": false, "zulip": false,
}

// channelSchemeAliases are what people write instead.
var channelSchemeAliases = map[string]string{
	"mail": "smtp", "email": "smtp", "mailto": "smtp", "smtps": "smtp", "msteams": "teams", "tg": "telegram", "gchat": "googlechat", "feishu": "lark", "wechat": "wecom",
}

// ChannelSchemes returns the schemes that the URL of a channel can have, sorted.
func ChannelSchemes() []string {
	var names []string
	for name := range channelSchemes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// channelURL reads the URL of a channel. Only its scheme is judged here.
func (w *walker) channelURL(n *yaml.Node) string {
	s := w.referenceLine("url", n)
	if isBlank(n) {
		w.fail(n, "url is empty")
	}
	if s == "" || strings.HasPrefix(s, "${") {
		return s
	}
	scheme, _, ok := strings.Cut(s, "://")
	service, _, _ := strings.Cut(strings.ToLower(scheme), "+") // as in generic+https://
	open, known := channelSchemes[service]
	switch {
	case !ok || strings.ContainsAny(scheme, "/?#${"):
		w.fail(n, "url must be an address of the notification library, such as slack://…, smtp://… or ntfy://…")
	case known:
	case service == "http" || service == "https":
		w.fail(n, "url has to name the service, as in slack://… or discord://…; an address that gets JSON is a webhook: { url: … }")
	case channelSchemeAliases[service] != "":
		w.fail(n, "url: unknown scheme %s, did you mean %s?", quote(scheme), channelSchemeAliases[service])
	case closest(service, ChannelSchemes()) != "":
		w.fail(n, "url: unknown scheme %s, did you mean %s?", quote(scheme), closest(service, ChannelSchemes()))
	default:
		w.fail(n, "url: unknown scheme %s; it can be %s", quote(scheme), strings.Join(ChannelSchemes(), ", "))
	}
	switch {
	case known && open:
		w.credentialIn("url", n, s)
	case known && !strings.Contains(s, "${"):
		w.writtenOut("a credential in url", n)
	}
	return s
}
