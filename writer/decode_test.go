package writer_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"sitemon"
	"sitemon/internal/testkit"
	"sitemon/writer"
)

// bad are messages that can't be used, with a part of the reason.
func bad() map[string]struct{ value, why string } {
	good := string(message(report("docs", 1)).Value)
	change := func(old, with string) string {
		if !strings.Contains(good, old) {
			panic(old)
		}
		return strings.Replace(good, old, with, 1)
	}
	long := strings.Repeat("ä", 201)
	ahead := time.Now().Add(6 * time.Minute).UTC().Format(sitemon.SlotFormat)
	return map[string]struct{ value, why string }{
		"empty":                {"", "the message is empty"},
		"text":                 {"hello", "invalid character"},
		"truncated":            {good[:100], "unexpected end"},
		"two objects":          {good + good, "after top-level value"},
		"number":               {"7", "cannot unmarshal number"},
		"array":                {"[" + good + "]", "cannot unmarshal array"},
		"null":                 {"null", "version 0"},
		"foreign object":       {`{"user":1,"event":"login"}`, "version 0"},
		"other version":        {change(`"version":1`, `"version":2`), "version 2"},
		"no site":              {change(`"site":"docs",`, ``), "site or location"},
		"no location":          {change(`"location":"default",`, ``), "site or location"},
		"no slot":              {change(`"slot":"2024-11-24T10:00:30.000Z",`, ``), "slot"},
		"no outcome":           {change(`"outcome":"up",`, ``), "outcome"},
		"unknown outcome":      {change(`"outcome":"up"`, `"outcome":"fine"`), "outcome"},
		"slot ahead":           {change("2024-11-24T10:00:30.000Z", ahead), "ahead"},
		"invalid UTF-8":        {change("docs", "do\xffcs"), "invalid UTF-8"},
		"half a character":     {change("docs", `do\ud834cs`), "unpaired surrogate"},
		"other half":           {change("docs", `do\uDD1Ecs`), "unpaired surrogate"},
		"halves swapped":       {change("docs", `do\udd1e\ud834cs`), "unpaired surrogate"},
		"half at the end":      {change("docs", `docs\ud834`), "unpaired surrogate"},
		"NUL":                  {change("docs", `do\u0000cs`), "NUL"},
		"NUL in another text":  {change("host-1", `\u0000`), "NUL"},
		"raw NUL":              {change("docs", "do\x00cs"), "invalid character"},
		"long site":            {change("docs", long), "site has more than 200 characters"},
		"long location":        {change(`"default"`, `"`+long+`"`), "location has more than 200 characters"},
		"long monitor":         {change(`host-1`, long), "monitor has more than 200 characters"},
		"long interval":        {change(`"interval_ms":30000`, `"interval_ms":2147483648`), "interval_ms"},
		"negative interval":    {change(`"interval_ms":30000`, `"interval_ms":-5`), "interval_ms"},
		"status out of range":  {change(`"status_code":200`, `"status_code":40000`), "status_code"},
		"negative status":      {change(`"status_code":200`, `"status_code":-1`), "status_code"},
		"status as text":       {change(`"status_code":200`, `"status_code":"200"`), "cannot unmarshal string"},
		"huge number":          {change(`"status_code":200`, `"status_code":1e400`), "cannot unmarshal number"},
		"negative duration":    {change(`"duration_us":12000`, `"duration_us":-1`), "duration_us"},
		"attempts":             {change(`"monitor"`, `"attempts":99999,"monitor"`), "attempts"},
		"body":                 {change(`"monitor"`, `"body_bytes":-2,"monitor"`), "body_bytes"},
		"generation":           {change(`"monitor"`, `"generation":-2,"monitor"`), "generation"},
		"start in another age": {change(`"interval_ms"`, `"started_at":"1066-10-14T09:00:00Z","interval_ms"`), "centuries"},
		"seed without time":    {`{"site_id":7,"response_complete":true}`, "version 0"},
		"seed with a bad time": {`{"site_id":7,"timestamp":"yesterday","response_complete":true}`, "timestamp"},
		"seed of id 0":         {`{"site_id":0,"timestamp":"2024-11-24T02:44:22","response_complete":true}`, "site_id 0"},
		"seed's text for id":   {`{"site_id":"7","timestamp":"2024-11-24T02:44:22","response_complete":true}`, "version 0"},
		"seed's negative time": {`{"site_id":7,"timestamp":"2024-11-24T02:44:22","response_complete":true,"response_time":-1}`, "response_time"},
		"seed ahead":           {`{"site_id":7,"timestamp":"2999-11-24T02:44:22","response_complete":true}`, "ahead"},
		"seed's unknown id":    {`{"site_id":404,"timestamp":"2024-11-24T02:44:22","response_complete":true}`, "site_id 404: no site"},
	}
}

// odd are messages that look odd and are good.
func odd() map[string]string {
	good := string(message(report("docs", 0)).Value)
	slot := `"2024-11-24T10:00:00.000Z"`
	change := func(n int, old, with string) string {
		s := strings.Replace(good, slot, fmt.Sprintf(`"2024-11-24T12:%02d:%02d.000Z"`, n/60, n%60), 1)
		if !strings.Contains(s, old) {
			panic(old)
		}
		return strings.Replace(s, old, with, 1)
	}
	return map[string]string{
		"unknown key":        change(1, `{`, `{"next_year":{"a":["\u0000"]},`),
		"spaces":             " " + strings.ReplaceAll(change(2, "{", "{"), ",", " ,\n "),
		"unknown reason":     change(3, `"outcome":"up"`, `"outcome":"down","reason":"eaten_by_a_dog"`),
		"pair":               change(4, `"docs"`, `"\uD834\uDD1E\\ud834"`),
		"long name":          change(5, `docs`, strings.Repeat("ä", 200)),
		"least":              `{"version":1,"site":"docs","location":"x","slot":"2024-11-24T10:00:00Z","outcome":"up"}`,
		"a slot of long ago": `{"version":1,"site":"docs","location":"x","slot":"0001-11-24T10:00:00Z","outcome":"up"}`,
		"four minutes ahead": `{"version":1,"site":"docs","location":"x","slot":"` + time.Now().Add(4*time.Minute).UTC().Format(sitemon.SlotFormat) + `","outcome":"up"}`,
		"finer slot":         `{"version":1,"site":"docs","location":"y","slot":"2024-11-24T10:00:00.1239Z","outcome":"up"}`,
		"another zone":       `{"version":1,"site":"docs","location":"z","slot":"2024-11-24T10:00:00+05:00","outcome":"up"}`,
	}
}

