package artifact

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"github.com/seatrial/seatrial/agent/source/archive"
	"github.com/seatrial/seatrial/agent/source/cause"
)

func statusOf(err error) int {
	if answer, ok := errors.AsType[*errcode.ErrorResponse](err); ok {
		return answer.StatusCode
	}
	return 0
}

// explain turns an error into one sentence.
func (f *fetcher) explain(err error) error {
	for _, text := range []string{f.where.Disk(err), f.where.At(err).Network(err), f.content(err), f.answer(err)} {
		if text != "" {
			return errors.New(text)
		}
	}
	return fmt.Errorf("%s cannot be fetched: %s", f.ref, cause.Plain(err))
}

// elsewhere reports whether it was another host that answered, such as the store of blobs.
func (f *fetcher) elsewhere(err error) bool {
	answer, ok := errors.AsType[*errcode.ErrorResponse](err)
	return ok && answer.URL != nil && answer.URL.Host != f.ref.Host()
}

func (f *fetcher) content(err error) string {
	own, isOwn := errors.AsType[*contentError](err)
	bad, isArchive := errors.AsType[*archive.Error](err)
	switch {
	case isOwn:
		return fmt.Sprintf("%s %s", f.ref, own.text)
	case isArchive:
		return fmt.Sprintf("a layer of %s %s", f.ref, bad.Text)
	case errors.Is(err, content.ErrMismatchedDigest), errors.Is(err, content.ErrTrailingData), errors.Is(err, content.ErrInvalidDescriptorSize):
		return fmt.Sprintf("host %s sent other bytes than the digests of %s say", f.ref.Registry, f.ref)
	}
	return ""
}

func (f *fetcher) answer(err error) string {
	code := statusOf(err)
	switch {
	case errors.Is(err, errdef.ErrNotFound), code == http.StatusNotFound:
		return fmt.Sprintf("host %s has no artifact %s", f.ref.Registry, f.ref)
	case errors.Is(err, auth.ErrBasicCredentialNotFound), code == http.StatusUnauthorized, code == http.StatusForbidden:
		if f.elsewhere(err) {
			return f.where.Status(code) + " after a redirect"
		}
		if f.Credentials.given() && !f.Credentials.has(f.ref) {
			return fmt.Sprintf("host %s wants credentials for %s, and the secret that source.oci.secretRef names has none for it", f.ref.Registry, f.ref)
		}
		return f.where.Login(f.ref.String(), f.Credentials.given())
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"): // net/http has no type for it
		return fmt.Sprintf("host %s has no TLS: say plainHTTP: true in source.oci if that is meant", f.ref.Registry)
	case code != 0:
		return f.where.Status(code)
	}
	return ""
}
