package api

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"connectrpc.com/connect"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// maxPart bounds a message of a bundle: clients take no large ones.
const maxPart = 256 << 10

// GetReleaseBundle implements ReleaseServiceHandler.
func (s *server) GetReleaseBundle(
	ctx context.Context, r *apiv1.GetReleaseBundleRequest, stream *connect.ServerStream[apiv1.GetReleaseBundleResponse],
) error {
	if err := s.Bundles.Bundle(ctx, r.GetApplication(), r.GetVersion(), parts{stream}); err != nil {
		return fmt.Errorf("get release bundle: %w", err)
	}
	return nil
}

// parts sends what is written to it in messages.
type parts struct {
	stream *connect.ServerStream[apiv1.GetReleaseBundleResponse]
}

func (p parts) Write(b []byte) (int, error) {
	n := 0
	for part := range slices.Chunk(b, maxPart) {
		if err := p.stream.Send(&apiv1.GetReleaseBundleResponse{Data: part}); err != nil {
			return n, err //nolint:wrapcheck // Connect's own error
		}
		n += len(part)
	}
	return n, nil
}

// RotateSigningKey implements ReleaseServiceHandler.
func (s *server) RotateSigningKey(ctx context.Context, _ *apiv1.RotateSigningKeyRequest) (*apiv1.RotateSigningKeyResponse, error) {
	ring, err := s.Bundles.Rotate(ctx)
	if err != nil {
		return nil, fmt.Errorf("rotate the signing key: %w", err)
	}
	list, err := json.Marshal(ring)
	if err != nil {
		return nil, fmt.Errorf("write the key list: %w", err)
	}
	return &apiv1.RotateSigningKeyResponse{KeyId: ring.Keys()[0].ID(), KeyList: list}, nil
}

// RevokeSigningKey implements ReleaseServiceHandler.
func (s *server) RevokeSigningKey(ctx context.Context, r *apiv1.RevokeSigningKeyRequest) (*apiv1.RevokeSigningKeyResponse, error) {
	ring, err := s.Bundles.RevokeKey(ctx, r.GetKeyId(), r.GetReason(), r.GetCompromised())
	if err != nil {
		return nil, fmt.Errorf("revoke the signing key: %w", err)
	}
	list, err := json.Marshal(ring)
	if err != nil {
		return nil, fmt.Errorf("write the key list: %w", err)
	}
	return &apiv1.RevokeSigningKeyResponse{KeyId: ring.Keys()[0].ID(), KeyList: list}, nil
}
