package web

import _ "embed" // for openapi.json

// openAPI describes the API for programs. The tests hold it to the routes, to
// the parameters they take and to the answers they give.
//
//go:embed openapi.json
var openAPI []byte
