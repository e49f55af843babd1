// Package probes reaches sites and says what it found.
//
// [Set.Probe] looks up the site's kind in a map of small functions (http, tcp,
// tls, dns, icmp, grpc, ws) and always returns a report: a dead site is data, not an error. Each
// probe goes through the same steps, one file each: resolve, dial (where the
// address policy is enforced), TLS, request, body, judging; a step that fails
// ends the probe with the step's own reason.
//
// Probes are the monitor's hot path, and what they talk to is not to be
// trusted. So a probe
//   - starts no goroutine where it does not need to wait for two things at once
//     (several addresses, HTTP/2): the connection's own deadline ends each step;
//   - writes HTTP/1.1 itself, on a connection it opened itself, into and out of
//     pooled buffers;
//   - returns by the deadline of its context against any peer, with bounded
//     memory: headers, bodies, redirects and interim responses all have limits.
//
// Nothing is kept per site but the connections of sites with keep_alive.
package probes
