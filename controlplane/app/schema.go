package app

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"github.com/seatrial/seatrial/controlplane/workflow/schema"
)

// documentSchema serves the JSON Schema of documents to everybody, pages of other hosts included: editors read it to check and complete files.
func documentSchema() (http.Handler, error) {
	text, err := schema.JSON()
	if err != nil {
		return nil, fmt.Errorf("make the schema: %w", err)
	}
	sum := sha256.Sum256(text)
	tag := `"` + hex.EncodeToString(sum[:]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "application/schema+json")
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Cache-Control", "no-cache") // it changes with the version
		h.Set("ETag", tag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
	}), nil
}
