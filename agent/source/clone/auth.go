package clone

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"golang.org/x/crypto/ssh"
)

const (
	// tokenUser goes with a token when nobody named a user: the large hosts take any or just this one.
	tokenUser = "x-access-token"
	sshUser   = "git"
	sshPort   = 22
	dialFor   = 30 * time.Second
)

// Credentials are the keys of the secret of a source. All may be empty.
type Credentials struct {
	Username   string
	Password   string
	Token      string
	PrivateKey string // PEM, for SSH
	KnownHosts string // in the format of known_hosts, for SSH
}

// Secrets are the texts that nobody may see.
func (c Credentials) Secrets() []string { return []string{c.Password, c.Token, c.PrivateKey} }

func (c Credentials) any() bool { return c.Password != "" || c.Token != "" || c.PrivateKey != "" }

// authenticate chooses how to log in.
func (f *cloner) authenticate(end *transport.Endpoint) (transport.AuthMethod, error) {
	switch end.Protocol {
	case "http", "https":
		return f.basic(end), nil
	case "ssh":
		return f.ssh(end)
	default:
		return nil, nil //nolint:nilnil // git:// knows no log-in
	}
}

func (f *cloner) basic(end *transport.Endpoint) transport.AuthMethod {
	c := f.Credentials
	secret := cmp.Or(c.Token, c.Password)
	if secret == "" {
		return nil
	}
	if end.Protocol == "http" {
		f.Say("%s", f.where.Plaintext())
	}
	return &githttp.BasicAuth{Username: cmp.Or(c.Username, end.User, tokenUser), Password: secret}
}

func (f *cloner) ssh(end *transport.Endpoint) (transport.AuthMethod, error) {
	c := f.Credentials
	user := cmp.Or(end.User, c.Username, sshUser)
	check, err := f.hostKeys(end)
	if err != nil {
		return nil, err
	}
	switch {
	case c.PrivateKey != "":
		key, err := gitssh.NewPublicKeys(user, []byte(strings.TrimSpace(c.PrivateKey)+"\n"), c.Password)
		if err != nil {
			return nil, errBadKey // the library's text might quote the key
		}
		key.HostKeyCallbackHelper = check
		return &timed{key}, nil
	case c.Password != "":
		return &timed{&gitssh.Password{User: user, Password: c.Password, HostKeyCallbackHelper: check}}, nil
	default:
		return nil, errNoKey
	}
}

var (
	errNoKey  = errors.New("SSH needs a private key: put it under ssh-privatekey into the secret that source.git.secretRef names")
	errBadKey = errors.New("ssh-privatekey in the secret of source.git.secretRef is not a private key in PEM form; " +
		"if it has a passphrase, put that under password")
)

// hostKeys checks the server against the secret's known_hosts. Without one there is nothing to check against: the key is shown.
func (f *cloner) hostKeys(end *transport.Endpoint) (gitssh.HostKeyCallbackHelper, error) {
	if strings.TrimSpace(f.Credentials.KnownHosts) == "" {
		seen := func(host string, _ net.Addr, key ssh.PublicKey) error {
			f.Say("the key of %s is %s; it is not checked: put known_hosts into the secret", host, ssh.FingerprintSHA256(key))
			return nil
		}
		return gitssh.HostKeyCallbackHelper{HostKeyCallback: seen}, nil
	}
	var none gitssh.HostKeyCallbackHelper
	file, err := os.CreateTemp("", "known_hosts-")
	if err != nil {
		return none, fmt.Errorf("keep known_hosts: %w", err)
	}
	defer os.Remove(file.Name()) //nolint:errcheck // a temporary file
	_, err = file.WriteString(f.Credentials.KnownHosts + "\n")
	if err := errors.Join(err, file.Close()); err != nil {
		return none, fmt.Errorf("keep known_hosts: %w", err)
	}
	db, err := gitssh.NewKnownHostsDb(file.Name())
	if err != nil {
		return none, fmt.Errorf("known_hosts in the secret of source.git.secretRef cannot be read: %w", err)
	}
	port := end.Port
	if port <= 0 {
		port = sshPort
	}
	return gitssh.HostKeyCallbackHelper{
		HostKeyCallback:   db.HostKeyCallback(),
		HostKeyAlgorithms: db.HostKeyAlgorithms(net.JoinHostPort(end.Host, strconv.Itoa(port))),
	}, nil
}

// timed bounds the time for reaching a server.
type timed struct{ gitssh.AuthMethod }

// ClientConfig returns that of the method, with the bound.
func (t *timed) ClientConfig() (*ssh.ClientConfig, error) {
	c, err := t.AuthMethod.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("log in: %w", err)
	}
	c.Timeout = dialFor
	return c, nil
}