// TestBadMessages mixes some thousand messages of all bad kinds into good ones.
func TestBadMessages(t *testing.T) {
	t.Parallel()
	k := newKit(t, testkit.Kafka(t), 3)
	good := reports(100, 40)
	for _, value := range odd() {
		good = append(good, kafka.Message{Key: []byte("odd"), Value: []byte(value)})
	}
	messages := good
	const each = 60
	wrong := map[string]string{} // reasons by value
	for name, b := range bad() {
		for range each {
			var value []byte
			if b.value != "" {
				value = []byte(b.value)
			}
			messages = append(messages, kafka.Message{Key: []byte(name), Value: value, Headers: []kafka.Header{{Key: "error", Value: []byte("theirs")}}})
		}
		wrong[b.value] = b.why
	}
	rand.Shuffle(len(messages), func(i, j int) { messages[i], messages[j] = messages[j], messages[i] })
	k.publish(messages...)
	store := newMemory()
	k.start(store)
	has(t, store, len(good))
	var letters []writer.Letter
	eventually(t, "dead letters", func() error {
		if letters = k.letters(); len(letters) != each*len(wrong) {
			return fmt.Errorf("%d letters, want %d", len(letters), each*len(wrong))
		}
		return nil
	})
	sources := map[string]bool{}
	for _, l := range letters {
		why, ok := wrong[string(l.Value)]
		if !ok || !strings.Contains(l.Error, why) {
			t.Errorf("%q has the error %q, want one with %q", l.Value, l.Error, why)
		}
		if l.FromTopic != k.topic || len(l.Headers) != 1 || string(l.Headers[0].Value) != "theirs" {
			t.Errorf("letter %+v", l)
		}
		sources[fmt.Sprint(l.FromPartition, l.FromOffset)] = true
	}
	if len(sources) != len(letters) {
		t.Errorf("%d letters of %d messages", len(letters), len(sources))
	}
	finer := identity{"docs", "y", time.Date(2024, 11, 24, 10, 0, 0, 123e6, time.UTC).UnixMilli()}
	if r, ok := store.reports[finer]; !ok || r.Slot.Nanosecond() != 123e6 {
		t.Errorf("a finer slot was recorded as %+v", r)
	}
}

// TestLargeMessages are those that do not fit into the topic of dead letters with
// their headers.
func TestLargeMessages(t *testing.T) {
	t.Parallel()
	k := newKit(t, testkit.Kafka(t), 1)
	k.configure(k.topic, "max.message.bytes", "4000000")
	random := make([]byte, 3<<19)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(random)
	random[0] = 0xFF
	plain := []byte(strings.Repeat("x", 3<<20))
	k.publish(message(report("before", 0)))
	k.publish(kafka.Message{Key: []byte("r"), Value: random})
	k.publish(kafka.Message{Key: []byte("p"), Value: plain})
	k.publish(message(report("after", 0)))
	store := newMemory()
	k.start(store)
	has(t, store, 2)
	eventually(t, "dead letters", func() error {
		letters := k.letters()
		if len(letters) != 2 {
			return fmt.Errorf("%d letters", len(letters))
		}
		if l := letters[0]; l.LeftOut != len(random) || l.Value != nil || l.Error == "" || l.FromOffset != 1 {
			return fmt.Errorf("first letter: %d bytes left out, %d there, offset %d", l.LeftOut, len(l.Value), l.FromOffset)
		}
		if l := letters[1]; string(l.Value) != string(plain) || l.LeftOut != 0 {
			return fmt.Errorf("second letter: %d bytes", len(l.Value))
		}
		return nil
	})
}

func TestSeedTimeExistsTwice(t *testing.T) {
	t.Parallel()
	k := newKit(t, testkit.Kafka(t), 1)
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	store := newMemory()
	store.seeds[7] = "old"
	// On 27 October 2024 the clocks there went back from 3:00 to 2:00.
	first := time.Date(2024, 10, 27, 0, 30, 0, 0, time.UTC)
	value := []byte(`{"site_id":7,"timestamp":"2024-10-27T02:30:00","response_complete":true,"response_valid":true}`)
	k.publish(kafka.Message{Value: value, Time: first.Add(time.Second)}, kafka.Message{Value: value, Time: first.Add(time.Hour + time.Second)})
	k.start(store, func(o *writer.Options) { o.Zone = berlin })
	has(t, store, 2)
	for _, at := range []time.Time{first, first.Add(time.Hour)} {
		if _, ok := store.reports[identity{"old", "default", at.UnixMilli()}]; !ok {
			t.Errorf("no report at %s: %v", at, store.reports)
		}
	}
}

func TestJSONOfTestsIsCanonical(t *testing.T) {
	t.Parallel()
	var r sitemon.Report
	if err := json.Unmarshal(message(report("docs", 1)).Value, &r); err != nil || r != report("docs", 1) {
		t.Errorf("%v: %+v", err, r)
	}
}
