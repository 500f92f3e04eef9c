package cmd_test

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/seatrial/seatrial/ui/cli/exitcode"
)

// TestDoctor: each fault is said with what to do, and only what keeps tests from running fails.
func TestDoctor(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*shell)
		code   int
		says   []string
		not    string
	}{
		"Well": {func(*shell) {}, exitcode.Passed, []string{"ok        connection", "ok        clock", "cluster       eu-1 is connected, Kubernetes v1.34.1", "Run: seatrial cluster enroll lab", "Run: seatrial cluster undrain us-3"}, "failed"},
		"NoServer": {
			func(s *shell) { s.env["SEATRIAL_SERVER"] = "http://127.0.0.1:1" }, exitcode.Errored,
			[]string{"failed    connection", "Check that it runs"},
			"credential",
		},
		"NothingConfigured": {func(s *shell) { delete(s.env, "SEATRIAL_SERVER") }, exitcode.Errored, []string{"failed    configuration", "run `seatrial login --server URL`"}, "connection"},
		"NotReady":          {func(s *shell) { s.plane.notReady = http.StatusServiceUnavailable }, exitcode.Errored, []string{"failed    connection", "its database may be away", "credential"}, ""},
		"SomethingElse":     {func(s *shell) { s.plane.notReady = http.StatusNotFound }, exitcode.Errored, []string{"which no control plane does"}, "credential"},
		"ClockOff":          {func(s *shell) { s.plane.skew = 10 * time.Second }, exitcode.Passed, []string{"warning   clock", "behind the control plane"}, "failed"},
		"ClockFarOff":       {func(s *shell) { s.plane.skew = -time.Hour }, exitcode.Errored, []string{"failed    clock", "ahead of the control plane", "Set the clock"}, ""},
		"NoAnswer":          {func(s *shell) { s.plane.hangs, s.look = true, 300*time.Millisecond }, exitcode.Errored, []string{"failed    credential    no answer within 300ms", "its database"}, "cluster "},
		"BadToken": {func(s *shell) {
			s.plane.who = connect.NewError(connect.CodeUnauthenticated, textError("unknown token"))
		}, exitcode.Errored, []string{"failed    credential", "seatrial login"}, "cluster "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			tc.change(s)
			got := s.run(t, "doctor")
			if got.code != tc.code {
				t.Errorf("exit %d, want %d", got.code, tc.code)
			}
			for _, says := range tc.says {
				if !strings.Contains(got.out, says) {
					t.Errorf("it does not say %q", says)
				}
			}
			if tc.not != "" && strings.Contains(got.out, tc.not) {
				t.Errorf("it says %q", tc.not)
			}
			if t.Failed() {
				t.Logf("%s%s", got.out, got.err)
			}
			if got := s.run(t, "doctor", "-o", "json"); got.code != tc.code || !strings.HasPrefix(got.out, "[") {
				t.Errorf("as JSON: %+v", got)
			}
		})
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	s := setup(t)
	server := s.server.URL
	delete(s.env, "SEATRIAL_SERVER")
	delete(s.env, "SEATRIAL_TOKEN")
	if got := s.run(t, "context", "list"); got.code != 0 || !strings.Contains(got.err, "seatrial login") {
		t.Errorf("none: %+v", got)
	}
	for _, name := range []string{"live", "staging"} {
		if got := s.run(t, "login", "--context", name, "--server", server, "--token", "secret"); got.code != 0 {
			t.Fatalf("%+v", got)
		}
	}
	if got := s.run(t, "context", "use", "live"); got.code != 0 {
		t.Errorf("%+v", got)
	}
	got := s.run(t, "context", "list")
	if lines := strings.Split(got.out, "\n"); !strings.HasPrefix(lines[1], "*  live ") || !strings.Contains(lines[2], "staging") || strings.Contains(got.out, "secret") {
		t.Errorf("%s", got.out)
	}
	if got := s.run(t, "context", "list", "-o", "json"); strings.Contains(got.out, "secret") || !strings.Contains(got.out, `"current": true`) {
		t.Errorf("%s", got.out)
	}
	if got := s.run(t, "context", "use", "none"); got.code == 0 || !strings.Contains(got.err, "there are: live, staging") {
		t.Errorf("%+v", got)
	}
	if got := s.run(t, "context", "remove", "live"); got.code != 0 {
		t.Errorf("%+v", got)
	}
	if got := s.run(t, "get", "clusters"); got.code != exitcode.Usage || !strings.Contains(got.err, `no control plane is known as "live"`) {
		t.Errorf("the one in use is gone: %+v", got)
	}
}

// TestComplete asks as the scripts of the shells do.
func TestComplete(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"run ":                "smoke\tfirst",
		"cluster drain ":      "eu-1\tconnected",
		"cluster drain eu-1 ": ":4",
		"run smoke --env ":    "staging\tin cluster eu-1",
		"get -o ":             "json",
		"completion ":         "fish",
	} {
		t.Run(strings.TrimSpace(line), func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			got := s.run(t, append([]string{"__complete"}, strings.Split(line, " ")...)...)
			if got.code != 0 || !strings.Contains(got.out, want) {
				t.Errorf("%+v, want %q", got, want)
			}
		})
	}
	s := setup(t)
	s.env["SEATRIAL_SERVER"] = "http://127.0.0.1:1"
	if got := s.run(t, "__complete", "run", ""); got.code != 0 || got.out != ":4\n" {
		t.Errorf("an unreachable control plane: %+v", got)
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if got := s.run(t, "completion", shell); got.code != 0 || !strings.Contains(got.out, "seatrial") {
			t.Errorf("%s: %d", shell, got.code)
		}
	}
}

// TestDoctor_Remote looks at a control plane from outside, as `helm test` does.
func TestDoctor_Remote(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status    int
		plain, ca bool // the agents' port speaks no TLS; its authority is given
		code      int
		says      []string
	}{
		"Well":     {status: 200, code: exitcode.Passed, says: []string{"ok        connection    ready", "ok        agents' port  speaks TLS, with a certificate until 2084-01-29"}},
		"Verified": {status: 200, ca: true, code: exitcode.Passed, says: []string{"ok        agents' port"}},
		"Unready":  {status: 503, code: exitcode.Errored, says: []string{"failed    connection", "ok        agents' port"}},
		"NoTLS":    {status: 200, plain: true, code: exitcode.Errored, says: []string{"failed    agents' port", "nothing in between may end it"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(tc.status) }))
			t.Cleanup(server.Close)
			agents := httptest.NewUnstartedServer(http.NotFoundHandler())
			agents.EnableHTTP2, agents.Config.ErrorLog = true, log.New(io.Discard, "", 0)
			if tc.plain {
				agents.Start()
			} else {
				agents.StartTLS()
			}
			t.Cleanup(agents.Close)
			args := []string{"doctor", "--server", server.URL, "--agents", agents.Listener.Addr().String()}
			if tc.ca {
				file := filepath.Join(t.TempDir(), "ca.pem")
				if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: agents.Certificate().Raw}), 0o600); err != nil {
					t.Fatal(err)
				}
				args = append(args, "--agents-ca", file)
			}
			got := setup(t).run(t, args...)
			for _, says := range tc.says {
				if !strings.Contains(got.out, says) {
					t.Errorf("it does not say %q", says)
				}
			}
			if got.code != tc.code || strings.Contains(got.out, "credential") || t.Failed() {
				t.Errorf("exit %d, want %d\n%s%s", got.code, tc.code, got.out, got.err)
			}
		})
	}
}
