package importer

import (
	"strings"
)

// notification makes a channel of a notification of Uptime Kuma, whose settings stand
// as JSON in its config.
func (k *kuma) notification(m mapping) {
	id, name := m.text("id"), printable(m.text("name"))
	k.channels[id] = name
	where := "channel " + name
	config := asMapping(decoded(m.take("config")))
	if config == nil && m["type"] != nil { // as some clients of its API write it
		config = m
	}
	if config == nil {
		k.lose(where, "its settings are not in the file; docs/channels.md has what to write")
		return
	}
	kind := config.text("type")
	keys := k.channel(where, kind, config)
	if keys == nil {
		k.lose(where, "notifications of the type %s, or as this one is set up, are not carried over; docs/channels.md has what there is", kind)
		return
	}
	if !m.flag("active", true) {
		k.lose(where, "it is off there; here it is told, unless its sites' alerts are taken away")
	}
	for _, quiet := range []string{"name", "isDefault", "applyExisting", "id", "userId", "active"} {
		config.take(quiet)
	}
	k.leftover(where, config, "is not carried over")
	k.there[name] = true
	for i := range keys {
		if address, ok := keys[i].Value.(string); ok {
			keys[i].Value = literally(address)
		}
	}
	k.Channels = append(k.Channels, Channel{name, keys})
}

// channel are the keys of a channel; nil where there is none like it.
func (k *kuma) channel(where, kind string, c mapping) []Key {
	switch kind {
	case "slack":
		return byHook("slack", c.text("slackwebhookURL"))
	case "discord":
		return byHook("discord", c.text("discordWebhookUrl"))
	case "mattermost":
		return byHook("mattermost", c.text("mattermostWebhookUrl"))
	case "rocket.chat":
		return byHook("rocketchat", c.text("rocketwebhookURL"))
	case "teams":
		return byHook("teams", c.text("webhookUrl"))
	case "GoogleChat":
		return byHook("googlechat", c.text("googleChatWebhookURL"))
	case "telegram":
		if server := c.text("telegramServerUrl"); server != "" && withoutScheme(server) != "api.telegram.org" {
			return nil
		}
		return byTelegram(c.text("telegramBotToken"), c.text("telegramChatID"))
	case "gotify":
		return byGotify(c.text("gotifyserverurl"), c.text("gotifyapplicationToken"))
	case "ntfy":
		return byNtfy(c.text("ntfyserverurl"), c.text("ntfytopic"), c.text("ntfyusername"), ntfyPassword(c), c.text("ntfyPriority"))
	case "pushover":
		return byPushover(c.text("pushoveruserkey"), c.text("pushoverapptoken"))
	case "Opsgenie":
		priority := c.text("opsgeniePriority")
		if priority != "" {
			priority = "P" + priority
		}
		return byOpsgenie(c.text("opsgenieApiKey"), priority, c.text("opsgenieRegion") == "eu")
	case "PagerDuty":
		c.take("pagerdutyIntegrationUrl")
		return byPagerDuty(c.text("pagerdutyIntegrationKey"))
	case "matrix":
		return byMatrix(c.text("homeserverUrl"), c.text("internalRoomId"), c.text("accessToken"))
	case "smtp":
		c.take("smtpSecure") // the port says it
		from := c.text("smtpFrom")
		if _, inner, ok := strings.Cut(from, "<"); ok { // a name with an address
			from = strings.TrimSuffix(inner, ">")
		}
		to := strings.ReplaceAll(c.text("smtpTo"), " ", "")
		return byMail(mail{c.text("smtpHost"), c.text("smtpPort"), c.text("smtpUsername"), c.text("smtpPassword"), from, to})
	case "webhook":
		address := c.text("webhookURL")
		if address == "" {
			return nil
		}
		k.lose(where, "what it sends has another form here (docs/channels.md; a template can give it any)")
		webhook := []Key{{"url", literally(address)}}
		if headers := headersOf(asMapping(decoded(c.take("webhookAdditionalHeaders")))); headers != nil {
			webhook = append(webhook, Key{"headers", escaped(headers)})
		}
		return []Key{{"webhook", webhook}}
	}
	return nil
}

// ntfyPassword is a password, or a token in its place.
func ntfyPassword(c mapping) string {
	c.take("ntfyAuthenticationMethod")
	if token := c.text("ntfyaccesstoken"); token != "" {
		c.take("ntfypassword")
		return token
	}
	return c.text("ntfypassword")
}
