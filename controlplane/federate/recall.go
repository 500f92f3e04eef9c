package federate

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// recallFor is how long an answer that needs no credential is given again. A token with an unknown key makes the verifier ask for the
// keys: so somebody who sends many of them cannot have the control plane ask somebody else as often.
const (
	recallFor = 15 * time.Second
	maxKept   = 200
)

// recalling gives the same answer to the same question for a few seconds.
type recalling struct {
	next http.RoundTripper
	now  func() time.Time

	mu   sync.Mutex
	kept map[string]answer
}

type answer struct {
	status int
	header http.Header
	body   []byte
	since  time.Time
}

// RoundTrip asks, or recalls.
func (c *recalling) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet || r.Header.Get("Authorization") != "" {
		return c.next.RoundTrip(r) //nolint:wrapcheck // http.Client says of which request
	}
	key := r.URL.String()
	c.mu.Lock()
	a, ok := c.kept[key]
	c.mu.Unlock()
	if ok && c.now().Sub(a.since) < recallFor {
		return a.response(r), nil
	}
	res, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err //nolint:wrapcheck // http.Client says of which request
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	a = answer{res.StatusCode, res.Header, body, c.now()}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.kept) >= maxKept {
		clear(c.kept)
	}
	c.kept[key] = a
	return a.response(r), nil
}

func (a answer) response(r *http.Request) *http.Response {
	return &http.Response{
		Status: fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header.Clone(), Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: r,
	}
}
