package git

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/go-git/go-git/v5/plumbing/transport"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/origin"
	"github.com/seatrial/seatrial/controlplane/outbound"
)

const sshPort = 22

// ssh returns a client for a server whose address was judged: the name is resolved once, and what is dialled is the address.
func (r *Reader) ssh(ctx context.Context, end *transport.Endpoint, credential origin.Credential) (transport.Transport, transport.AuthMethod, error) {
	if credential.Key == "" {
		return nil, nil, fault.New(fault.Invalid, "a repository at an address of ssh is read with a key, and there is none")
	}
	port := strconv.Itoa(cmp.Or(end.Port, sshPort))
	rules := r.rules
	if rules.Ports == nil {
		rules.Ports = outbound.DefaultPorts()
	}
	rules.Ports = append([]string{strconv.Itoa(sshPort)}, rules.Ports...)
	address, err := rules.Address(ctx, end.Host, port)
	if err != nil {
		return nil, nil, err //nolint:wrapcheck // a fault that speaks for itself
	}
	known, err := hostKeys(credential.HostKeys)
	if err != nil {
		return nil, nil, err
	}
	auth, err := gitssh.NewPublicKeys(cmp.Or(end.User, "git"), []byte(credential.Key), "")
	if err != nil {
		return nil, nil, fault.New(fault.Invalid, "the key cannot be used: it has to be a private key as PEM without a passphrase").WithField("key")
	}
	name := net.JoinHostPort(end.Host, port)
	auth.HostKeyCallback = func(_ string, remote net.Addr, key ssh.PublicKey) error { return known(name, remote, key) }
	end.Host = address.String()
	return gitssh.NewClient(nil), auth, nil
}

// hostKeys reads lines of known_hosts. The library wants a file.
func hostKeys(lines string) (ssh.HostKeyCallback, error) {
	file, err := os.CreateTemp("", "seatrial-known-hosts-")
	if err != nil {
		return nil, fmt.Errorf("host keys: %w", err)
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.WriteString(lines + "\n")
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("host keys: %w", err)
	}
	known, err := knownhosts.New(file.Name())
	if err != nil {
		return nil, fault.New(fault.Invalid, "the host keys are not lines of known_hosts").WithField("host_keys")
	}
	return known, nil
}

// explain makes an error a sentence for whoever registered the repository.
func explain(err error, end *transport.Endpoint) error {
	var known *fault.Error
	var hostKey *knownhosts.KeyError
	switch {
	case errors.As(err, &known):
		return err
	case errors.As(err, &hostKey):
		return fault.Wrap(fault.Forbidden, err, "the git server shows another host key than those that were registered")
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed), errors.Is(err, transport.ErrInvalidAuthMethod):
		return fault.Wrap(fault.Forbidden, err, "the git server refuses the credential")
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return fault.Wrap(fault.NotFound, err, "the git server knows no such repository, or hides it from this credential")
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		return fault.Wrap(fault.NotFound, err, "the repository is empty")
	case errors.Is(err, context.DeadlineExceeded):
		return fault.Wrap(fault.Unavailable, err, "the git server did not answer in time")
	}
	return fault.Wrap(fault.Unavailable, err, "the repository cannot be read by "+end.Protocol)
}
