package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seatrial/seatrial/controlplane/api"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/attest/key"
	"github.com/seatrial/seatrial/controlplane/release/compare"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	tests "github.com/seatrial/seatrial/controlplane/results/verdict"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// sample is a release that is not ready because of one test.
func sample() release.Release {
	out := verdict.Output{
		State: verdict.NotReady, Gaps: []string{"nothing speaks in us/load"},
		Rules: []verdict.RuleResult{{ID: "no-unwaived-failures", Kind: verdict.Negative, Waivable: true, Failing: []verdict.FailingCell{{
			Environment: "eu", Suite: "smoke", AtFault: 30, Tests: []verdict.AtFault{{Test: "k", Name: "pays", Verdict: tests.Failed}},
		}}}},
		Cells: []verdict.CellResult{{Environment: "eu", Suite: "smoke", Required: 2, Passed: 1, Failed: 1, Integrity: "contradictory", Results: []verdict.TestResult{
			{Test: "k", Name: "pays", Required: true, Verdict: tests.Failed, Override: tests.Waived, SubjectOK: true, Fingerprints: []string{"fp1:1"}, Attempts: 2},
		}}},
		Waivers: []verdict.WaiverResult{{ID: "w", Why: "nobody has approved it"}},
	}
	text, err := json.Marshal(out)
	if err != nil {
		text = nil
	}
	at := time.Unix(100, 0).UTC()
	return release.Release{
		ID: uuid.New(), Application: "shop/cart", Version: "1.42.0", Commit: "0123abc", Images: []verdict.Image{{Name: "shop", Digest: digest}},
		Actor: "ann", CreatedAt: at, Policy: verdict.Policy{Name: "gate", Revision: 7}, State: verdict.NotReady, Decided: at, Verdict: text,
		Waivers:    []verdict.Waiver{{ID: "w", Rule: "no-unwaived-failures", Requester: "ann", Approvals: []verdict.Approval{{By: "bob", At: at}}}},
		Changes:    []release.Change{{Number: 1, After: verdict.NotReady, Cause: "Broken.", At: at}},
		Executions: []release.Linked{{Execution: execution.Execution{ID: uuid.New(), Workflow: "smoke", Status: execution.Failed}, Link: release.Observed}},
	}
}

// releases is the world's one release.
type releases struct{ w *world }

func (r releases) Create(ctx context.Context, asked release.Request) (release.Release, bool, error) {
	r.w.freeze = asked
	return r.w.release, true, r.w.check(ctx)
}

func (r releases) Get(ctx context.Context, application, version string) (release.Release, error) {
	if err := r.w.check(ctx); err != nil {
		return release.Release{}, err
	}
	if application != r.w.release.Application || version != r.w.release.Version {
		return release.Release{}, fault.New(fault.NotFound, "there is no release %s %s", application, version)
	}
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	return r.w.release, nil
}

func (r releases) List(ctx context.Context, _ string, size int, after string) ([]release.Release, string, error) {
	r.w.size, r.w.after = size, after
	return []release.Release{r.w.release}, "next", r.w.check(ctx)
}

func (r releases) Waive(ctx context.Context, _, _ string, a release.Ask) (verdict.Waiver, error) {
	r.w.waived = a
	return verdict.Waiver{ID: "new", Rule: a.Rule}, r.w.check(ctx)
}

func (r releases) Approve(ctx context.Context, _, _, waiver string) error {
	r.w.reason = waiver
	return r.w.check(ctx)
}

func (r releases) Revoke(ctx context.Context, _, _, waiver string) error {
	r.w.reason = waiver
	return r.w.check(ctx)
}

func (r releases) Share(ctx context.Context, application, version string, lifetime time.Duration) (release.Snapshot, string, error) {
	return release.Snapshot{Application: application, Version: version, State: verdict.Ready, Maker: "ann", ExpiresAt: time.Unix(0, 0).Add(lifetime)}, "st_view_x", r.w.check(ctx)
}

func (r releases) Snapshots(ctx context.Context, application, version string) ([]release.Snapshot, error) {
	return []release.Snapshot{{Application: application, Version: version}}, r.w.check(ctx)
}

func (r releases) RevokeSnapshot(ctx context.Context, id uuid.UUID) error {
	r.w.reason = id.String()
	return r.w.check(ctx)
}

func (r releases) Try(ctx context.Context, t release.TrialRequest) (release.Trials, error) {
	return release.Trials{Policy: t.Source, Changed: 1, List: []release.Trial{{
		Release: r.w.release, Before: verdict.Ready, After: verdict.NotReady, Rules: []compare.RuleChange{{ID: "r", Before: compare.Holds, After: compare.Broken}},
	}}}, r.w.check(ctx)
}

