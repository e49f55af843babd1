package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestProbeOfSteps shows the steps of a site that makes several requests.
func TestProbeOfSteps(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/login":
			_, _ = io.WriteString(w, `{"access_token":"a-secret-token"}`)
		case r.Header.Get("Authorization") != "Bearer a-secret-token":
			http.Error(w, "no token", http.StatusUnauthorized)
		}
	}))
	defer server.Close()
	dir := t.TempDir()
	const login = "{ name: sign in, url: /login, method: POST, capture: { token: { json: access_token } } }"
	save(t, dir, "sites.yaml", "sites:\n"+
		"  - { name: good, url: "+server.URL+", steps: ["+login+", { name: basket, headers: { Authorization: 'Bearer {{token}}' } }] }\n"+
		"  - { name: bad, url: "+server.URL+", steps: ["+login+", { name: basket }, { name: pay }] }\n")
	runProgram(t, dir, "check").want(t, 0, "", "")
	good := runProgram(t, dir, "probe", "good")
	good.want(t, 0, "good is up", "")
	good.want(t, 0, "sign in: status 200, ", "")
	good.want(t, 0, " ms, captured token", "")
	good.want(t, 0, "ok    basket: status: expected 200-399, seen 200", "")
	bad := runProgram(t, dir, "probe", "bad")
	bad.want(t, 1, "bad is down (status): step 2 (basket): status 401, expected 200-399", "")
	bad.want(t, 1, "basket: failed (status), status 401, ", "")
	bad.want(t, 1, "pay: not reached", "")
	bad.want(t, 1, "FAIL  basket: status: expected 200-399, seen 401", "")
	runProgram(t, dir, "probe", "good", "--json").want(t, 0, `"steps":[{"name":"sign in"`, "")
}
