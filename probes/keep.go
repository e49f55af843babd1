package probes

import (
	"bytes"
	"encoding/json"
	"sync"
	"time"

	"sitemon"
)

const (
	// keepSlack is how much longer than its site's interval a connection is kept.
	keepSlack = 10 * time.Second
	// keepSweep is how often connections are looked for that have idled too long.
	keepSweep = 10 * time.Second
)

// keeper holds the idle connections of sites with keep_alive, one a site. A site
// that is gone or was changed leaves a connection that nobody takes any more; it
// is closed soon after the site's interval.
type keeper struct {
	mu     sync.Mutex
	conns  map[string]keptConn // by site name
	timer  *time.Timer         // runs while there are connections
	closed bool
}

type keptConn struct {
	conn       *httpConn
	definition json.RawMessage
	until      time.Time
}

// take hands out the site's connection to an origin, nil where there is none.
func (k *keeper) take(site *sitemon.Site, origin string) *httpConn {
	k.mu.Lock()
	kc, ok := k.conns[site.Name]
	if ok {
		delete(k.conns, site.Name)
	}
	k.mu.Unlock()
	if !ok {
		return nil
	}
	if kc.conn.origin != origin || !bytes.Equal(kc.definition, site.Definition) {
		kc.conn.close()
		return nil
	}
	return kc.conn
}

// put keeps a connection for the site's next probe, in place of any other.
func (k *keeper) put(site *sitemon.Site, c *httpConn) {
	c.kept = true
	kc := keptConn{c, site.Definition, time.Now().Add(site.Interval + keepSlack)}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		c.close()
		return
	}
	if old, ok := k.conns[site.Name]; ok {
		old.conn.close()
	}
	if k.conns == nil {
		k.conns = map[string]keptConn{}
	}
	k.conns[site.Name] = kc
	if k.timer == nil {
		k.timer = time.AfterFunc(keepSweep, k.sweep)
	}
}

// sweep closes what has idled too long.
func (k *keeper) sweep() {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	for name, kc := range k.conns {
		if now.After(kc.until) {
			kc.conn.close()
			delete(k.conns, name)
		}
	}
	if k.closed || len(k.conns) == 0 {
		k.timer = nil
		return
	}
	k.timer.Reset(keepSweep)
}

func (k *keeper) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	if k.timer != nil {
		k.timer.Stop()
	}
	for _, kc := range k.conns {
		kc.conn.close()
	}
	k.conns = nil
}
