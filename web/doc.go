// Package web shows what SiteMon knows: HTML pages, the JSON API under /api/v1
// with its OpenAPI description, server-sent events, badges, health and metrics.
//
// It reads through the interfaces that [Options] holds and keeps nothing but
// the availability figures of the last half minute. What the outside may rely
// on is described in docs/api.md and in openapi.json, which the tests hold to
// the routes and to real answers.
//
// Where things are: routes.go lists every route, errors.go makes an error an
// answer, security.go decides which requests are served at all, hub.go carries
// events to those who listen, api_*.go are the API's handlers and pages*.go
// the pages.
package web
