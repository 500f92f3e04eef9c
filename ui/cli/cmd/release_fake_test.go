package cmd_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/controlplane/release/attest"
	"github.com/seatrial/seatrial/controlplane/release/attest/key"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/results"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

// releases is what a control plane knows of releases.
type releases struct {
	apiv1connect.UnimplementedReleaseServiceHandler

	bundle  []byte
	keys    []byte
	list    map[string]*apiv1.Release // by version
	rotated bool
}

func (r *releases) GetRelease(_ context.Context, q *apiv1.GetReleaseRequest) (*apiv1.GetReleaseResponse, error) {
	found, ok := r.list[q.GetVersion()]
	if !ok {
		return nil, connect.NewError(connect.CodeNotFound, textError("there is no release "+q.GetApplication()+" "+q.GetVersion()))
	}
	return &apiv1.GetReleaseResponse{Release: found}, nil
}

func (r *releases) GetReleaseBundle(
	_ context.Context, q *apiv1.GetReleaseBundleRequest, s *connect.ServerStream[apiv1.GetReleaseBundleResponse],
) error {
	if q.GetVersion() == "none" {
		return connect.NewError(connect.CodeNotFound, textError("there is no release none"))
	}
	half := len(r.bundle) / 2
	for _, part := range [][]byte{r.bundle[:half], r.bundle[half:]} {
		if err := s.Send(&apiv1.GetReleaseBundleResponse{Data: part}); err != nil {
			return err
		}
	}
	return nil
}

func (r *releases) ShareRelease(_ context.Context, q *apiv1.ShareReleaseRequest) (*apiv1.ShareReleaseResponse, error) {
	return &apiv1.ShareReleaseResponse{
		Snapshot: &apiv1.Snapshot{Id: "s1", Application: q.GetApplication(), Version: q.GetVersion(), ExpiresAt: timestamppb.New(noon().Add(q.GetLifetime().AsDuration()))},
		Url:      "https://seatrial.test/s/st_view_x",
	}, nil
}

func (r *releases) ListSnapshots(_ context.Context, q *apiv1.ListSnapshotsRequest) (*apiv1.ListSnapshotsResponse, error) {
	if q.GetVersion() == "none" {
		return &apiv1.ListSnapshotsResponse{}, nil
	}
	return &apiv1.ListSnapshotsResponse{Snapshots: []*apiv1.Snapshot{{
		Id: "s1", Application: "shop", Version: "1.0", State: apiv1.State_STATE_NOT_READY, Maker: "ann@acme.example", ExpiresAt: timestamppb.New(noon()),
	}}}, nil
}

func (r *releases) RevokeSnapshot(context.Context, *apiv1.RevokeSnapshotRequest) (*apiv1.RevokeSnapshotResponse, error) {
	return &apiv1.RevokeSnapshotResponse{}, nil
}

func (r *releases) RotateSigningKey(context.Context, *apiv1.RotateSigningKeyRequest) (*apiv1.RotateSigningKeyResponse, error) {
	r.rotated = true
	return &apiv1.RotateSigningKeyResponse{KeyId: "0123", KeyList: []byte(`{"keys":[]}`)}, nil
}

// served is the key list, which needs no credential and must not be sent one.
func (r *releases) served(w http.ResponseWriter, q *http.Request) {
	if q.Header.Get("Authorization") != "" || !strings.HasSuffix(q.URL.Path, "/acme") {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_, _ = w.Write(r.keys)
}

// signer is a key that is the same in every run of the tests.
func signer(t *testing.T, letter string) key.Private {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed([]byte(strings.Repeat(letter, ed25519.SeedSize))))
	if err != nil {
		t.Fatal(err)
	}
	k, err := key.ParsePrivate(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func secretOf(t *testing.T, k key.Private) []byte {
	t.Helper()
	text, err := k.PEM()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func noon() time.Time { return time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC) }

// judged is the input of a release with one test, whose name tries to be more than a name.
func judged(outcome results.Outcome) verdict.Input {
	image := []verdict.Image{{Name: "shop", Digest: "sha256:" + attest.Digest([]byte("shop"))}}
	return verdict.Input{
		Release: verdict.Release{Application: "shop/cart", Version: "1.42.0", Images: image},
		Policy: verdict.Policy{Name: "gate", Revision: 7, Digest: attest.Digest([]byte("gate")), Rules: []verdict.Rule{
			{ID: "complete", Kind: verdict.Missing, Expr: "cell.never_ran == 0"},
			{ID: "good", Kind: verdict.Negative, Expr: `!cell.results.exists(r, r.outcome == "failed")`},
		}},
		Runs: []verdict.Run{{ID: "r", Execution: "e-1", Subject: verdict.Subject{Start: image, End: image}}},
		Cells: []verdict.Cell{{
			Environment: "eu", Suite: "smoke", Required: []verdict.Test{{Key: "k", Name: "pays\x1b[2J<b>"}},
			Evidence: []verdict.Evidence{{Test: "k", Outcome: outcome, Run: "r", FinishedAt: noon()}},
		}},
		Now: noon(),
	}
}

// bundled signs a release as a control plane does.
func bundled(t *testing.T, in verdict.Input, by key.Private) []byte {
	t.Helper()
	return pretended(t, in, in, by)
}

// pretended signs the verdict on one input as if it were that on another.
func pretended(t *testing.T, in, as verdict.Input, by key.Private) []byte {
	t.Helper()
	input, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	other, err := json.Marshal(as)
	if err != nil {
		t.Fatal(err)
	}
	output, err := verdict.Recompute(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	subject := []attest.Resource{{Name: "shop", Digest: map[string]string{"sha256": attest.Digest([]byte("shop"))}}}
	s, err := attest.NewReadiness(subject, attest.Readiness{
		TimeCreated: noon(), Release: attest.Release{Application: in.Release.Application, Version: in.Release.Version},
		Policy: attest.Resource{Name: "gate revision 7", Digest: map[string]string{"sha256": in.Policy.Digest}}, Input: input, Output: output,
	})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	e, err := attest.Sign(payload, by)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := attest.Write(&b, noon(), []attest.Envelope{e}, by); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// keyList is a list of keys that are in use since a day before noon; the second one is retired since noon.
func keyList(t *testing.T, keys ...key.Private) []byte {
	t.Helper()
	public := make([]key.Public, len(keys))
	for i, k := range keys {
		public[i] = k.Public()
		public[i].NotBefore = noon().Add(-24 * time.Hour)
		if i > 0 {
			public[i].RetiredAt = noon()
		}
	}
	ring, err := key.NewRing(public...)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(ring)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// file writes a file of the test's own and returns its path.
func file(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
