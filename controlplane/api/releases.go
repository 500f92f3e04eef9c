package api

import (
	"context"
	"fmt"
	"net/url"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/tenant"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// CreateRelease implements ReleaseServiceHandler.
func (s *server) CreateRelease(ctx context.Context, r *apiv1.CreateReleaseRequest) (*apiv1.CreateReleaseResponse, error) {
	asked := release.Request{
		Application: r.GetApplication(), Version: r.GetVersion(), Commit: r.GetCommit(), Policy: r.GetPolicy(), Team: r.GetTeam(),
		Targets: r.GetTargets(),
	}
	for _, text := range r.GetImages() {
		image, err := release.ParseImage(text)
		if err != nil {
			return nil, err //nolint:wrapcheck // a fault that speaks for itself
		}
		asked.Images = append(asked.Images, image)
	}
	created, existed, err := s.Releases.Create(ctx, asked)
	if err != nil {
		return nil, fmt.Errorf("create release: %w", err)
	}
	out, err := s.releaseOf(ctx, created)
	return &apiv1.CreateReleaseResponse{Release: out, Existed: existed}, err
}

// GetRelease implements ReleaseServiceHandler.
func (s *server) GetRelease(ctx context.Context, r *apiv1.GetReleaseRequest) (*apiv1.GetReleaseResponse, error) {
	found, err := s.Releases.Get(ctx, r.GetApplication(), r.GetVersion())
	if err != nil {
		return nil, fmt.Errorf("get release: %w", err)
	}
	out, err := s.releaseOf(ctx, found)
	return &apiv1.GetReleaseResponse{Release: out}, err
}

// releaseOf converts a release with the address of its page.
func (s *server) releaseOf(ctx context.Context, r release.Release) (*apiv1.Release, error) {
	out, err := releaseOf(r)
	if err != nil {
		return nil, err
	}
	if organization, _, err := s.Accounts.Describe(ctx); err == nil && s.PublicURL != "" { // the page is a convenience
		out.Url = fmt.Sprintf("%s/o/%s/releases/%s/%s", s.PublicURL, organization, url.PathEscape(r.Application), url.PathEscape(r.Version))
	}
	return out, nil
}

// ListReleases implements ReleaseServiceHandler.
func (s *server) ListReleases(ctx context.Context, r *apiv1.ListReleasesRequest) (*apiv1.ListReleasesResponse, error) {
	list, next, err := s.Releases.List(ctx, r.GetApplication(), int(r.GetPageSize()), r.GetPageToken())
	if err != nil {
		return nil, fmt.Errorf("list releases: %w", err)
	}
	out := &apiv1.ListReleasesResponse{NextPageToken: next}
	for _, one := range list {
		converted, err := s.releaseOf(ctx, one)
		if err != nil {
			return nil, err
		}
		out.Releases = append(out.Releases, converted)
	}
	return out, nil
}

// WatchRelease implements ReleaseServiceHandler.
func (s *server) WatchRelease(
	ctx context.Context, r *apiv1.WatchReleaseRequest, stream *connect.ServerStream[apiv1.WatchReleaseResponse],
) error {
	first, err := s.Releases.Get(ctx, r.GetApplication(), r.GetVersion())
	if err != nil {
		return fmt.Errorf("watch release: %w", err)
	}
	viewer, _ := tenant.FromContext(ctx) // the interceptor put it there
	wake, cancel := s.Bus.Subscribe(ctx, release.Topic(viewer.Organization, first.ID))
	defer cancel()
	var sent *apiv1.Release
	for {
		found, err := s.Releases.Get(ctx, r.GetApplication(), r.GetVersion())
		if err != nil {
			return fmt.Errorf("watch release: %w", err)
		}
		now, err := s.releaseOf(ctx, found)
		if err != nil {
			return err
		}
		if differs(now, sent) {
			if err := stream.Send(&apiv1.WatchReleaseResponse{Release: now}); err != nil {
				return err //nolint:wrapcheck // Connect's own error
			}
			sent = now
		}
		if err := s.wait(ctx, wake); err != nil {
			return err
		}
	}
}

// differs compares two releases, whenever the verdict on them was made: that alone is no change.
func differs(now, before *apiv1.Release) bool {
	if before == nil {
		return true
	}
	decided := now.GetDecidedAt()
	now.DecidedAt = before.GetDecidedAt()
	same := proto.Equal(now, before)
	now.DecidedAt = decided
	return !same
}

// RequestWaiver implements ReleaseServiceHandler.
func (s *server) RequestWaiver(ctx context.Context, r *apiv1.RequestWaiverRequest) (*apiv1.RequestWaiverResponse, error) {
	w, err := s.Releases.Waive(ctx, r.GetApplication(), r.GetVersion(), release.Ask{
		Rule: r.GetRule(), Environment: r.GetEnvironment(), Suite: r.GetSuite(), Test: r.GetTest(), Variant: r.GetVariant(),
		Fingerprint: r.GetFingerprint(), Reason: r.GetReason(), For: r.GetLifetime().AsDuration(),
	})
	if err != nil {
		return nil, fmt.Errorf("request waiver: %w", err)
	}
	return &apiv1.RequestWaiverResponse{Waiver: waiverOf(w, verdict.WaiverResult{Why: "nobody has approved it yet"})}, nil
}

// ApproveWaiver implements ReleaseServiceHandler.
func (s *server) ApproveWaiver(ctx context.Context, r *apiv1.ApproveWaiverRequest) (*apiv1.ApproveWaiverResponse, error) {
	if err := s.Releases.Approve(ctx, r.GetApplication(), r.GetVersion(), r.GetId()); err != nil {
		return nil, fmt.Errorf("approve waiver: %w", err)
	}
	return &apiv1.ApproveWaiverResponse{}, nil
}

// RevokeWaiver implements ReleaseServiceHandler.
func (s *server) RevokeWaiver(ctx context.Context, r *apiv1.RevokeWaiverRequest) (*apiv1.RevokeWaiverResponse, error) {
	if err := s.Releases.Revoke(ctx, r.GetApplication(), r.GetVersion(), r.GetId()); err != nil {
		return nil, fmt.Errorf("revoke waiver: %w", err)
	}
	return &apiv1.RevokeWaiverResponse{}, nil
}

// ListPolicies implements ReleaseServiceHandler.
func (s *server) ListPolicies(ctx context.Context, _ *apiv1.ListPoliciesRequest) (*apiv1.ListPoliciesResponse, error) {
	list, err := s.Catalog.Policies(ctx)
	if err != nil {
		return nil, fmt.Errorf("list policies: %w", err)
	}
	out := &apiv1.ListPoliciesResponse{}
	for _, p := range list {
		out.Policies = append(out.Policies, policyOf(p))
	}
	return out, nil
}

// DryRunPolicy implements ReleaseServiceHandler.
func (s *server) DryRunPolicy(ctx context.Context, r *apiv1.DryRunPolicyRequest) (*apiv1.DryRunPolicyResponse, error) {
	trials, err := s.Releases.Try(ctx, release.TrialRequest{
		File: r.GetFile(), Source: r.GetSource(), Application: r.GetApplication(), Last: int(r.GetLast()),
	})
	if err != nil {
		return nil, fmt.Errorf("try policy: %w", err)
	}
	out := &apiv1.DryRunPolicyResponse{Policy: trials.Policy, Changed: int32Of(trials.Changed), PassedOver: int32Of(trials.PassedOver)}
	for _, t := range trials.List {
		out.Releases = append(out.Releases, trialOf(t))
	}
	return out, nil
}

func trialOf(t release.Trial) *apiv1.PolicyTrial {
	r := t.Release
	out := &apiv1.PolicyTrial{
		Application: r.Application, Version: r.Version, CreatedAt: timeOf(r.CreatedAt), JudgedAt: timeOf(t.At),
		Policy: &apiv1.PolicyRevision{Name: r.Policy.Name, Revision: int32Of(r.Policy.Revision), Digest: r.Policy.Digest},
		Before: stateOf(t.Before), After: stateOf(t.After), AddedCells: t.Added, RemovedCells: t.Removed, Problem: t.Problem,
	}
	for _, rule := range t.Rules {
		out.Rules = append(out.Rules, &apiv1.PolicyTrialRule{Id: rule.ID, Kind: string(rule.Kind), Before: string(rule.Before), After: string(rule.After)})
	}
	return out
}
