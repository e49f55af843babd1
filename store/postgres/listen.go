package postgres

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

// How long [DB.Listen] waits before it connects again.
const (
	listenMin = 500 * time.Millisecond
	listenMax = 30 * time.Second
)

// Listen calls wake whenever the table sites has changed, and each time that it has
// a connection anew, since it may have missed something before. It only wakes a
// poll that works without it: behind a pooler nothing ever comes. It has a
// connection of its own, and returns when the context ends.
func (db *DB) Listen(ctx context.Context, wake func()) error {
	for wait := listenMin; ctx.Err() == nil; wait = min(2*wait, listenMax) {
		heard, err := db.listen(ctx, wake)
		if ctx.Err() != nil {
			break
		}
		db.log.DebugContext(ctx, "no notifications from the store until it is reached again", "err", db.explain(err))
		if heard {
			wait = listenMin
		}
		if sleep(ctx, wait/2+rand.N(wait/2)) != nil {
			break
		}
	}
	return nil
}

// listen is [DB.Listen] on one connection. heard says that it stood.
func (db *DB) listen(ctx context.Context, wake func()) (heard bool, err error) {
	conn, err := pgx.ConnectConfig(ctx, db.pool.Config().ConnConfig)
	if err != nil {
		return false, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx) // whatever it says, the connection is over
	}()
	if _, err := conn.Exec(ctx, "LISTEN sitemon"); err != nil {
		return false, err
	}
	for {
		wake()
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return true, err
		}
	}
}
