package bench_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/seatrial/seatrial/controlplane/app"
	"github.com/seatrial/seatrial/controlplane/config"
)

const (
	uiPassword = "correct horse battery staple"
	uiEmail    = "admin@localhost"
)

// program is a control plane that runs in this process, with a role in the database that owns nothing, as in an installation.
type program struct {
	dir, url, token string
	signed          *http.Client // a browser in which somebody is signed in
}

// written collects what the program tells a person.
type written struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.Write(p)
}

func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

var firstToken = regexp.MustCompile(`API token +(st_\S+)`)

// start runs the program until its stop is called, which the end of the test does too.
func start(tb testing.TB, dir, user, owner string) (p *program, stop func()) {
	tb.Helper()
	args := []string{
		"--data-dir", dir, "--listen", "127.0.0.1:0", "--agent-listen", "127.0.0.1:0", "--database", user, "--database-system", owner, "--admin-password", uiPassword,
	}
	c, err := config.Parse(args, func(string) (string, bool) { return "", false }, "v1", io.Discard)
	if err != nil {
		tb.Fatal(err)
	}
	p = &program{dir: dir}
	ctx, cancel := context.WithCancel(tb.Context())
	ready, done, out := make(chan net.Addr, 1), make(chan error, 1), &written{}
	go func() {
		done <- app.Run(ctx, app.Options{Config: c, Version: "v1", Out: out, Log: io.Discard, Ready: func(http, _ net.Addr) { ready <- http }})
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("stop: %v", err)
		}
	})
	select {
	case at := <-ready:
		p.url = "http://" + at.String()
	case err := <-done:
		tb.Fatalf("not started: %v", err)
	}
	tb.Cleanup(stop)
	if m := firstToken.FindStringSubmatch(out.String()); m != nil {
		p.token = m[1]
	}
	p.signIn(tb)
	return p, stop
}

func (p *program) signIn(tb testing.TB) {
	tb.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		tb.Fatal(err)
	}
	p.signed = &http.Client{
		Jar: jar, Transport: &http.Transport{MaxIdleConnsPerHost: clients},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := p.signed.PostForm(p.url+"/login", url.Values{"email": {uiEmail}, "password": {uiPassword}})
	if err != nil {
		tb.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusSeeOther {
		tb.Fatalf("sign in: %s", res.Status)
	}
}

// cookie is that of the session.
func (p *program) cookie(tb testing.TB) *http.Cookie {
	tb.Helper()
	at, err := url.Parse(p.url)
	if err != nil {
		tb.Fatal(err)
	}
	for _, c := range p.signed.Jar.Cookies(at) {
		if strings.Contains(c.Name, "session") {
			return c
		}
	}
	tb.Fatal("no session")
	return nil
}

// bearer adds the token to every request.
type bearer string

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

func (p *program) api() *http.Client { return &http.Client{Transport: bearer(p.token)} }

func (p *program) tokenFile() string { return filepath.Join(p.dir, "bench-token") }
