package sign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/attest"
	"github.com/seatrial/seatrial/controlplane/release/attest/canonical"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// Bundle writes the signed bundle of a release, as attest.BundleFormat says, on what is known now. Nothing is written before all of it
// could be made. It needs ScopeRead. It is Conflict when the release is not bound to anything that could be attested, Exhausted when it
// rests on more than a bundle can hold.
func (s *Service) Bundle(ctx context.Context, application, version string, w io.Writer) error {
	viewer, err := tenant.Require(ctx, tenant.ScopeRead)
	if err != nil {
		return err
	}
	in, err := s.cfg.Releases.Input(ctx, application, version)
	if err != nil {
		return fmt.Errorf("read what the verdict rests upon: %w", err)
	}
	// The key comes after the input: had it been retired in between, what is signed as of then would not hold.
	by, err := s.signer(ctx, viewer.Organization)
	if err != nil {
		return err
	}
	organization, _, err := s.cfg.Store.Names(ctx, viewer.Organization, uuid.Nil)
	if err != nil {
		return fmt.Errorf("read the name of the organization: %w", err)
	}
	b := bundling{Service: s, by: by, at: later(in.Now, by.since), organization: organization, definitions: map[string]attest.Resource{}}
	if err := b.judge(ctx, in); err != nil {
		return err
	}
	envelopes, err := b.envelopes(ctx)
	if err != nil {
		return err
	}
	if err := attest.Write(w, b.at, envelopes, by.key); err != nil {
		return err //nolint:wrapcheck // a fault that speaks for itself
	}
	s.cfg.Log.InfoContext(ctx, "release signed", "application", application, "version", version, "verdict", b.out.State,
		"key", by.key.Public().ID(), "actor", viewer.Name)
	return nil
}

// bundling is one bundle in the making.
type bundling struct {
	*Service

	by           signer
	at           time.Time // of all statements
	organization string    // its name
	definitions  map[string]attest.Resource

	in            verdict.Input
	out           verdict.Output
	input, output []byte // in canonical form
	subject       []attest.Resource
}

// judge makes the verdict out of the bytes that will be signed, and not out of the values that they were written from: whatever JSON
// does not carry cannot have a part in it.
func (b *bundling) judge(ctx context.Context, in verdict.Input) error {
	var err error
	if b.input, err = canonical.JSON(in); err != nil {
		return err //nolint:wrapcheck // a fault that speaks for itself
	}
	output, err := verdict.Recompute(ctx, b.input)
	if err != nil {
		return fmt.Errorf("make the verdict: %w", err)
	}
	if b.output, err = canonical.Text(output); err != nil {
		return err //nolint:wrapcheck // a fault that speaks for itself
	}
	if err := errors.Join(json.Unmarshal(b.input, &b.in), json.Unmarshal(b.output, &b.out)); err != nil {
		return fault.Wrap(fault.Internal, err, "read the verdict again")
	}
	b.subject, err = subject(b.in.Release)
	return err
}

// subject returns what a release consists of. A commit that is shortened is no digest, and stands in the input only.
func subject(r verdict.Release) ([]attest.Resource, error) {
	var all []attest.Resource
	for _, image := range r.Images {
		one, err := attest.Image("image", image.Digest)
		if err != nil {
			return nil, err //nolint:wrapcheck // a fault that speaks for itself
		}
		one.Name = image.Name // which may not be known
		all = append(all, one)
	}
	if commit, err := attest.Commit("", r.Commit); err == nil {
		all = append(all, commit)
	}
	if len(all) == 0 {
		return nil, fault.New(fault.Conflict, "%s %s has neither an image nor the full hash of its commit", r.Application, r.Version).
			WithField("version").WithHint("A signature has to be on something that cannot change: create the release with --image NAME@sha256:…, or with the whole --commit.")
	}
	return all, nil
}

// envelopes signs all statements: those on tests, that on the verdict, and the one for other tools.
func (b *bundling) envelopes(ctx context.Context) ([]attest.Envelope, error) {
	results, err := b.results(ctx)
	if err != nil {
		return nil, err
	}
	var all []attest.Envelope
	var evidence []attest.Resource
	for _, statement := range results {
		if all, err = b.signed(all, statement); err != nil {
			return nil, err
		}
		named, err := attest.Evidence(all[len(all)-1])
		if err != nil {
			return nil, err //nolint:wrapcheck // a fault that speaks for itself
		}
		evidence = append(evidence, named)
	}
	readiness, err := attest.NewReadiness(b.subject, attest.Readiness{
		TimeCreated: b.at, Release: attest.Release{Application: b.in.Release.Application, Version: b.in.Release.Version},
		Policy: policy(b.in.Policy), Input: b.input, Output: b.output, Waivers: b.waivers(), Evidence: evidence,
	})
	if err != nil {
		return nil, err //nolint:wrapcheck // a fault that speaks for itself
	}
	if all, err = b.signed(all, readiness); err != nil {
		return nil, err
	}
	if b.out.State != verdict.Ready && b.out.State != verdict.ReadyWithWaivers {
		return all, nil
	}
	summary, err := attest.NewSVR(readiness, b.verifier())
	if err != nil {
		return nil, err //nolint:wrapcheck // a fault that speaks for itself
	}
	return b.signed(all, summary)
}

// signed appends a statement in its envelope.
func (b *bundling) signed(to []attest.Envelope, s attest.Statement) ([]attest.Envelope, error) {
	payload, err := s.Encode()
	if err != nil {
		return nil, err //nolint:wrapcheck // a fault that speaks for itself
	}
	e, err := attest.Sign(payload, b.by.key)
	if err != nil {
		return nil, err //nolint:wrapcheck // a fault that speaks for itself
	}
	return append(to, e), nil
}

func policy(p verdict.Policy) attest.Resource {
	return attest.Resource{Name: fmt.Sprintf("%s revision %d", p.Name, p.Revision), Digest: map[string]string{attest.SHA256: p.Digest}}
}

// waivers returns those by which a rule holds.
func (b *bundling) waivers() []attest.Waiver {
	used := map[string]bool{}
	for _, w := range b.out.Waivers {
		used[w.ID] = w.Used
	}
	var all []attest.Waiver
	for _, w := range b.in.Waivers {
		if !used[w.ID] {
			continue
		}
		one := attest.Waiver{
			ID: w.ID, Rule: w.Rule, Test: w.Test, Fingerprint: w.Fingerprint, Reason: w.Reason, Requester: w.Requester,
			CreatedAt: w.CreatedAt, ExpiresAt: w.ExpiresAt,
		}
		for _, a := range w.Approvals {
			one.Approvers = append(one.Approvers, a.By)
		}
		all = append(all, one)
	}
	return all
}
