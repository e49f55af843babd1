package sqlite

import "context"

// checkpointWrites is how many statements may write before [DB.Tick] moves the
// write-ahead log into the file. Each dirties a page or so: it is some 30 MB.
const checkpointWrites = 15_000

// checkpoint moves the write-ahead log into the file where it has grown. Most of
// it is moved beside the writer, by a connection of its own; the little that was
// written meanwhile is moved while the writer waits, so that the next
// transaction begins the log anew.
func (db *DB) checkpoint(ctx context.Context) error {
	if err := db.lock(ctx); err != nil {
		return err
	}
	due := db.writes >= checkpointWrites && db.conn != nil
	db.unlock()
	if !due {
		return nil
	}
	if _, err := db.pool.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)"); err != nil {
		return err
	}
	if err := db.lock(ctx); err != nil {
		return err
	}
	defer db.unlock()
	if db.conn == nil {
		return nil
	}
	_, err := db.conn.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)")
	db.writes = 0
	return err
}
