package app

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"github.com/seatrial/seatrial/controlplane/workflow/schema"
	"github.com/seatrial/seatrial/proto"
)

// documentSchema serves the JSON Schema of documents to everybody, pages of other hosts included: editors read it to check and complete files.
func documentSchema() (http.Handler, error) {
	text, err := schema.JSON()
	if err != nil {
		return nil, fmt.Errorf("make the schema: %w", err)
	}
	return fixed("application/schema+json", text), nil
}

// openAPIPath is where the API is described for programs.
const openAPIPath = "/openapi.json"

// openAPI serves the description of the API.
func openAPI() http.Handler { return fixed("application/openapi+json", proto.OpenAPI) }

// fixed serves a text that everybody may read, and that changes with the version only.
func fixed(kind string, text []byte) http.Handler {
	sum := sha256.Sum256(text)
	tag := `"` + hex.EncodeToString(sum[:]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", kind)
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Cache-Control", "no-cache") // it changes with the version
		h.Set("ETag", tag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
	})
}
