// Package sqlite keeps sites, reports and all that follows from them in one
// SQLite file. It is the store of a SiteMon that runs on one machine.
//
// One connection writes, in immediate transactions, and up to four others read.
// The process that has the file open for writing is the only one that writes, so
// a [DB] holds in memory what it needs to judge the next report of each present
// site (some 400 bytes a site) and writes it through; after a transaction that
// failed it is read again.
//
// [DB.Record] stores reports and is where to begin reading (record.go): a report
// becomes one row (pack.go) and moves its site's status (status.go), gaps and sums
// of hours follow (gaps.go, rollup.go). [DB.SyncSites] stores the sites (sync.go).
// The tables are in schema/sqlite.
//
// A report costs one row. Its key packs the location of the site and the slot
// into one integer, so that the identity is the row's place in the file, the
// newest report of a site is one seek, and its history is one range.
//
// The file is in WAL mode with synchronous=NORMAL: it survives the process being
// killed at any moment with every transaction that was committed, and a power
// loss with all but the last ones.
package sqlite
