package web

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"sitemon"
)

const (
	// noticeAge is how old what pages say of SiteMon itself may be.
	noticeAge = 5 * time.Second
	// noticePatience is how long a page waits for it.
	noticePatience = 500 * time.Millisecond
	// goneFor is how long a process that is gone is remembered.
	goneFor = day
	// tellGone is how long a silent process is told of where others do its work.
	tellGone = 10 * time.Minute
	// settling is how long after its start a process says nothing of others, which may
	// start at the same time.
	settling = 15 * time.Second
	// shownNotices is how many notices a page has at most.
	shownNotices = 5
)

// noticeBoard knows what is wrong with SiteMon itself, which all pages say.
type noticeBoard struct {
	*Server
	started time.Time

	mu   sync.Mutex
	read time.Time
	list []notice
}

// notice is something that is wrong with SiteMon itself.
type notice struct {
	text  string
	since time.Time // since then; zero: it does not matter
	then  string    // what follows from it, begins with a comma or the like
}

// String is the notice as one sentence.
func (n notice) String() string {
	if n.since.IsZero() {
		return n.text + n.then
	}
	return n.text + " since " + n.since.UTC().Format(time.RFC3339) + n.then
}

// run looks regularly, and tells the pages that are open of what has changed, until
// ctx ends.
func (b *noticeBoard) run(ctx context.Context) {
	if b.HealthOnly {
		return
	}
	before := b.now(ctx)
	tick := time.NewTicker(noticeAge)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if list := b.now(ctx); !slices.Equal(list, before) {
			before = list
			texts := make([]string, len(list))
			for i, n := range list {
				texts[i] = n.String()
			}
			b.Hub.Notices(texts)
		}
	}
}

// now returns the notices, one of them that the store does not answer where it is so.
func (b *noticeBoard) now(ctx context.Context) []notice {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.Now()
	if !b.read.IsZero() && now.Sub(b.read) < noticeAge && !now.Before(b.read) {
		return b.list
	}
	ctx, cancel := context.WithTimeout(ctx, noticePatience)
	defer cancel()
	monitors, err := b.Operations.MonitorsSince(ctx, now.Add(-goneFor))
	switch {
	case err == nil:
		b.list = noticesOf(monitors, now, now.Sub(b.started) >= settling)
	case ctx.Err() == context.Canceled: // nobody waits for it any more
		return b.list
	default:
		b.list = []notice{{text: "The database does not answer: what pages show may be old, and reports wait to be recorded"}}
	}
	b.read = b.Now()
	return b.list
}

// noticesOf says what is wrong with the processes; with settled false nothing of
// those that are silent.
func noticesOf(monitors []sitemon.Monitor, now time.Time, settled bool) []notice {
	var list []notice
	for _, m := range monitors {
		if silent, alone := silence(m, monitors, now); silent > 0 && settled && (alone || silent < tellGone) {
			list = append(list, notice{roleWord(m.Role) + " " + m.ID + " has not been heard", m.LastSeen, silenceMeans(m, alone)})
		}
	}
	for _, m := range monitors {
		if !alive(m, now) {
			continue
		}
		for _, p := range m.Problems {
			list = append(list, notice{text: m.ID + ": " + p})
		}
	}
	return list
}

// silenceMeans says what the silence of a process means.
func silenceMeans(m sitemon.Monitor, alone bool) string {
	switch {
	case !probing(m) && alone:
		return ": no reports are recorded"
	case !probing(m):
		return ": another writer records"
	case alone:
		return ": nobody probes from location " + m.Location
	}
	return ": other monitors of location " + m.Location + " are alive"
}

// silence is how long a process has been silent that is missed, 0 for others; alone:
// none that is alive does the same work.
func silence(m sitemon.Monitor, all []sitemon.Monitor, now time.Time) (silent time.Duration, alone bool) {
	if m.Stopped || alive(m, now) || !probing(m) && !recording(m) {
		return 0, false
	}
	alone = !slices.ContainsFunc(all, func(o sitemon.Monitor) bool {
		return alive(o, now) && (probing(m) && probing(o) && o.Location == m.Location || !probing(m) && recording(o))
	})
	return now.Sub(m.LastSeen), alone
}

func alive(m sitemon.Monitor, now time.Time) bool {
	return !m.Stopped && now.Sub(m.LastSeen) < sitemon.MonitorAliveFor
}

// probing reports whether a process probes sites.
func probing(m sitemon.Monitor) bool { return hasRole(m, "monitor") }

// recording reports whether a process records reports.
func recording(m sitemon.Monitor) bool { return hasRole(m, "writer") }

func hasRole(m sitemon.Monitor, role string) bool {
	return slices.ContainsFunc(strings.Split(m.Role, ","), func(r string) bool { return r == role || r == "all" })
}

// roleWord is what a process is called in a sentence.
func roleWord(role string) string {
	if role == "writer" || role == "web" {
		return strings.ToUpper(role[:1]) + role[1:]
	}
	return "Monitor"
}

// noticeView is a notice on a page.
type noticeView struct {
	Text  string
	Since *ageView
	Then  string
}

// noticeViews are the notices as a page has them.
func (s *Server) noticeViews(ctx context.Context) (views []noticeView, more string) {
	list := s.notices.now(ctx)
	if n := len(list) - shownNotices; n > 0 {
		list, more = list[:shownNotices], fmt.Sprintf("and %d more", n)
	}
	for _, n := range list {
		views = append(views, noticeView{n.text, newAgeView(n.since, s.Now()), n.then})
	}
	return views, more
}
