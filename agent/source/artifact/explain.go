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
)

func statusOf(err error) int {
	if answer, ok := errors.AsType[*errcode.ErrorResponse](err); ok {
		return answer.StatusCode
	}
	return 0
}

// explain turns an error into one sentence.
func (f *fetcher) explain(err error) error {
	for _, text := range []string{f.where.Disk(err), f.where.Network(err), f.content(err), f.answer(err)} {
		if text != "" {
			return errors.New(text)
		}
	}
	return fmt.Errorf("%s cannot be fetched: %w", f.ref, err)
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
		return f.where.Login(f.ref.String(), f.Credentials.given())
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"): // net/http has no type for it
		return fmt.Sprintf("host %s has no TLS: say plainHTTP: true in source.oci if that is meant", f.ref.Registry)
	case code != 0:
		return f.where.Status(code)
	}
	return ""
}
