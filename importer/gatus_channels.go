package importer

import "strings"

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
		keys := r.gatusChannel(kind, where, m)
		if keys == nil {
			continue
		}
		usual := m.sub("default-alert")
		if m.take("overrides") != nil {
			r.lose(where, "overrides are not carried over; make a channel for each")
		}
		r.leftover(where, m, "is not carried over")
		for i, k := range keys {
			if address, ok := k.Value.(string); ok {
				keys[i].Value = references(address)
			}
		}
		r.Channels = append(r.Channels, Channel{kind, keys})
		made[kind] = usual
	}
	return made
}

func (r *Result) gatusChannel(kind, where string, m mapping) []Key {
	switch kind {
	case "slack", "mattermost", "discord", "teams", "googlechat", "rocketchat":
		hook := m.text("webhook-url")
		keys := byHook(kind, hook)
		if keys == nil {
			name := strings.ToUpper(kind) + "_URL"
			r.lose(where, "its address is in a variable, or not in the form that is known, and can't be taken apart; set %s to a URL as in docs/channels.md", name)
			keys = []Key{{"url", "${" + name + "}"}}
		}
		return keys
	case "teams-workflows":
		return byWorkflow(m.text("webhook-url"))
	case "telegram":
		return byTelegram(m.text("token"), m.text("id"))
	case "gotify":
		return byGotify(m.text("server-url"), m.text("token"))
	case "ntfy":
		return byNtfy(m.text("url"), m.text("topic"), "", m.text("token"), m.text("priority"))
	case "matrix":
		server := m.text("server-url")
		if server == "" {
			server = "https://matrix-client.matrix.org"
		}
		return byMatrix(server, m.text("internal-room-id"), m.text("access-token"))
	case "zulip":
		return byZulip(m.text("domain"), m.text("bot-email"), m.text("bot-api-key"), m.text("channel-id"))
	case "pushover":
		return byPushover(m.text("user-key"), m.text("application-token"))
	case "opsgenie":
		return byOpsgenie(m.text("api-key"), m.text("priority"), false)
	case "pagerduty":
		return byPagerDuty(m.text("integration-key"))
	case "email":
		return byMail(mail{m.text("host"), m.text("port"), m.text("username"), m.text("password"), m.text("from"), m.text("to")})
	}
	r.lose(where, "alerts over %s are not carried over; docs/channels.md has what there is", kind)
	return nil
}

// references makes ${NAME} again of what a URL has escaped.
func references(text string) string {
	return strings.NewReplacer("$%7B", "${", "%24%7B", "${", "%7D", "}").Replace(text)
}
