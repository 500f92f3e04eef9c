// Package proto holds what is generated of the protocols beside Go.
package proto

import _ "embed" // for OpenAPI

// OpenAPI is the description of the API as an OpenAPI 3.1 document (JSON).
//
//go:embed gen/openapi.json
var OpenAPI []byte
