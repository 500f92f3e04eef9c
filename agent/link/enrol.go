package link

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// A refused bootstrap token is tried again this often: an operator may replace it, and a crash loop would help nobody.
const enrolSlowly = time.Minute

// Enrol makes the agent known to the control plane, trying until it succeeds or the context ends. An agent that is enrolled
// already keeps its names, unless it was given another token: that enrols it again with a new key, for the one that it has may have
// been revoked. The runners of its pods know it by its certificate, which stays.
func Enrol(ctx context.Context, o Options, v Vault, i Identity, token, clusterUID string) (Identity, error) {
	if i.Settled(token) {
		return i, nil
	}
	for try := 0; ; try++ {
		key, err := enrolmentKey(ctx, v, &i)
		var reply *agentv1.EnrolResponse
		if err == nil {
			reply, err = enrolOnce(ctx, o, key, token, clusterUID)
		}
		if err == nil {
			named := i
			if named.Key, named.Next = key, nil; !key.Equal(i.Key) || named.Since.IsZero() {
				named.Since = o.now()
			}
			named.AgentID, named.ClusterID, named.ClusterName = reply.GetAgentId(), reply.GetClusterId(), reply.GetClusterName()
			named.Organization, named.Spent = reply.GetOrganizationId(), digest(token)
			// Until it is stored the same token and key enrol again with the same answer.
			if err = v.Save(ctx, named); err == nil {
				o.Log.InfoContext(ctx, "enrolled", "cluster", named.ClusterName, "agent", named.AgentID)
				return named, nil
			}
		}
		if i.Enrolled() && refused(err) {
			o.Log.ErrorContext(ctx, "not enrolled again, going on as before", "cluster", i.ClusterName, "error", err)
			return i, nil
		}
		wait := backoff(try)
		if refused(err) || errors.Is(err, errNoToken) {
			wait = enrolSlowly
		}
		o.Log.ErrorContext(ctx, "not enrolled, trying again", "error", err, "in", wait.String())
		o.state(StateNotEnrolled, err)
		if err := pause(ctx, wait); err != nil {
			return i, err
		}
	}
}

var errNoToken = errors.New("the agent has no bootstrap token: create one with `seatrial cluster enroll` and set bootstrapToken in the agent's chart")

// enrolmentKey returns the key to enrol with. One that takes the place of another is stored before it is used: when the answer is lost,
// the control plane knows none but that.
func enrolmentKey(ctx context.Context, v Vault, i *Identity) (ed25519.PrivateKey, error) {
	if !i.Enrolled() {
		return i.Key, nil
	}
	if i.Next == nil {
		_, next, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("generate key: %w", err)
		}
		if err := v.Propose(ctx, next); err != nil {
			return nil, err
		}
		i.Next = next
	}
	return i.Next, nil
}

func enrolOnce(ctx context.Context, o Options, key ed25519.PrivateKey, token, clusterUID string) (*agentv1.EnrolResponse, error) {
	if token == "" {
		return nil, errNoToken
	}
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("the agent's key is not an Ed25519 key")
	}
	conn, err := o.dial()
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // nothing is in flight
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	reply, err := agentv1.NewAgentIdentityClient(conn).Enrol(ctx, &agentv1.EnrolRequest{
		BootstrapToken: token, PublicKey: public, ClusterUid: clusterUID, AgentVersion: o.Version,
	})
	switch {
	case refused(err):
		return nil, fmt.Errorf("the control plane refuses the bootstrap token, it is spent, expired or mistyped: "+
			"create a new one with `seatrial cluster enroll` and set bootstrapToken in the agent's chart: %w", err)
	case err != nil:
		return nil, unreachable(o.Address, err)
	}
	return reply, nil
}

// refused tells whether the credential was refused, not the connection.
func refused(err error) bool {
	switch status.Code(err) {
	case codes.Unauthenticated, codes.PermissionDenied, codes.NotFound, codes.FailedPrecondition, codes.InvalidArgument:
		return true
	default:
		return false
	}
}

func unreachable(address string, err error) error {
	return fmt.Errorf("no connection to the control plane at %s; check controlPlane.address, controlPlane.ca and the network: %w", address, err)
}
