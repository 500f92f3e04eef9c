package fetch

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
	"strings"
	"syscall"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/seatrial/seatrial/agent/source/checkout"
)

const (
	tries    = 3
	retryMin = time.Second
)

// persist tries again what may have failed by chance: the network of a pod may come up after its processes.
func (f *fetcher) persist(ctx context.Context, try func() error) error {
	for n := 1; ; n++ {
		err := try()
		if err == nil || n == tries || !passing(err) {
			return err
		}
		wait := retryMin << (n - 1)
		f.Say("%v; trying again in %s", f.explain(err), wait)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
}

// passing tells faults that may pass by themselves.
func passing(err error) bool {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return !dns.IsNotFound
	}
	if status := statusOf(err); status != 0 {
		return status >= http.StatusInternalServerError || status == http.StatusTooManyRequests
	}
	for _, passing := range []error{
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, syscall.EHOSTUNREACH, syscall.ENETUNREACH, io.ErrUnexpectedEOF,
	} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return false
}

// statusOf returns the status of a server's answer that git does not expect, else 0.
func statusOf(err error) int {
	if unexpected, ok := errors.AsType[*plumbing.UnexpectedError](err); ok {
		err = unexpected.Err
	}
	if answer, ok := errors.AsType[*githttp.Err](err); ok {
		return answer.StatusCode()
	}
	return 0
}

// explain turns an error into one sentence.
func (f *fetcher) explain(err error) error {
	for _, explain := range []func(error) string{f.explainDisk, f.explainNetwork, f.explainLogin, f.explainContent} {
		if text := explain(err); text != "" {
			return errors.New(text)
		}
	}
	return fmt.Errorf("the source cannot be fetched from %s: %w", f.URL, err)
}

func (f *fetcher) explainDisk(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Sprintf("no space is left for the source in %s: raise the node's ephemeral storage, or fetch less with depth", f.Dest)
	case errors.Is(err, git.ErrRepositoryAlreadyExists):
		return fmt.Sprintf("%s holds a repository already", f.Dest)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("the source cannot be written to %s: %v", f.Dest, err)
	}
	return ""
}

func (f *fetcher) explainNetwork(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return fmt.Sprintf("host %s is unknown: check source.git.url, and whether the cluster's DNS knows it", dns.Name)
		}
		return fmt.Sprintf("host %s cannot be looked up: the cluster's DNS does not answer", dns.Name)
	}
	if key, ok := errors.AsType[*knownhosts.KeyError](err); ok {
		if len(key.Want) == 0 {
			return fmt.Sprintf("host %s is not in known_hosts of the secret that source.git.secretRef names", f.host)
		}
		return fmt.Sprintf("the key of host %s is not the one in known_hosts: somebody may be in between, or the key has changed", f.host)
	}
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, unsigned := errors.AsType[x509.UnknownAuthorityError](err)
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case untrusted, unsigned:
		return fmt.Sprintf("the certificate of host %s is not trusted: %v", f.host, rootOf(err))
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("host %s refuses connections: check the port in source.git.url", f.host)
	case isNet && timeout.Timeout(), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return fmt.Sprintf("host %s cannot be reached: check source.git.url, and whether a network policy keeps the pod from it", f.host)
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

func (f *fetcher) explainLogin(err error) string {
	refused := errors.Is(err, transport.ErrAuthenticationRequired) || errors.Is(err, transport.ErrAuthorizationFailed) ||
		strings.Contains(err.Error(), "unable to authenticate") // x/crypto/ssh has no type for it
	switch {
	case !refused:
		return ""
	case f.Credentials.any():
		return fmt.Sprintf("host %s refused the credentials for %s: check the secret that source.git.secretRef names and what it may read", f.host, f.URL)
	default:
		return fmt.Sprintf("host %s wants credentials for %s: name a secret with them in source.git.secretRef, or check whether the repository exists", f.host, f.URL)
	}
}

func (f *fetcher) explainContent(err error) string {
	missing, isPath := errors.AsType[*checkout.NoPathError](err)
	switch {
	case errors.Is(err, errNoKey), errors.Is(err, errBadKey):
		return err.Error()
	case errors.Is(err, errNoRef), errors.As(err, new(git.NoMatchingRefSpecError)):
		return fmt.Sprintf("%q is no branch, tag or commit of %s (a commit needs all its 40 digits)", f.Ref, f.URL)
	case errors.Is(err, errNoDefault):
		return fmt.Sprintf("%s has no default branch: name one in source.git.ref", f.URL)
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		return f.URL + " is empty: it has no commit"
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return "there is no repository at " + f.URL + ", or the credentials may not see it"
	case isPath:
		return fmt.Sprintf("the commit has no path %q, which source.git.paths names", missing.Path)
	case statusOf(err) != 0:
		return fmt.Sprintf("host %s answered with status %d %s", f.host, statusOf(err), http.StatusText(statusOf(err)))
	}
	return ""
}
