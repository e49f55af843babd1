package sitemon_test

import (
	"testing"

	"sitemon"
)

func TestParseServiceURL(t *testing.T) {
	for raw, want := range map[string]sitemon.ServiceURL{
		"redis://h:1":                  {Address: "redis://h:1"},
		"redis://h/1?a@b":              {Address: "redis://h/1?a@b"},
		"postgres://u:p@h/db":          {Address: "postgres://h/db", User: "u", Password: "p"},
		"postgres://u@h":               {Address: "postgres://h", User: "u"},
		"redis://:p@h":                 {Address: "redis://h", Password: "p"},
		"redis://u:p@q:r@h":            {Address: "redis://h", User: "u", Password: "p@q:r"},
		"kafka://${U:-a@b/c}:${P}@h/t": {Address: "kafka://h/t", User: "${U:-a@b/c}", Password: "${P}"},
		"${ALL}":                       {Address: "${ALL}"},
		"":                             {},
	} {
		if got := sitemon.ParseServiceURL(raw); got != want {
			t.Errorf("%s: got %+v, want %+v", raw, got, want)
		}
	}
}
