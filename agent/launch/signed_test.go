package launch_test

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/launch"
	"github.com/seatrial/seatrial/agent/work"
	"github.com/seatrial/seatrial/agent/workfake"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	"github.com/seatrial/seatrial/proto/runspec"
)

// TestLauncher_Signed holds that an agent with keys makes a Job of nothing but what was signed with one of them.
func TestLauncher_Signed(t *testing.T) {
	t.Parallel()
	secret := ed25519.NewKeyFromSeed([]byte(strings.Repeat(".", ed25519.SeedSize)))
	der, err := x509.MarshalPKIXPublicKey(secret.Public())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := runspec.ParseKeys(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	signed := func(a work.Assignment) work.Assignment {
		specification, err := runspec.Of(a.Assignment, nil)
		if err != nil {
			t.Fatal(err)
		}
		envelope, err := runspec.Sign(runspec.Statement{
			Organization: "acme", SignedAt: now, ExpiresAt: now.Add(time.Hour), Specifications: []string{runspec.Digest(specification)},
		}, "", func(message []byte) ([]byte, error) { return ed25519.Sign(secret, message), nil })
		if err != nil {
			t.Fatal(err)
		}
		a.RunSpecification = &agentv1.RunSpecification{Envelope: envelope, Specification: specification}
		return a
	}
	for name, tc := range map[string]struct {
		change func(work.Assignment) work.Assignment
		at     time.Time
		want   string
	}{
		"OK":          {change: signed, at: now},
		"ErrUnsigned": {change: func(a work.Assignment) work.Assignment { return a }, at: now, want: "runs signed workflows only"},
		"ErrChanged": {change: func(a work.Assignment) work.Assignment {
			a = signed(a)
			a.Containers[0].Image = "evil"
			return a
		}, at: now, want: `containers[0].image is "evil", signed is "x"`},
		"ErrExpired": {change: signed, at: now.Add(time.Hour), want: "expired at 2026-11-30 13:00 UTC: sign the workflow again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := workfake.NewCluster(t)
			l := launch.New(launch.Options{
				Log: slog.New(slog.DiscardHandler), Client: cluster.Client(t), Namespaces: []string{"tests"}, Locator: nowhere{}, Linger: time.Hour,
				Signed: runspec.Policy{Keys: keys, Organization: "acme"}, Now: func() time.Time { return tc.at },
				Settings: jobspec.Settings{Agent: "agent-1", RunnerImage: "runner:1", Endpoint: "agent:9444"},
			})
			err := l.Handle(t.Context(), tc.change(assignment("tests")))
			if tc.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var rejected *work.RejectedError
			if !errors.As(err, &rejected) || !strings.Contains(rejected.Message, tc.want) {
				t.Errorf("answered %v, want %q", err, tc.want)
			}
			job, err := jobspec.Name(attempt)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // what is not there now never will be
			if got, err := cluster.Job(ctx, "tests", job, nil); err == nil {
				t.Errorf("there is a Job all the same: %v", got)
			}
		})
	}
}
