-- Where the values of sites are written.

-- +goose Up

CREATE TABLE document_places (
    source text  PRIMARY KEY, -- the document
    places bytea NOT NULL -- of each value of each site: file, line and column, and what it comes from; compressed, in the form of package config
);
