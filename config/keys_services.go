package config

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sitemon"
)

// maxRedisDatabase is more than any server has.
const maxRedisDatabase = 1 << 20

// anyTopicName is what Kafka takes for the name of a topic.
var anyTopicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// kindsOfServices are those whose address has a user.
func kindsOfServices() []sitemon.Kind {
	return []sitemon.Kind{sitemon.KindPostgres, sitemon.KindRedis, sitemon.KindKafka}
}

// serviceKeys say what is asked of databases and brokers.
func serviceKeys() []key[draft] {
	return []key[draft]{
		request(keyInfo{
			name: "postgres", value: typeMapping(postgresObject.info), kinds: []sitemon.Kind{sitemon.KindPostgres},
			example: `{ query: "SELECT count(*) FROM jobs" }`,
			doc:     "What is asked of the database, see [kinds.md](kinds.md).",
		}, func(w *walker, f field, d *draft) {
			r := sitemon.DefaultPostgresRequest()
			postgresObject.read(w, f.alone(), &r)
			d.request.Postgres = &r
		}),
		request(keyInfo{
			name: "kafka", value: typeMapping(kafkaObject.info), kinds: []sitemon.Kind{sitemon.KindKafka},
			example: `{ tls: true, sasl_mechanism: scram-sha-512 }`,
			doc:     "How the monitor signs in to the broker.",
		}, func(w *walker, f field, d *draft) {
			r := sitemon.DefaultKafkaRequest()
			kafkaObject.read(w, f.alone(), &r)
			d.kafka, d.request.Kafka = f, &r
		}),
	}
}

var postgresObject = newPostgresObject()

func newPostgresObject() *object[sitemon.PostgresRequest] {
	o := newObject("postgres", []key[sitemon.PostgresRequest]{
		{
			keyInfo: keyInfo{
				name: "query", value: typeText, def: "`SELECT 1`", example: `"SELECT count(*) FROM jobs WHERE failed"`,
				doc: "What is run, as one text: several statements too. Its rows are the body: columns with tabs between them, a row a line, NULL as nothing.",
			},
			read: func(w *walker, f field, r *sitemon.PostgresRequest) {
				s, ok := w.reference("query", f.value)
				if ok && strings.TrimSpace(s) == "" {
					w.fail(f.value, "query is empty; write for example SELECT 1")
				}
				w.out = appendJSON(w.out, s)
				r.Query = s
			},
		},
	}, nil)
	o.aliases = map[string]string{"sql": "query", "statement": "query", "databasequery": "query"}
	return o
}

var kafkaObject = newKafkaObject()

func newKafkaObject() *object[sitemon.KafkaRequest] {
	o := newObject("kafka", []key[sitemon.KafkaRequest]{
		{
			keyInfo: keyInfo{
				name: "tls", value: typeBool, def: "false", example: "true",
				doc: "Whether the broker speaks TLS. `tls_config` and `expect.certificate_valid_for` apply then.",
			},
			read: func(w *walker, f field, r *sitemon.KafkaRequest) { r.TLS = w.boolean("tls", f.value) },
		},
		{
			keyInfo: keyInfo{
				name: "sasl_mechanism", value: typeWords(sitemon.KafkaMechanisms()...), def: sitemon.KafkaMechanisms()[0], example: "scram-sha-512",
				doc: "How the user of the `url` signs in.",
			},
			read: func(w *walker, f field, r *sitemon.KafkaRequest) {
				if i := w.choice("sasl_mechanism", f.value, sitemon.KafkaMechanisms()...); i >= 0 {
					r.Mechanism = sitemon.KafkaMechanisms()[i]
				}
			},
		},
	}, nil)
	o.aliases = map[string]string{"mechanism": "sasl_mechanism", "sasl": "sasl_mechanism", "ssl": "tls"}
	return o
}

// withoutUser is an address as it is checked: of services the user may be anything
// once references are replaced.
func withoutUser(address string, kind sitemon.Kind) string {
	if slices.Contains(kindsOfServices(), kind) {
		return sitemon.ParseServiceURL(address).Address
	}
	return address
}

// serviceFault says what is wrong with the address of a database or a broker, or "".
func serviceFault(u *url.URL, kind sitemon.Kind) string {
	path := strings.TrimPrefix(u.Path, "/")
	switch {
	case u.Fragment != "":
		return "url has a # in it; in a password write %23, or ${NAME}"
	case u.RawQuery != "" && kind != sitemon.KindPostgres:
		return "url: " + u.Scheme + ":// takes nothing behind a ?"
	}
	switch kind {
	case sitemon.KindPostgres:
		return postgresFault(u, path)
	case sitemon.KindRedis:
		if n, err := strconv.Atoi(path); path != "" && (err != nil || n < 0 || n > maxRedisDatabase) {
			return "url: what follows the host is the number of a database, as in " + u.Scheme + "://" + u.Host + "/1"
		}
	case sitemon.KindKafka:
		if path != "" && !anyTopicName.MatchString(path) {
			return "url: what follows the host is the name of a topic, as in kafka://" + u.Host + "/orders"
		}
	}
	return ""
}

func postgresFault(u *url.URL, path string) string {
	if strings.Contains(path, "/") {
		return "url: what follows the host is the name of a database, as in postgres://" + u.Host + "/shop"
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "url has a parameter that can't be read"
	}
	for _, name := range sortedKeys(query) {
		values := query[name]
		switch {
		case name != "sslmode":
			return "url: postgres:// takes no parameter " + quote(name) + ", only sslmode; certificates are set in tls_config"
		case len(values) > 1 || !slices.Contains(sitemon.PostgresModes(), values[0]):
			return "url: sslmode must be one of " + strings.Join(sitemon.PostgresModes(), ", ")
		}
	}
	return ""
}

// ofService notes what is wrong with the keys of a service beside each other.
func (w *walker) ofService(d *draft) {
	secure, how := true, ""
	switch w.kind {
	case sitemon.KindRedis:
		secure, how = strings.HasPrefix(strings.ToLower(d.site.URL), "rediss:"), "with redis://; write rediss:// to speak TLS"
	case sitemon.KindKafka:
		k := sitemon.DefaultKafkaRequest()
		if d.request.Kafka != nil {
			k = *d.request.Kafka
		}
		secure, how = k.TLS, "without kafka: { tls: true }"
		if k.Mechanism != sitemon.KafkaMechanisms()[0] && sitemon.ParseServiceURL(d.site.URL).User == "" && !d.kafka.inherited {
			w.fail(d.kafka.value, "sasl_mechanism does nothing without a user in url, as in kafka://user:${PASSWORD}@host:9092")
		}
	}
	for name, f := range map[string]field{"tls_config": d.tls, "certificate_valid_for": d.validity} {
		if !secure && f.value != nil && !f.inherited {
			w.warn(f.key, "%s does nothing here %s", name, how)
		}
	}
}