// Bundle writes as many bytes as the test asks for.
func (r releases) Bundle(ctx context.Context, _, _ string, w io.Writer) error {
	if err := r.w.check(ctx); err != nil {
		return err
	}
	_, err := w.Write(bytes.Repeat([]byte("x"), r.w.size))
	return err
}

func (r releases) RevokeKey(ctx context.Context, _, _ string, _ bool) (key.Ring, error) {
	return r.Rotate(ctx)
}

func (r releases) Rotate(ctx context.Context) (key.Ring, error) {
	if err := r.w.check(ctx); err != nil {
		return key.Ring{}, err
	}
	fresh, err := key.Generate()
	if err != nil {
		return key.Ring{}, err
	}
	return key.NewRing(fresh.Public())
}

// releaseCalls makes every call of the service once.
func releaseCalls() map[string]call {
	const application, version = "shop/cart", "1.42.0"
	return map[string]call{
		"CreateRelease": {"release", func(ctx context.Context, b *bench) error {
			_, err := b.releases.CreateRelease(ctx, &apiv1.CreateReleaseRequest{Application: application, Version: version})
			return err
		}},
		"GetRelease": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.releases.GetRelease(ctx, &apiv1.GetReleaseRequest{Application: application, Version: version})
			return err
		}},
		"DryRunPolicy": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.releases.DryRunPolicy(ctx, &apiv1.DryRunPolicyRequest{Source: "x"})
			return err
		}},
		"ListReleases": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.releases.ListReleases(ctx, &apiv1.ListReleasesRequest{})
			return err
		}},
		"WatchRelease": {"read", func(ctx context.Context, b *bench) error {
			s, err := b.releases.WatchRelease(ctx, &apiv1.WatchReleaseRequest{Application: application, Version: version})
			if err == nil {
				s.Receive()
				err = s.Err()
			}
			return err
		}},
		"RequestWaiver": {"release", func(ctx context.Context, b *bench) error {
			_, err := b.releases.RequestWaiver(ctx, &apiv1.RequestWaiverRequest{Application: application, Version: version, Rule: "r", Reason: "why"})
			return err
		}},
		"ApproveWaiver": {"release", func(ctx context.Context, b *bench) error {
			_, err := b.releases.ApproveWaiver(ctx, &apiv1.ApproveWaiverRequest{Application: application, Version: version, Id: "w"})
			return err
		}},
		"RevokeWaiver": {"release", func(ctx context.Context, b *bench) error {
			_, err := b.releases.RevokeWaiver(ctx, &apiv1.RevokeWaiverRequest{Application: application, Version: version, Id: "w"})
			return err
		}},
		"ShareRelease": {"release", func(ctx context.Context, b *bench) error {
			res, err := b.releases.ShareRelease(ctx, &apiv1.ShareReleaseRequest{Application: application, Version: version, Lifetime: durationpb.New(time.Hour)})
			if err == nil && !strings.HasSuffix(res.GetUrl(), "/s/st_view_x") {
				err = fmt.Errorf("the link is %q", res.GetUrl())
			}
			return err
		}},
		"ListSnapshots": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.releases.ListSnapshots(ctx, &apiv1.ListSnapshotsRequest{})
			return err
		}},
		"RevokeSnapshot": {"release", func(ctx context.Context, b *bench) error {
			_, err := b.releases.RevokeSnapshot(ctx, &apiv1.RevokeSnapshotRequest{Id: uuid.NewString()})
			return err
		}},
		"GetReleaseBundle": {"read", func(ctx context.Context, b *bench) error {
			s, err := b.releases.GetReleaseBundle(ctx, &apiv1.GetReleaseBundleRequest{Application: application, Version: version})
			if err == nil {
				s.Receive()
				err = s.Err()
			}
			return err
		}},
		"RotateSigningKey": {"admin", func(ctx context.Context, b *bench) error {
			_, err := b.releases.RotateSigningKey(ctx, &apiv1.RotateSigningKeyRequest{})
			return err
		}},
		"RevokeSigningKey": {"admin", func(ctx context.Context, b *bench) error {
			_, err := b.releases.RevokeSigningKey(ctx, &apiv1.RevokeSigningKeyRequest{KeyId: "k", Reason: "it leaked"})
			return err
		}},
		"ListPolicies": {"read", func(ctx context.Context, b *bench) error {
			_, err := b.releases.ListPolicies(ctx, &apiv1.ListPoliciesRequest{})
			return err
		}},
	}
}

