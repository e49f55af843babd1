package history

import (
	"encoding/json"

	"sitemon"
)

// Packed is what a document has beside its sites, as the tables have it: JSON, and
// "" for none.
type Packed struct{ Alerting, Maintenance, StatusPages string }

// PackDocument packs what a document has beside its sites. Alerting without a
// channel is none.
func PackDocument(doc sitemon.Document) (p Packed, err error) {
	if len(doc.Alerting.Channels) > 0 {
		if p.Alerting, err = packJSON(doc.Alerting); err != nil {
			return p, err
		}
	}
	if len(doc.Maintenance) > 0 {
		if p.Maintenance, err = packJSON(doc.Maintenance); err != nil {
			return p, err
		}
	}
	if len(doc.StatusPages) > 0 {
		p.StatusPages, err = packJSON(doc.StatusPages)
	}
	return p, err
}

// PackRules are the rules of a site as the tables have them: JSON, and "" for none.
func PackRules(r *sitemon.Rules) (string, error) {
	if r == nil {
		return "", nil
	}
	return packJSON(r)
}

func packJSON(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

// Quorum is a site's quorum as the tables have it.
func Quorum(q sitemon.Quorum) sitemon.Quorum {
	if q == sitemon.Majority {
		return q
	}
	return max(q, 1)
}
