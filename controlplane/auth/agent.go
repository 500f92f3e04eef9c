package auth

import (
	"context"
	"crypto/ed25519"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

const (
	// AgentTokenLifetime is how long an agent's token holds; it renews after a third of it.
	AgentTokenLifetime = 15 * time.Minute
	// BootstrapLifetime is how long a bootstrap token waits for its agent.
	BootstrapLifetime = time.Hour

	renewContext     = "seatrial-agent-renew:"
	enrollAgain      = "Enroll the cluster again with: seatrial cluster enroll NAME."
	defaultNamespace = "seatrial-tests"
)

// label is what Kubernetes takes as a namespace. Names of ours are the same, so that they fit into commands and addresses.
var label = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// EnrollCluster registers a cluster and returns its bootstrap token, which is shown once.
func (a *Auth) EnrollCluster(ctx context.Context, name, environment, namespace string) (
	c cluster.Cluster, e cluster.Environment, token string, expires time.Time, err error,
) {
	v, ok := tenant.FromContext(ctx)
	if !ok || !v.Allows(tenant.ScopeAdmin) {
		return c, e, "", expires, fault.New(fault.Forbidden, "enrolling a cluster needs the scope %q", tenant.ScopeAdmin).
			WithHint("Sign in as an administrator of the organization, or use a token with that scope.")
	}
	if environment == "" {
		environment = name
	}
	if namespace == "" {
		namespace = defaultNamespace
	}
	for field, value := range map[string]string{"name": name, "environment": environment, "namespace": namespace} {
		if !label.MatchString(value) {
			return c, e, "", expires, fault.New(fault.Invalid, "%q cannot be the %s", value, field).WithField(field).
				WithHint("Use at most 63 lower-case letters, digits and dashes, with a letter or digit at both ends.")
		}
	}
	token, hash, err := newSecret(BootstrapPrefix)
	if err != nil {
		return c, e, "", expires, err
	}
	expires = a.now().Add(BootstrapLifetime).UTC().Truncate(time.Second)
	c, e, err = a.agents.EnrollCluster(ctx, cluster.Enrolment{
		Name: name, Environment: environment, Namespace: namespace, TokenHash: hash, ExpiresAt: expires,
	})
	if err != nil {
		return c, e, "", expires, err
	}
	return c, e, token, expires, nil
}

// Enrol spends a bootstrap token and registers the public key.
func (a *Auth) Enrol(ctx context.Context, bootstrapToken string, publicKey []byte, clusterUID, agentVersion string) (cluster.Identity, error) {
	switch {
	case !strings.HasPrefix(bootstrapToken, BootstrapPrefix):
		return cluster.Identity{}, fault.New(fault.Unauthenticated, "this is not a bootstrap token; they begin with %s", BootstrapPrefix).
			WithHint(enrollAgain)
	case len(publicKey) != ed25519.PublicKeySize:
		return cluster.Identity{}, fault.New(fault.Invalid, "the public key has %d bytes instead of %d", len(publicKey), ed25519.PublicKeySize).
			WithField("public_key")
	}
	return a.agents.SpendBootstrap(ctx, cluster.Arrival{
		TokenHash: hashOf(bootstrapToken), PublicKey: publicKey, ClusterUID: clusterUID, AgentVersion: agentVersion,
	})
}

// Token issues the short-lived token of an agent.
func (a *Auth) Token(ctx context.Context, id cluster.Identity) (token string, expires time.Time, err error) {
	jti, err := uuid.NewRandom()
	if err != nil {
		return "", time.Time{}, err
	}
	return a.tokens.sign(ctx, id.Cluster, jti, id.Organization, AgentTokenLifetime)
}

// Agent checks a token, and that its agent is still one of ours and not revoked.
func (a *Auth) Agent(ctx context.Context, token string) (tenant.Viewer, error) {
	c, err := a.tokens.check(ctx, token)
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return tenant.Viewer{}, fault.New(fault.Unauthenticated, "the agent's token expired on %s", c.expires.Format(time.RFC1123)).
			WithHint("The agent renews it by itself. Check the clocks of both machines when this goes on.")
	case err != nil:
		return tenant.Viewer{}, fault.Wrap(fault.Unauthenticated, err, "the agent's token does not hold").WithHint(enrollAgain)
	}
	id, err := a.identity(ctx, c.subject)
	if err != nil {
		return tenant.Viewer{}, err
	}
	if id.Organization != c.organization {
		return tenant.Viewer{}, fault.New(fault.Unauthenticated, "the agent's token does not hold").WithHint(enrollAgain)
	}
	return tenant.Viewer{
		Kind: tenant.KindAgent, Organization: id.Organization, Subject: id.Cluster, Cluster: id.Cluster, Name: id.Name,
	}, nil
}

// identity returns an agent that may act.
func (a *Auth) identity(ctx context.Context, id cluster.ID) (cluster.Identity, error) {
	found, err := a.agents.AgentIdentity(ctx, id)
	switch {
	case fault.Is(err, fault.NotFound), err == nil && len(found.PublicKey) == 0:
		return found, fault.New(fault.Unauthenticated, "the agent is unknown; its cluster may have been removed").WithHint(enrollAgain)
	case err == nil && found.Revoked:
		return found, fault.New(fault.Unauthenticated, "the agent was revoked%s", because(found.RevokedReason)).WithHint(enrollAgain)
	default:
		return found, err
	}
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}
