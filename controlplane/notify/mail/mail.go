// Package mail hands messages to the mail server that an instance's operator has named.
package mail

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/notify"
	"github.com/seatrial/seatrial/controlplane/outbound"
)

// Mode is how the connection to the mail server is encrypted.
type Mode string

// The modes.
const (
	StartTLS Mode = "starttls" // it begins in plaintext and has to become encrypted before anything is said
	TLS      Mode = "tls"      // it is encrypted from the first byte
	None     Mode = "none"     // it is not: for a server on the same host
)

// Modes lists the modes.
func Modes() []Mode { return []Mode{StartTLS, TLS, None} }

// timeout is for all of one message: servers make those wait whom they do not know.
const timeout = 30 * time.Second

// Config is which server takes messages, and from whom they are.
type Config struct {
	Address  string // host:port
	From     string // such as Seatrial <seatrial@example.com>
	User     string // empty for a server that asks for nobody
	Password string
	Mode     Mode
	Roots    *x509.CertPool // whose certificates are trusted; nil for those of the system
	Domains  []string       // to which messages are sent; any when there are none
}

// Mailer hands over messages. It holds no connection between them.
type Mailer struct {
	config Config
	host   string
	port   int
	from   *mail.Address
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
}

// New returns a Mailer, or what is wrong with its configuration.
func New(c Config) (*Mailer, error) {
	host, text, err := net.SplitHostPort(c.Address)
	if err != nil || host == "" {
		return nil, fmt.Errorf("the mail server %q is not of the form host:port", c.Address)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("the mail server %q is not of the form host:port", c.Address)
	}
	from, err := mail.ParseAddress(c.From)
	if err != nil {
		return nil, fmt.Errorf("the sender %q is no address such as Seatrial <seatrial@example.com>", c.From)
	}
	if c.Mode = cmp.Or(c.Mode, StartTLS); !slices.Contains(Modes(), c.Mode) {
		return nil, fmt.Errorf("a connection to a mail server is not encrypted by %q; say starttls, tls or none", c.Mode)
	}
	if c.Mode == None && c.Password != "" {
		return nil, errors.New("the password would go to the mail server in plaintext; encrypt the connection with starttls or tls")
	}
	return &Mailer{config: c, host: host, port: int(port), from: from, dial: outbound.Relay(text)}, nil
}

// Allows returns fault.Forbidden for an address whose domain the operator does not send to.
func (m *Mailer) Allows(address string) error {
	_, domain, _ := strings.Cut(address, "@")
	if len(m.config.Domains) == 0 || slices.ContainsFunc(m.config.Domains, func(d string) bool { return strings.EqualFold(d, domain) }) {
		return nil
	}
	return fault.New(fault.Invalid, "this control plane sends no mail to %s", domain).WithField("url").
		WithHint("It sends to %s. An operator can allow others with --smtp-domains.", strings.Join(m.config.Domains, ", "))
}

// Send hands a message to the mail server: fault.Invalid when the server will not take it however often it is tried, any other error when it
// may later.
func (m *Mailer) Send(ctx context.Context, out notify.Mail) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for _, to := range out.To {
		if err := m.Allows(to); err != nil {
			return err
		}
	}
	msg, err := m.message(out)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "the message cannot be written")
	}
	client, err := m.client()
	if err != nil {
		return fmt.Errorf("mail server: %w", err)
	}
	conn, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "the mail server cannot be reached")
	}
	defer client.CloseWithSMTPClient(conn) //nolint:errcheck // the server has taken the message by then, or has not
	err = client.SendWithSMTPClient(conn, msg)
	var refused *gomail.SendError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused) && refused.ErrorCode() >= 500:
		return fault.Wrap(fault.Invalid, err, "the mail server refuses the message")
	}
	return fault.Wrap(fault.Unavailable, err, "the mail server does not take the message now")
}

func (m *Mailer) client() (*gomail.Client, error) {
	policy := map[Mode]gomail.TLSPolicy{StartTLS: gomail.TLSMandatory, TLS: gomail.TLSOpportunistic, None: gomail.NoTLS}[m.config.Mode]
	secure := &tls.Config{ServerName: m.host, RootCAs: m.config.Roots, MinVersion: tls.VersionTLS12}
	_, domain, _ := strings.Cut(m.from.Address, "@")
	options := []gomail.Option{
		gomail.WithPort(m.port), gomail.WithTLSPolicy(policy), gomail.WithTLSConfig(secure), gomail.WithTimeout(timeout), gomail.WithHELO(domain),
		gomail.WithDialContextFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := m.dial(ctx, network, address)
			if err != nil || m.config.Mode != TLS {
				return conn, err
			}
			encrypted := tls.Client(conn, secure)
			if err := encrypted.HandshakeContext(ctx); err != nil {
				return nil, errors.Join(err, conn.Close())
			}
			return encrypted, nil
		}),
	}
	if m.config.User != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(m.config.User), gomail.WithPassword(m.config.Password))
	}
	return gomail.NewClient(m.host, options...) //nolint:wrapcheck // the caller says of what
}

// message writes a message. Its id is the same however often it is sent; those of one workflow refer to the same message that never was, so
// that mail programs show them together.
func (m *Mailer) message(out notify.Mail) (*gomail.Msg, error) {
	_, domain, _ := strings.Cut(m.from.Address, "@")
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(m.from)
	if err := msg.To(out.To...); err != nil {
		return nil, err //nolint:wrapcheck // the caller says of what
	}
	msg.Subject(out.Subject)
	msg.SetDateWithValue(out.At)
	msg.SetMessageIDWithValue(out.ID + "@" + domain)
	thread := "<" + out.Thread + "@" + domain + ">"
	msg.SetGenHeader(gomail.HeaderInReplyTo, thread)
	msg.SetGenHeader(gomail.HeaderReferences, thread)
	// No machine answers, and nobody's absence is told.
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetGenHeader("X-Auto-Response-Suppress", "All")
	msg.SetGenHeader("List-Id", out.List)
	if out.Page != "" {
		msg.SetListUnsubscribe("<" + out.Page + ">")
	}
	msg.SetBodyString(gomail.TypeTextPlain, out.Text)
	msg.AddAlternativeString(gomail.TypeTextHTML, out.HTML)
	return msg, nil
}
