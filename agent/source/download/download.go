// Package download fetches a tar archive over HTTP into a directory, when its bytes are the ones that were meant.
package download

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/seatrial/seatrial/agent/source/archive"
	"github.com/seatrial/seatrial/agent/source/cause"
	"github.com/seatrial/seatrial/agent/source/folder"
	"github.com/seatrial/seatrial/agent/source/transfer"
)

// Options say what to fetch.
type Options struct {
	URL         string
	SHA256      string // hex, of the bytes as they are served
	Strip       int    // leading folders of the names that are left out
	Dest        string
	Folder      string // below Dest
	Credentials Credentials
	Say         func(format string, args ...any) // tells people what is done
}

// Credentials are the keys of the secret of a source. All may be empty.
type Credentials struct{ Username, Password, Token string }

func (c Credentials) any() bool { return c.Password != "" || c.Token != "" }

// Secrets are the texts that nobody may see.
func (c Credentials) Secrets() []string { return []string{c.Password, c.Token} }

// Run fetches. Its errors are sentences for the person who wrote the workflow.
func Run(ctx context.Context, o Options) error {
	address, err := url.Parse(o.URL)
	if err != nil || address.Host == "" {
		return errors.New("source.http.url is not a URL")
	}
	d := &downloader{Options: o, address: address, where: cause.Where{Field: "source.http", Host: address.Hostname(), Dest: o.Dest}}
	if o.Credentials.any() && address.Scheme == "http" {
		o.Say("%s", d.where.Plaintext())
	}
	if err := cause.Persist(ctx, o.Say, statusOf, d.explain, func() error { return d.fetch(ctx) }); err != nil {
		return d.explain(err)
	}
	return nil
}

type downloader struct {
	Options
	address *url.URL
	where   cause.Where
}

// shown is the address without what may be a secret.
func (d *downloader) shown() string {
	shown := *d.address
	shown.RawQuery, shown.User, shown.Fragment = "", nil, ""
	return shown.String()
}

func (d *downloader) fetch(ctx context.Context) error {
	d.Say("fetching %s", d.shown())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.URL, nil)
	if err != nil {
		return err //nolint:wrapcheck // explain words it
	}
	switch c := d.Credentials; {
	case c.Token != "":
		request.Header.Set("Authorization", "Bearer "+c.Token)
	case c.Password != "":
		request.SetBasicAuth(c.Username, c.Password)
	}
	answer, err := transfer.Client().Do(request)
	if err != nil {
		return err //nolint:wrapcheck // explain words it
	}
	defer answer.Body.Close() //nolint:errcheck // read only
	if answer.StatusCode != http.StatusOK {
		return &url.Error{Op: "Get", URL: answer.Request.URL.String(), Err: &statusError{Code: answer.StatusCode}}
	}
	return d.unpack(answer.Body)
}

// statusError is an answer of a server that is not the one that was asked for.
type statusError struct{ Code int }

// Error names the status.
func (e *statusError) Error() string {
	return fmt.Sprintf("status %d %s", e.Code, http.StatusText(e.Code))
}

// sumError means that other bytes came.
type sumError struct{ got string }

// Error names the sum of what came.
func (e *sumError) Error() string { return "the bytes have the SHA-256 " + e.got }

func (d *downloader) unpack(from io.Reader) error {
	root, err := folder.Open(d.Dest, d.Folder)
	if err != nil {
		return err //nolint:wrapcheck // explain words it
	}
	defer root.Close() //nolint:errcheck // nothing is pending
	sum := sha256.New()
	check := func() error {
		if got := hex.EncodeToString(sum.Sum(nil)); !strings.EqualFold(got, d.SHA256) {
			return &sumError{got}
		}
		return nil
	}
	return transfer.Spool(root, io.TeeReader(from, sum), check, func(whole *os.File) error { //nolint:wrapcheck // explain words it
		files, err := archive.Unpack(root, whole, d.Strip)
		if err == nil {
			d.Say("%s, SHA-256 as expected", folder.Count(files))
		}
		return err
	})
}

func statusOf(err error) int {
	if status, ok := errors.AsType[*statusError](err); ok {
		return status.Code
	}
	return 0
}

// explain turns an error into one sentence.
func (d *downloader) explain(err error) error {
	for _, text := range []string{d.where.Disk(err), d.where.At(err).Network(err)} {
		if text != "" {
			return errors.New(text)
		}
	}
	if sum, ok := errors.AsType[*sumError](err); ok {
		return fmt.Errorf("%s is not the archive that source.http.sha256 names: its SHA-256 is %s", d.shown(), sum.got)
	}
	if bad, ok := errors.AsType[*archive.Error](err); ok {
		return fmt.Errorf("%s %s", d.shown(), bad.Text)
	}
	switch code := statusOf(err); code {
	case 0:
	case http.StatusUnauthorized, http.StatusForbidden:
		if at := d.where.At(err); at != d.where {
			return errors.New(at.Status(code)) // it is not that host's credentials
		}
		return errors.New(d.where.Login(d.shown(), d.Credentials.any()))
	case http.StatusNotFound, http.StatusGone:
		return fmt.Errorf("there is nothing at %s", d.shown())
	default:
		return errors.New(d.where.At(err).Status(code))
	}
	return fmt.Errorf("%s cannot be fetched: %s", d.shown(), cause.Plain(err))
}
