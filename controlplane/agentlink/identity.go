package agentlink

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// identityService serves AgentIdentity. Its callers have no credential yet, so calls are limited by address.
type identityService struct {
	agentv1.UnimplementedAgentIdentityServer
	identity Identity
	limit    *limiter[string] // by address
}

// Enrol implements AgentIdentityServer.
func (s *identityService) Enrol(ctx context.Context, r *agentv1.EnrolRequest) (*agentv1.EnrolResponse, error) {
	if err := unknown(ctx, s.limit); err != nil {
		return nil, err
	}
	if r.GetBootstrapToken() == "" || len(r.GetPublicKey()) != ed25519.PublicKeySize || r.GetClusterUid() == "" {
		return nil, fault.New(fault.Invalid, "an enrolment needs a bootstrap token, an Ed25519 public key and the cluster's UID")
	}
	ctx, _ = audit.Begin(ctx, "EnrolAgent", caller(ctx)) // kept with the key; who has no token is nobody's to record
	id, err := s.identity.Enrol(ctx, r.GetBootstrapToken(), r.GetPublicKey(), short(r.GetClusterUid()), short(r.GetAgentVersion()))
	if err != nil {
		return nil, fmt.Errorf("enrol: %w", err)
	}
	token, expires, err := s.identity.Token(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("token of cluster %s: %w", id.Name, err)
	}
	return &agentv1.EnrolResponse{
		AgentId: id.Cluster.String(), ClusterId: id.Cluster.String(), ClusterName: id.Name, OrganizationId: id.Organization.String(),
		Token: token, TokenExpiresAt: timestamppb.New(expires),
	}, nil
}

// Challenge implements AgentIdentityServer.
func (s *identityService) Challenge(ctx context.Context, r *agentv1.ChallengeRequest) (*agentv1.ChallengeResponse, error) {
	id, err := s.agent(ctx, r.GetAgentId())
	if err != nil {
		return nil, err
	}
	nonce, err := s.identity.Challenge(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("challenge: %w", err)
	}
	return &agentv1.ChallengeResponse{Nonce: nonce}, nil
}

// Renew implements AgentIdentityServer.
func (s *identityService) Renew(ctx context.Context, r *agentv1.RenewRequest) (*agentv1.RenewResponse, error) {
	id, err := s.agent(ctx, r.GetAgentId())
	if err != nil {
		return nil, err
	}
	identity, err := s.identity.Renew(ctx, id, r.GetNonce(), r.GetSignature())
	if err != nil {
		return nil, fmt.Errorf("renew: %w", err)
	}
	token, expires, err := s.identity.Token(ctx, identity)
	if err != nil {
		return nil, fmt.Errorf("token of cluster %s: %w", identity.Name, err)
	}
	return &agentv1.RenewResponse{Token: token, TokenExpiresAt: timestamppb.New(expires), RotateKey: identity.RotationAsked}, nil
}

// RotateKey implements AgentIdentityServer.
func (s *identityService) RotateKey(ctx context.Context, r *agentv1.RotateKeyRequest) (*agentv1.RotateKeyResponse, error) {
	id, err := s.agent(ctx, r.GetAgentId())
	if err != nil {
		return nil, err
	}
	if err := s.identity.RotateKey(ctx, id, r.GetNonce(), r.GetNewPublicKey(), r.GetSignature(), r.GetNewSignature()); err != nil {
		return nil, fmt.Errorf("rotate key: %w", err)
	}
	return &agentv1.RotateKeyResponse{}, nil
}

func (s *identityService) agent(ctx context.Context, text string) (clusterID, error) {
	if err := unknown(ctx, s.limit); err != nil {
		return clusterID{}, err
	}
	id, err := uuid.Parse(text)
	if err != nil {
		return id, fault.New(fault.Unauthenticated, "%q is not the id of an agent", short(text))
	}
	return id, nil
}

// caller returns the network address of who calls, without the port.
func caller(ctx context.Context) string {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return ""
	}
	host, _, err := net.SplitHostPort(p.Addr.String())
	if err != nil {
		return p.Addr.String()
	}
	return host
}

// Agents of one address may be many behind one gateway, and all come back at once after an outage.
const (
	perSecond    = 50
	burst        = 500
	maxAddresses = 10_000
)

// unknown bounds calls without a credential by the address they come from.
func unknown(ctx context.Context, l *limiter[string]) error {
	if !l.allow(caller(ctx), 1) {
		return fault.New(fault.Exhausted, "too many enrolments and renewals from this address").WithHint("Try again in a few seconds.")
	}
	return nil
}

// limiter bounds what each of many may do in a second, and at once.
type limiter[K comparable] struct {
	mu        sync.Mutex
	now       func() time.Time
	perSecond rate.Limit
	burst     int
	of        map[K]*rate.Limiter
}

func newLimiter[K comparable](now func() time.Time, perSecond rate.Limit, burst int) *limiter[K] {
	return &limiter[K]{now: now, perSecond: perSecond, burst: burst, of: map[K]*rate.Limiter{}}
}

func (l *limiter[K]) allow(who K, n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.of[who]
	if one == nil {
		if len(l.of) >= maxAddresses { // forgetting is the lesser evil than growing
			clear(l.of)
		}
		one = rate.NewLimiter(l.perSecond, l.burst)
		l.of[who] = one
	}
	return one.AllowN(l.now(), min(n, l.burst)) // what is too much at any time is for others to refuse
}
