package sitemon_test

import (
	"strings"
	"testing"

	"sitemon"
)

func TestRedactURL(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"nothing to hide", "https://docs.example.org/a?b=c#d", "https://docs.example.org/a?b=c#d"},
		{"password", "https://user:pa:ss@host/", "https://user:<redacted>@host/"},
		{"password with an @", "https://user:p@ss@host/", "https://user:<redacted>@host/"},
		{"user alone", "https://ghp_token@host/", "https://<redacted>@host/"},
		{"empty password", "https://user:@host/", "https://user:@host/"},
		{"@ in the path", "https://host/@user:x", "https://host/@user:x"},
		{"@ in the query", "https://host?mail=a@b", "https://host?mail=a@b"},
		{"tcp", "tcp://u:p@host:5432", "tcp://u:<redacted>@host:5432"},
		{"no scheme", "u:p@host/x", "u:<redacted>@host/x"},
		{"token", "https://host/?token=abc&x=1", "https://host/?token=<redacted>&x=1"},
		{"letter case and dashes", "https://host/?X-Api-Key=abc&Access_Token=d", "https://host/?X-Api-Key=<redacted>&Access_Token=<redacted>"},
		{"encoded name", "https://host/?api%5Fkey=abc&%74oken=d", "https://host/?api%5Fkey=<redacted>&%74oken=<redacted>"},
		{"name in brackets", "https://host/?auth[token]=abc&%zzkey=d", "https://host/?auth[token]=<redacted>&%zzkey=d"},
		{"signed address", "https://host/f?X-Amz-Signature=1&X-Amz-Credential=2&X-Amz-Date=3", "https://host/f?X-Amz-Signature=<redacted>&X-Amz-Credential=<redacted>&X-Amz-Date=3"},
		{"harmless names", "https://host/?monkey=1&author=2&keyword=3&passage=4", "https://host/?monkey=1&author=2&keyword=3&passage=4"},
		{"semicolons", "https://host/?a=1;pwd=2;b=3", "https://host/?a=1;pwd=<redacted>;b=3"},
		{"no value", "https://host/?token&key=", "https://host/?token&key="},
		{"reference", "https://u:${PASS}@host/?token=${TOKEN}", "https://u:${PASS}@host/?token=${TOKEN}"},
		{"reference for the user", "https://${USER}@host/", "https://${USER}@host/"},
		{"reference with a default", "https://u:${PASS:-geheim}@host/?token=${T:-}", "https://u:${PASS:-<redacted>}@host/?token=${T:-}"},
		{"reference to a file", "https://u:${file:/run/a@b?c&d=e/f}@host/x", "https://u:${file:/run/a@b?c&d=e/f}@host/x"},
		{"text around a reference", "https://u:x${PASS}@host/?key=${A}${B}", "https://u:<redacted>@host/?key=<redacted>"},
		{"host of a reference", "https://${HOST:-a/b@c}/x?key=1", "https://${HOST:-a/b@c}/x?key=<redacted>"},
		{"escaped reference", "https://u:$${PASS}@host/", "https://u:<redacted>@host/"},
		{"unclosed reference", "https://u:${PASS@host/", "https://u:<redacted>@host/"},
		{"empty", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := sitemon.RedactURL(c.in); got != c.want {
				t.Errorf("%q: got %q, want %q", c.in, got, c.want)
			}
		})
	}
}

func FuzzRedactURL(f *testing.F) {
	for _, s := range []string{"https://u:p@h/?token=x", "${A:-b}", "u:${x", "$${", "://@?&;=#"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got := sitemon.RedactURL(raw)
		if again := sitemon.RedactURL(got); again != got && !strings.Contains(raw, "<redacted") {
			t.Errorf("%q: redacted %q, and again %q", raw, got, again)
		}
		if shown := sitemon.RedactURL("https://user:S3CRET@" + strings.Map(noDelimiter, raw) + "/?token=S3CRET"); strings.Contains(shown, "S3CRET") {
			t.Errorf("%q shows the secret", shown)
		}
	})
}

// noDelimiter keeps fuzzed text inside a host name.
func noDelimiter(r rune) rune {
	if strings.ContainsRune("/?#@${}:", r) {
		return -1
	}
	return r
}

func TestCredentialName(t *testing.T) {
	for _, name := range []string{
		"Authorization", "Proxy-Authorization", "X-Auth", "oauth_verifier", "Cookie", "Set-Cookie", "X-Api-Key", "api_key", "apiKey",
		"PRIVATE-TOKEN", "X-Amz-Signature", "key", "pwd", "client_secret", "X-Session-Id",
	} {
		if !sitemon.CredentialName(name) {
			t.Errorf("%s is not seen as a credential", name)
		}
	}
	for _, name := range []string{"", "Accept", "Host", "author", "X-Author-Id", "keyword", "monkey", "passage", "status-code", "X-Request-Id"} {
		if sitemon.CredentialName(name) {
			t.Errorf("%s is seen as a credential", name)
		}
	}
}
