// Package transfer brings bytes from HTTP servers that may be slow, far or broken: no wait is without an end, and nothing is used
// before all of it has come.
package transfer

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/seatrial/seatrial/agent/source/cause"
)

const (
	dialFor   = 30 * time.Second
	answerFor = 60 * time.Second
	// stallFor is how long a server may send nothing in the midst of an answer, as ErrStalled says.
	stallFor     = 2 * time.Minute
	maxRedirects = 10

	prefix   = ".seatrial-source-"
	tempMode = 0o600
)

var errDowngrade = errors.New("it redirects from https to http")

// Client returns a client whose answers end or fail; it follows redirects, but never from https to http.
func Client() *http.Client {
	base := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: dialFor}).DialContext, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: dialFor, ResponseHeaderTimeout: answerFor,
		DisableCompression: true, // sums are of the bytes as they are served
	}
	return &http.Client{Transport: &watched{base, stallFor}, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		switch {
		case len(via) >= maxRedirects:
			return fmt.Errorf("it redirects more than %d times", maxRedirects)
		case via[len(via)-1].URL.Scheme == "https" && r.URL.Scheme == "http":
			return errDowngrade
		}
		r.Header.Del("Referer") // it would have the query of the address before
		if leaves(r, via) {
			r.Header.Del("Authorization")
		}
		return nil
	}}
}

// leaves reports whether any redirect so far led to another host or port than was asked first: credentials are for that one alone.
func leaves(r *http.Request, via []*http.Request) bool {
	for _, hop := range append([]*http.Request{r}, via...) {
		if hop.URL.Host != via[0].URL.Host || hop.URL.Scheme != via[0].URL.Scheme {
			return true
		}
	}
	return false
}

// watched gives up answers in which nothing comes.
type watched struct {
	base  http.RoundTripper
	stall time.Duration
}

// RoundTrip asks and watches the body of the answer.
func (w *watched) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	answer, err := w.base.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel(nil)
		return nil, err //nolint:wrapcheck // the client says what for
	}
	timer := time.AfterFunc(w.stall, func() { cancel(cause.ErrStalled) })
	answer.Body = &body{ReadCloser: answer.Body, timer: timer, stall: w.stall, cancel: cancel, why: func() error { return context.Cause(ctx) }}
	return answer, nil
}

type body struct {
	io.ReadCloser
	timer  *time.Timer
	stall  time.Duration
	cancel context.CancelCauseFunc
	why    func() error // it was given up; nil while it was not
}

// Read reads, and says why when it was given up.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.timer.Reset(b.stall)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = cmp.Or(b.why(), fmt.Errorf("%w: %w", cause.ErrBroken, err))
	}
	return n, err //nolint:wrapcheck // as the body says
}

// Close ends the watch.
func (b *body) Close() error {
	b.timer.Stop()
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err //nolint:wrapcheck // as the body says
}

// maxBytes is how large what is fetched may be.
const maxBytes = 16 << 30

// errTooLarge means that there is more than maxBytes.
var errTooLarge = fmt.Errorf("it has more than %d GiB", maxBytes>>30)

// Spool keeps bytes in a file of the folder until all have come and are found right; use gets them from the start. The file has no name
// meanwhile, so that nothing is left of it however this ends.
func Spool(root *os.Root, from io.Reader, check func() error, use func(*os.File) error) error {
	name := prefix + rand.Text()
	file, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, tempMode)
	if err != nil {
		return err //nolint:wrapcheck // names what and where
	}
	defer file.Close() //nolint:errcheck // it is read only by now, or given up
	if err := root.Remove(name); err != nil {
		return err //nolint:wrapcheck // names what and where
	}
	n, err := io.Copy(file, io.LimitReader(from, maxBytes+1))
	switch {
	case err != nil:
		return err //nolint:wrapcheck // as the reader says
	case n > maxBytes:
		return errTooLarge
	}
	if err := check(); err != nil {
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err //nolint:wrapcheck // names what and where
	}
	return use(file)
}
