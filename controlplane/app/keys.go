package app

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/attest/key"
)

// keysAge is how long a key list may be kept. A bundle that a new key signs is not believed by whoever keeps an older one.
const keysAge = "public, max-age=60"

// rings knows the public keys of organizations by their names.
type rings interface {
	Ring(ctx context.Context, organization string) (key.Ring, error)
}

// publicKeys serves the keys that bundles are checked with to everybody, pages of other hosts included.
func publicKeys(from rings, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ring, err := from.Ring(r.Context(), r.PathValue("organization"))
		var text []byte
		if err == nil {
			text, err = json.Marshal(ring)
		}
		switch {
		case fault.Is(err, fault.NotFound):
			answer(w, http.StatusNotFound, "there is no such organization")
			return
		case err != nil:
			log.ErrorContext(r.Context(), "key list not served", "error", err)
			answer(w, http.StatusServiceUnavailable, "the key list cannot be read now")
			return
		}
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Cache-Control", keysAge)
		_, _ = w.Write(append(text, '\n')) // the caller is gone when it fails
	})
}
