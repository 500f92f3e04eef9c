package mail_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/notify"
	"github.com/seatrial/seatrial/controlplane/notify/mail"
)

// server is a mail server that keeps what it is sent.
type server struct {
	mu      sync.Mutex
	from    string
	to      []string
	data    [][]byte
	users   []string
	secure  []bool // whether each message came over an encrypted connection
	refuse  *smtp.SMTPError
	address string
	roots   *x509.CertPool
}

// NewSession implements smtp.Backend.
func (s *server) NewSession(c *smtp.Conn) (smtp.Session, error) { return &session{s, c}, nil }

type session struct {
	*server
	conn *smtp.Conn
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if password != "right" {
			return errors.New("wrong password")
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.users = append(s.users, user)
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error { s.from = from; return nil }

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if s.refuse != nil {
		return s.refuse
	}
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data = append(s.data, text)
	_, encrypted := s.conn.TLSConnectionState()
	s.secure = append(s.secure, encrypted)
	return err
}
func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

// serve starts a mail server on this host. Implicit says that it speaks TLS from the first byte, plain that it cannot be made to.
func serve(t *testing.T, mode mail.Mode) *server {
	t.Helper()
	certified := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(certified.Close)
	s := &server{roots: x509.NewCertPool()}
	s.roots.AddCert(certified.Certificate())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = listener.Addr().String()
	secure := &tls.Config{Certificates: certified.TLS.Certificates, MinVersion: tls.VersionTLS12}
	front := smtp.NewServer(s)
	front.Domain, front.AllowInsecureAuth = "mx.test", true
	switch mode {
	case mail.TLS:
		listener = tls.NewListener(listener, secure)
	case mail.StartTLS:
		front.TLSConfig = secure
	case mail.None:
	}
	var over sync.WaitGroup
	over.Go(func() { _ = front.Serve(listener) })
	t.Cleanup(func() {
		_ = front.Close()
		_ = listener.Close() // it may not have begun to serve
		over.Wait()
	})
	return s
}

func letter() notify.Mail {
	return notify.Mail{
		ID: "msg_1", Thread: "thread.abc", List: "<1.webhooks.seatrial>", Page: "https://seatrial.test/o/acme/settings/webhooks/qa", To: []string{"qa@example.test", "lead@example.test"},
		Subject: "checkout failed in Zürich\r\nBcc: eve@example.test", Text: "checkout failed\n.\nline – two\n", HTML: "<p>checkout &lt;failed&gt;</p>", At: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
}

func config(s *server, mode mail.Mode) mail.Config {
	return mail.Config{Address: s.address, From: "Seatrial <seatrial@acme.test>", Mode: mode, Roots: s.roots}
}

// TestMailer_Send hands a message to a real server in each mode, as somebody and as nobody.
func TestMailer_Send(t *testing.T) {
	t.Parallel()
	for _, mode := range mail.Modes() {
		for _, user := range []string{"", "ann"} {
			if mode == mail.None && user != "" {
				continue
			}
			t.Run(string(mode)+" "+user, func(t *testing.T) {
				t.Parallel()
				s := serve(t, mode)
				c := config(s, mode)
				if c.User = user; user != "" {
					c.Password = "right"
				}
				m, err := mail.New(c)
				if err != nil {
					t.Fatal(err)
				}
				for range 2 { // sent again, since nobody knew whether it arrived
					if err := m.Send(t.Context(), letter()); err != nil {
						t.Fatal(err)
					}
				}
				if len(s.data) != 2 || s.from != "seatrial@acme.test" || len(s.to) != 4 || s.secure[0] != (mode != mail.None) || (user != "" && s.users[0] != user) {
					t.Fatalf("%+v", s)
				}
				read(t, s.data[0])
				first, again := header(t, s.data[0]), header(t, s.data[1])
				if first.Get("Message-Id") != again.Get("Message-Id") {
					t.Errorf("sent again it has another id: %v, %v", first, again)
				}
			})
		}
	}
}

func header(t *testing.T, data []byte) netmail.Header {
	t.Helper()
	m, err := netmail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return m.Header
}

// read checks a message as a mail program sees it.
func read(t *testing.T, data []byte) {
	t.Helper()
	m, err := netmail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"From": `"Seatrial" <seatrial@acme.test>`, "Message-Id": "<msg_1@acme.test>", "In-Reply-To": "<thread.abc@acme.test>", "References": "<thread.abc@acme.test>",
		"Auto-Submitted": "auto-generated", "List-Id": "<1.webhooks.seatrial>", "List-Unsubscribe": "<https://seatrial.test/o/acme/settings/webhooks/qa>", "Bcc": "",
	} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || !strings.HasPrefix(subject, "checkout failed in Zürich") {
		t.Errorf("subject %q, %v", subject, err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("%s, %v", kind, err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for _, want := range []string{"checkout failed\n.\nline – two\n", "<p>checkout &lt;failed&gt;</p>"} {
		p, err := parts.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil || strings.ReplaceAll(string(text), "\r\n", "\n") != want {
			t.Errorf("part %q, want %q, %v", text, want, err)
		}
	}
}

func TestMailer_Refused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		server mail.Mode
		change func(c *mail.Config, s *server)
		kind   fault.Kind
		reason string
	}{
		"ForGood":     {mail.StartTLS, func(_ *mail.Config, s *server) { s.refuse = &smtp.SMTPError{Code: 550, Message: "no such user"} }, fault.Invalid, "it is of no use to try again"},
		"ForNow":      {mail.StartTLS, func(_ *mail.Config, s *server) { s.refuse = &smtp.SMTPError{Code: 451, Message: "grey"} }, fault.Unavailable, "it is tried again"},
		"Plaintext":   {mail.None, func(*mail.Config, *server) {}, fault.Unavailable, "somebody may have taken the offer of TLS away"},
		"Stranger":    {mail.StartTLS, func(c *mail.Config, _ *server) { c.Roots = x509.NewCertPool() }, fault.Unavailable, "the certificate is of nobody who is trusted"},
		"StrangerTLS": {mail.TLS, func(c *mail.Config, _ *server) { c.Mode, c.Roots = mail.TLS, x509.NewCertPool() }, fault.Unavailable, "the same from the first byte"},
		"Password":    {mail.StartTLS, func(c *mail.Config, _ *server) { c.User, c.Password = "ann", "wrong" }, fault.Unavailable, "an operator may mend it"},
		"Domain":      {mail.StartTLS, func(c *mail.Config, _ *server) { c.Domains = []string{"acme.test"} }, fault.Invalid, "the operator sends elsewhere"},
		"Away":        {mail.StartTLS, func(c *mail.Config, _ *server) { c.Address = "127.0.0.1:1" }, fault.Unavailable, "nobody is there"},
		"Metadata":    {mail.StartTLS, func(c *mail.Config, _ *server) { c.Address = "169.254.169.254:25" }, fault.Unavailable, "no mail server is there, whatever a name says"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, tc.server)
			c := config(s, mail.StartTLS)
			tc.change(&c, s)
			m, err := mail.New(c)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Send(t.Context(), letter()); !fault.Is(err, tc.kind) || len(s.data) != 0 {
				t.Errorf("%v, %d taken: %s", err, len(s.data), tc.reason)
			}
		})
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	good := mail.Config{Address: "mx.test:587", From: "seatrial@acme.test"}
	if _, err := mail.New(good); err != nil {
		t.Error(err)
	}
	for reason, change := range map[string]func(c *mail.Config){
		"no port": func(c *mail.Config) { c.Address = "mx.test" }, "no host": func(c *mail.Config) { c.Address = ":25" }, "no sender": func(c *mail.Config) { c.From = "Seatrial" },
		"no such mode": func(c *mail.Config) { c.Mode = "ssl" }, "a password in plaintext": func(c *mail.Config) { c.Mode, c.Password = mail.None, "x" },
	} {
		c := good
		if change(&c); func() bool { _, err := mail.New(c); return err == nil }() {
			t.Errorf("%s is taken", reason)
		}
	}
}
