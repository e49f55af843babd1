-- The status pages of a document.

-- +goose Up

ALTER TABLE documents ADD status_pages text NOT NULL DEFAULT ''; -- JSON; '': none
