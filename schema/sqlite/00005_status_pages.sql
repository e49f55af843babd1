-- The status pages of a document.

-- +goose Up

ALTER TABLE documents ADD status_pages TEXT NOT NULL DEFAULT ''; -- JSON; '': none
