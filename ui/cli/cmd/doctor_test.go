package cmd_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/ui/cli/exitcode"
)

// TestDoctor holds what is said of each thing that can be wrong.
func TestDoctor(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		status int
		ago    time.Duration // the control plane's clock
		plain  bool          // the agents' port speaks no TLS
		ca     bool
		later  time.Duration // after now
		code   int
		says   []string
	}{
		"OK":          {status: 200, code: exitcode.Passed, says: []string{"✓ control plane http", "is ready", "✓ clock         differs by 0s", "✓ agents' port", "certificate until 2084-01-29"}},
		"Verified":    {status: 200, ca: true, code: exitcode.Passed, says: []string{"✓ agents' port"}},
		"Unready":     {status: 503, code: exitcode.Errored, says: []string{"✕ control plane", "503 Service Unavailable: the database does not answer; look into its log", "1 of 2 are not well"}},
		"Clock":       {status: 200, ago: time.Hour, code: exitcode.Errored, says: []string{"✕ clock         this machine is 1h0m0s off", "NTP"}},
		"NoTLS":       {status: 200, plain: true, code: exitcode.Errored, says: []string{"✕ agents' port", "nothing in between may end"}},
		"Certificate": {status: 200, later: 60 * 365 * 24 * time.Hour, ago: -60 * 365 * 24 * time.Hour, code: exitcode.Errored, says: []string{"✕ agents' port  the certificate of", "renew it"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Date", now.Add(-tc.ago).Format(http.TimeFormat))
				w.WriteHeader(tc.status)
				if tc.status != http.StatusOK {
					_, _ = w.Write([]byte("the database does not answer\n"))
				}
			}))
			t.Cleanup(server.Close)
			agents := httptest.NewUnstartedServer(http.NotFoundHandler())
			agents.EnableHTTP2 = true
			if tc.plain {
				agents.Start()
			} else {
				agents.StartTLS()
			}
			t.Cleanup(agents.Close)
			s := setup(t)
			s.now = func() time.Time { return now.Add(tc.later) }
			args := []string{"doctor", "--server", server.URL, "--agents", agents.Listener.Addr().String()}
			if tc.ca {
				file := filepath.Join(t.TempDir(), "ca.pem")
				if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: agents.Certificate().Raw}), 0o600); err != nil {
					t.Fatal(err)
				}
				args = append(args, "--agents-ca", file)
			}
			got := s.run(t, args...)
			for _, want := range tc.says {
				if !strings.Contains(got.out+got.err, want) {
					t.Errorf("%q is missing from:\n%s%s", want, got.out, got.err)
				}
			}
			if got.code != tc.code {
				t.Errorf("exit %d, want %d:\n%s%s", got.code, tc.code, got.out, got.err)
			}
		})
	}
}

// TestDoctor_Context asks the control plane of the context who the credential is.
func TestDoctor_Context(t *testing.T) {
	t.Parallel()
	s := setup(t)
	got := s.run(t, "doctor")
	if !strings.Contains(got.out, "✕ control plane http://SERVER answers 404") || !strings.Contains(got.out, "credential") || got.code != exitcode.Errored {
		t.Errorf("%+v", got)
	}
	s.env["SEATRIAL_SERVER"] = "http://127.0.0.1:1"
	if got := s.run(t, "doctor"); !strings.Contains(got.out, "cannot be reached") || !strings.Contains(got.out, "✕ credential") {
		t.Errorf("%+v", got)
	}
}