func TestReleaseService_Get(t *testing.T) {
	t.Parallel()
	b := setup(t, "read", api.Timing{})
	res, err := b.releases.GetRelease(t.Context(), &apiv1.GetReleaseRequest{Application: "shop/cart", Version: "1.42.0"})
	if err != nil {
		t.Fatal(err)
	}
	r := res.GetRelease()
	if r.GetState() != apiv1.State_STATE_NOT_READY || r.GetPolicy().GetRevision() != 7 || r.GetImages()[0].GetDigest() != digest {
		t.Errorf("head %v", r)
	}
	if !strings.HasSuffix(r.GetUrl(), "/releases/shop%2Fcart/1.42.0") {
		t.Errorf("page %s: a slash in the name is none of the address", r.GetUrl())
	}
	if f := r.GetRules()[0].GetFailing()[0]; f.GetAtFault() != 30 || f.GetTests()[0].GetVerdict() != "failed" {
		t.Errorf("failing %v", f)
	}
	if c := r.GetCells()[0]; !c.GetContradictory() || c.GetFailed() != 1 || c.GetResults()[0].GetOverride() != "waived" {
		t.Errorf("cell %v", c)
	}
	if w := r.GetWaivers()[0]; w.GetWhy() == "" || w.GetApprovals()[0].GetBy() != "bob" {
		t.Errorf("waiver %v", w)
	}
	if r.GetChanges()[0].GetAfter() != apiv1.State_STATE_NOT_READY || r.GetExecutions()[0].GetLink() != "observed" || len(r.GetGaps()) != 1 {
		t.Errorf("rest %v", r)
	}
}

func TestReleaseService_Create(t *testing.T) {
	t.Parallel()
	b := setup(t, "all", api.Timing{})
	res, err := b.releases.CreateRelease(t.Context(), &apiv1.CreateReleaseRequest{
		Application: "shop", Version: "1", Images: []string{"registry.example.test:5000/shop:1.42@" + digest}, Policy: "gate",
	})
	if err != nil || !res.GetExisted() {
		t.Fatalf("%v, %v", res, err)
	}
	if got := b.world.freeze; got.Images[0] != (verdict.Image{Name: "registry.example.test:5000/shop", Digest: digest}) || got.Policy != "gate" {
		t.Errorf("asked for %+v", got)
	}
	_, err = b.releases.CreateRelease(t.Context(), &apiv1.CreateReleaseRequest{Application: "shop", Version: "1", Images: []string{"shop:1.42"}})
	if connect.CodeOf(err) != connect.CodeInvalidArgument || detail(t, err).GetHint() == "" {
		t.Errorf("a tag gave %v: want to be told about digests", err)
	}
}

// TestReleaseService_Watch holds that a watcher is told of changes, and not of a verdict that was only made again.
func TestReleaseService_Watch(t *testing.T) {
	t.Parallel()
	b := setup(t, "read", api.Timing{Safety: time.Millisecond})
	s, err := b.releases.WatchRelease(t.Context(), &apiv1.WatchReleaseRequest{Application: "shop/cart", Version: "1.42.0"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !s.Receive() || s.Msg().GetRelease().GetState() != apiv1.State_STATE_NOT_READY {
		t.Fatalf("first %v, %v", s.Msg(), s.Err())
	}
	b.world.change(func(w *world) { w.release.Decided = w.release.Decided.Add(time.Hour) })
	b.world.change(func(w *world) { w.release.State = verdict.Ready })
	if !s.Receive() || s.Msg().GetRelease().GetState() != apiv1.State_STATE_READY {
		t.Fatalf("second %v, %v", s.Msg(), s.Err())
	}
}

// TestReleaseService_Bundle holds that a bundle of any size arrives whole, in messages that clients take.
func TestReleaseService_Bundle(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"Empty": 0, "Small": 1, "Full": 256 << 10, "Large": 1<<20 + 7} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, "read", api.Timing{})
			b.world.size = size
			s, err := b.releases.GetReleaseBundle(t.Context(), &apiv1.GetReleaseBundleRequest{Application: "shop/cart", Version: "1.42.0"})
			if err != nil {
				t.Fatal(err)
			}
			got := 0
			for s.Receive() {
				if n := len(s.Msg().GetData()); n == 0 || n > 256<<10 {
					t.Errorf("a part of %d bytes", n)
				}
				got += len(s.Msg().GetData())
			}
			if err := s.Err(); err != nil || got != size {
				t.Errorf("%d of %d bytes, %v", got, size, err)
			}
		})
	}
}

func TestReleaseService_Rotate(t *testing.T) {
	t.Parallel()
	res, err := setup(t, "owner", api.Timing{}).releases.RotateSigningKey(t.Context(), &apiv1.RotateSigningKeyRequest{})
	if err != nil {
		t.Fatal(err)
	}
	ring, err := key.ParseRing(res.GetKeyList())
	if err != nil || len(ring.Keys()) != 1 || ring.Keys()[0].ID() != res.GetKeyId() {
		t.Errorf("%v, %v", res, err)
	}
}
