package app

import (
	"net/http"
	"time"
)

// bodyTimeout is how long a request may take to arrive. All that people and pipelines send is small; files come by the agents' port.
const bodyTimeout = time.Minute

// bounded ends requests whose body comes drop by drop: each would hold a connection and a handler. An answer may take as long as it
// likes, as the server lifts the deadline at the end of the body.
func bounded(next http.Handler, limit time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil && r.Body != http.NoBody {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(limit)) // a writer of a test has no connection
		}
		next.ServeHTTP(w, r)
	})
}
