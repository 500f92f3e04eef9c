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
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

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

// Send hands a message to the mail server, in one transaction for all who take it: whom the server refuses keeps nobody else from getting it.
// Errors are fault.Invalid for a message that cannot be written, fault.Unavailable when the server takes it for nobody now. Causes that are
// not the server's answer to the message are wrapped: they are for the operator.
func (m *Mailer) Send(ctx context.Context, out notify.Mail) (notify.Handed, error) {
	ctx, cancel := context.WithTimeout(ctx, notify.Attempt)
	defer cancel()
	var handed notify.Handed
	to := make([]string, 0, len(out.To))
	for _, address := range out.To {
		if err := m.Allows(address); err != nil { // other replicas may have been told of the domain already
			handed.Refused = append(handed.Refused, notify.Refusal{Address: address, Answer: err.Error()})
			continue
		}
		to = append(to, address)
	}
	if len(to) == 0 {
		return handed, nil
	}
	msg, err := m.message(out)
	if err != nil {
		return handed, fault.Wrap(fault.Invalid, err, "the message cannot be written")
	}
	client, err := m.client(ctx)
	if err != nil {
		return handed, fault.Wrap(fault.Unavailable, err, "the mail server cannot be reached")
	}
	conn, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return handed, fault.Wrap(fault.Unavailable, err, "the mail server cannot be reached")
	}
	defer client.CloseWithSMTPClient(conn) //nolint:errcheck // the server has taken the message by then, or has not
	if err := conn.Mail("<" + m.from.Address + ">"); err != nil {
		return handed, fault.Wrap(fault.Unavailable, err, "the mail server takes no message now")
	}
	return hand(conn, msg, to, handed)
}

// hand gives a message to those whom the server takes it for.
func hand(conn *smtp.Client, msg *gomail.Msg, to []string, handed notify.Handed) (notify.Handed, error) {
	var taken []string
	for _, address := range to {
		err := conn.Rcpt("<" + address + ">")
		said := answer(err)
		switch {
		case err == nil:
			taken = append(taken, address)
		case said == nil:
			return handed, fault.Wrap(fault.Unavailable, err, "the connection to the mail server broke off")
		default:
			handed.Refused = append(handed.Refused, notify.Refusal{Address: address, Answer: shown(said), ForGood: said.Code >= permanent})
		}
	}
	if len(taken) == 0 {
		return handed, nil
	}
	w, err := conn.Data()
	if err == nil {
		if _, err = msg.WriteTo(w); err == nil {
			err = w.Close()
		}
	}
	if err == nil {
		handed.Taken = taken // whatever becomes of the connection
		return handed, nil
	}
	if said := answer(err); said != nil {
		return handed, fault.New(fault.Unavailable, "the mail server does not take the message: %s", shown(said))
	}
	return handed, fault.Wrap(fault.Unavailable, err, "the connection to the mail server broke off")
}

// permanent is the first code of those that say that trying again is of no use.
const permanent = 500

// answer is what a server has said by an error, nil when it has not said it.
func answer(err error) *textproto.Error {
	var said *textproto.Error
	if errors.As(err, &said) {
		return said
	}
	return nil
}

// shown is an answer as people may see it.
func shown(said *textproto.Error) string {
	const most = 300
	text := strings.ToValidUTF8(strings.Join(strings.Fields(said.Msg), " "), "")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return strings.TrimSpace(strconv.Itoa(said.Code) + " " + text)
}

// bounded is a connection that ends with a context, whatever deadlines are set: a server that answers slowly, line by line, does not keep
// what is under way beyond the time that is left for it.
type bounded struct {
	net.Conn

	end time.Time
}

func (b bounded) earlier(t time.Time) time.Time {
	if t.IsZero() || t.After(b.end) {
		return b.end
	}
	return t
}

// SetDeadline implements net.Conn.
func (b bounded) SetDeadline(t time.Time) error { return b.Conn.SetDeadline(b.earlier(t)) } //nolint:wrapcheck // as the connection says it

// SetReadDeadline implements net.Conn.
func (b bounded) SetReadDeadline(t time.Time) error { return b.Conn.SetReadDeadline(b.earlier(t)) } //nolint:wrapcheck // as the connection says it

// SetWriteDeadline implements net.Conn.
func (b bounded) SetWriteDeadline(t time.Time) error { return b.Conn.SetWriteDeadline(b.earlier(t)) } //nolint:wrapcheck // as the connection says it

// client is for one connection, which is over when the context is.
func (m *Mailer) client(ctx context.Context) (*gomail.Client, error) {
	end, _ := ctx.Deadline()
	policy := map[Mode]gomail.TLSPolicy{StartTLS: gomail.TLSMandatory, TLS: gomail.TLSOpportunistic, None: gomail.NoTLS}[m.config.Mode]
	secure := &tls.Config{ServerName: m.host, RootCAs: m.config.Roots, MinVersion: tls.VersionTLS12}
	_, domain, _ := strings.Cut(m.from.Address, "@")
	options := []gomail.Option{
		gomail.WithPort(m.port), gomail.WithTLSPolicy(policy), gomail.WithTLSConfig(secure), gomail.WithTimeout(notify.Attempt), gomail.WithHELO(domain),
		gomail.WithDialContextFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := m.dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			conn = bounded{conn, end}
			if m.config.Mode != TLS {
				return conn, nil
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
