// Package cause says in one sentence why something could not be fetched, to the person who wrote the workflow, and tells what may
// pass by itself from what does not.
package cause

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"syscall"
	"time"
)

const (
	tries    = 3
	retryMin = time.Second
)

// ErrBroken is the cause when an answer broke off.
var ErrBroken = errors.New("the answer broke off")

// ErrStalled is the cause when a server sends nothing any more.
var ErrStalled = errors.New("nothing came for two minutes")

// Where is what an error is about.
type Where struct {
	Field string // of the workflow, such as source.git
	Host  string // that is asked
	Dest  string // directory that is written to
}

// Persist tries again what may have failed by chance: the network of a pod may come up after its processes. Status returns the
// HTTP status that an error stands for, 0 when it is none.
func Persist(ctx context.Context, say func(format string, args ...any), status func(error) int, explain func(error) error, try func() error) error {
	for n := 1; ; n++ {
		err := try()
		if err == nil || n == tries || !passing(err, status(err)) {
			return err
		}
		wait := retryMin << (n - 1)
		say("%v; trying again in %s", explain(err), wait)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
}

func passing(err error, status int) bool {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return !dns.IsNotFound
	}
	if status != 0 {
		return status >= http.StatusInternalServerError || status == http.StatusTooManyRequests
	}
	for _, passing := range []error{
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, syscall.EHOSTUNREACH, syscall.ENETUNREACH, io.ErrUnexpectedEOF, io.EOF, ErrStalled, ErrBroken,
	} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return false
}

// Disk explains faults of the directory; "" for others.
func (w Where) Disk(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Sprintf("no space is left for the source in %s: raise the node's ephemeral storage, or fetch less", w.Dest)
	case errors.Is(err, fs.ErrPermission): // of files alone: connections may be forbidden, too
		if file, ok := errors.AsType[*fs.PathError](err); ok {
			return fmt.Sprintf("the source cannot be written to %s: %v", w.Dest, file)
		}
		if link, ok := errors.AsType[*os.LinkError](err); ok {
			return fmt.Sprintf("the source cannot be written to %s: %v", w.Dest, link)
		}
	}
	return ""
}

// Network explains why a host was not reached; "" for other faults.
func (w Where) Network(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return fmt.Sprintf("host %s is unknown: check %s, and whether the cluster's DNS knows it", dns.Name, w.Field)
		}
		return fmt.Sprintf("host %s cannot be looked up: the cluster's DNS does not answer", dns.Name)
	}
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, unsigned := errors.AsType[x509.UnknownAuthorityError](err)
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case untrusted, unsigned:
		return fmt.Sprintf("the certificate of host %s is not trusted: %v", w.Host, rootOf(err))
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("host %s refuses connections: check the port in %s", w.Host, w.Field)
	case isNet && errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("the node forbids connections to host %s: ask who runs the cluster", w.Host)
	case errors.Is(err, ErrBroken):
		return fmt.Sprintf("the answer of host %s broke off", w.Host)
	case errors.Is(err, ErrStalled):
		return fmt.Sprintf("host %s began to answer and then sent nothing for two minutes", w.Host)
	case isNet && timeout.Timeout(), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return fmt.Sprintf("host %s cannot be reached: check %s, and whether a network policy keeps the pod from it", w.Host, w.Field)
	}
	return ""
}

func rootOf(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

// At is about the host that a redirect led to, when that is what an error is about.
func (w Where) At(err error) Where {
	if asked, ok := errors.AsType[*url.Error](err); ok {
		if to, err := url.Parse(asked.URL); err == nil && to.Host != "" && to.Host != w.Host && to.Hostname() != w.Host {
			w.Host = to.Host + ", to which host " + w.Host + " redirects"
		}
	}
	return w
}

// Plain is the text of an error without addresses' queries, which may hold a signature or a token.
func Plain(err error) string {
	if asked, ok := errors.AsType[*url.Error](err); ok {
		err = asked.Err
	}
	return regexp.MustCompile(`\?[^\s"]+`).ReplaceAllString(err.Error(), "?…")
}

// Login explains that a host wants credentials for something, or not the ones it got.
func (w Where) Login(what string, given bool) string {
	if given {
		return fmt.Sprintf("host %s refused the credentials for %s: check the secret that %s.secretRef names and what it may read", w.Host, what, w.Field)
	}
	return fmt.Sprintf("host %s wants credentials for %s: name a secret with them in %s.secretRef, or check whether it exists", w.Host, what, w.Field)
}

// Plaintext warns of credentials that anybody on the way can read.
func (w Where) Plaintext() string {
	return fmt.Sprintf("the credentials go to %s unencrypted: use https", w.Host)
}

// Status explains an answer that is none of the usual ones.
func (w Where) Status(code int) string {
	return fmt.Sprintf("host %s answered with status %d %s", w.Host, code, http.StatusText(code))
}
