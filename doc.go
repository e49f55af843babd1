// Package sitemon holds the nouns of SiteMon: what is watched ([Site]), what one
// probe found ([Report]), and what follows from it ([Status], [StatusChange]).
//
// Every other package imports this one and none of them is imported here, so
// each can be read alone: config makes sites from sites.yaml, scheduler decides
// when a site is due, probes reach it, sinks carry the report away, store keeps
// it, web shows it, and cmd/sitemon wires them together.
//
// Times are in UTC. A slot has millisecond precision, every other time and all
// durations have microsecond precision once they have been stored.
package sitemon
