package auth_test

import (
	"crypto/ed25519"
	"slices"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/auth"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

func TestAuth_EnrollCluster(t *testing.T) {
	t.Parallel()
	i := setup(t)
	reader := tenant.Viewer{Kind: tenant.KindMember, Role: tenant.RoleMaintainer, Organization: i.admin.Organization}
	c, e, token, expires, err := i.EnrollCluster(i.as(t), "harbour", "", "")
	if err != nil || c.Name != "harbour" || e.Name != "harbour" || e.Namespace == "" || token == "" || !expires.Equal(i.clock.now().Add(auth.BootstrapLifetime)) {
		t.Fatalf("cluster %+v, environment %+v, until %s, %v", c, e, expires, err)
	}
	tests := map[string]struct {
		viewer                       tenant.Viewer
		name, environment, namespace string
		want                         fault.Kind
		reason                       string
	}{
		"ErrScope":       {reader, "dock", "", "", fault.Forbidden, "a maintainer does not enrol clusters"},
		"ErrNoViewer":    {tenant.Viewer{}, "dock", "", "", fault.Forbidden, "nobody"},
		"ErrName":        {i.admin, "Dock 1", "", "", fault.Invalid, "it becomes part of addresses"},
		"ErrNamespace":   {i.admin, "dock", "", "a,b", fault.Invalid, "it becomes part of a command"},
		"ErrEnvironment": {i.admin, "dock", "harbour", "", fault.Conflict, "that environment is another cluster's"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, token, _, err := i.EnrollCluster(tenant.WithViewer(t.Context(), tc.viewer), tc.name, tc.environment, tc.namespace)
			if !fault.Is(err, tc.want) || token != "" {
				t.Errorf("token %q, error %v, want %s: %s", token, err, tc.want, tc.reason)
			}
		})
	}
}

func TestAuth_Enrol(t *testing.T) {
	t.Parallel()
	key := make([]byte, ed25519.PublicKeySize)
	other := append([]byte{1}, key[1:]...)
	tests := map[string]struct {
		spend  func(t *testing.T, i *instance, token string) error
		want   fault.Kind
		reason string
	}{
		"OKAgainWithTheSameKey": {func(t *testing.T, i *instance, token string) error {
			t.Helper()
			_, err := i.Enrol(t.Context(), token, key, "uid", "v1")
			if err == nil {
				_, err = i.Enrol(t.Context(), token, key, "uid", "v1")
			}
			return err
		}, "", "the answer to the first may have been lost"},
		"ErrUsed": {func(t *testing.T, i *instance, token string) error {
			t.Helper()
			if _, err := i.Enrol(t.Context(), token, key, "uid", "v1"); err != nil {
				t.Fatal(err)
			}
			_, err := i.Enrol(t.Context(), token, other, "uid", "v1")
			return err
		}, fault.Unauthenticated, "one token, one agent"},
		"ErrExpired": {func(t *testing.T, i *instance, token string) error {
			t.Helper()
			i.clock.advance(auth.BootstrapLifetime)
			_, err := i.Enrol(t.Context(), token, key, "uid", "v1")
			return err
		}, fault.Unauthenticated, "it lives an hour"},
		"ErrReplaced": {func(t *testing.T, i *instance, token string) error {
			t.Helper()
			i.enroll(t, "harbour")
			_, err := i.Enrol(t.Context(), token, key, "uid", "v1")
			return err
		}, fault.Unauthenticated, "a newer token voids the ones before"},
		"ErrUnknown": {func(t *testing.T, i *instance, token string) error {
			t.Helper()
			_, err := i.Enrol(t.Context(), token+"a", key, "uid", "v1")
			return err
		}, fault.Unauthenticated, "never made"},
		"ErrAPIToken": {func(t *testing.T, i *instance, _ string) error {
			t.Helper()
			_, err := i.Enrol(t.Context(), i.first.Token, key, "uid", "v1")
			return err
		}, fault.Unauthenticated, "an API token enrols nobody"},
		"ErrKey": {func(t *testing.T, i *instance, token string) error {
			t.Helper()
			_, err := i.Enrol(t.Context(), token, key[1:], "uid", "v1")
			return err
		}, fault.Invalid, "not a public key"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := setup(t)
			err := tc.spend(t, i, i.enroll(t, "harbour"))
			if (tc.want == "" && err != nil) || (tc.want != "" && !fault.Is(err, tc.want)) {
				t.Errorf("error %v, want %q: %s", err, tc.want, tc.reason)
			}
		})
	}
}

func TestAuth_Agent(t *testing.T) {
	t.Parallel()
	i := setup(t)
	a := i.agent(t, "harbour")
	token, expires, err := i.Token(t.Context(), a.Identity)
	if err != nil || !expires.Equal(i.clock.now().Add(auth.AgentTokenLifetime)) {
		t.Fatalf("until %s, %v", expires, err)
	}
	v, err := replica(t, i.store, i.clock, cheap).Agent(t.Context(), token)
	if err != nil || v.Kind != tenant.KindAgent || v.Cluster != a.Cluster || v.Organization != i.admin.Organization || len(v.Scopes) != 0 {
		t.Fatalf("viewer %+v, %v", v, err)
	}
	moved := a
	moved.Organization = newID(t)
	stranger := a
	stranger.Cluster = newID(t)
	other := setup(t)
	tests := map[string]struct{ token, reason string }{
		"ErrEmpty":        {"", "no token"},
		"ErrAlgNone":      {unsigned(t, token), "nobody has signed it"},
		"ErrHS256":        {withSecret(t, token), "any secret must not do"},
		"ErrTampered":     {token[:len(token)-4] + "AAAA", "the signature does not fit"},
		"ErrAudience":     {i.cookie(t), "a browser's session is for another audience"},
		"ErrInstance":     {other.agentToken(t, other.agent(t, "harbour")), "another instance has another key"},
		"ErrOrganization": {i.agentToken(t, moved), "the cluster is of another organization"},
		"ErrUnknown":      {i.agentToken(t, stranger), "there is no such cluster"},
		"ErrAPIToken":     {i.first.Token, "an API token is no agent's"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := i.Agent(t.Context(), tc.token)
			wantUnauthenticated(t, err, tc.reason)
		})
	}
}

func TestAuth_Agent_Ends(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		end    func(t *testing.T, i *instance, a agent)
		reason string
	}{
		"Expired": {func(_ *testing.T, i *instance, _ agent) { i.clock.advance(auth.AgentTokenLifetime + time.Minute) }, "it lives a quarter of an hour"},
		"Revoked": {func(t *testing.T, i *instance, a agent) {
			t.Helper()
			if _, err := i.RevokeCluster(i.as(t), a.Name, "lost"); err != nil {
				t.Fatal(err)
			}
		}, "revoking works at once, not when the token expires"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := setup(t)
			a := i.agent(t, "harbour")
			token := i.agentToken(t, a)
			if _, err := i.Agent(t.Context(), token); err != nil {
				t.Fatal(err)
			}
			tc.end(t, i, a)
			_, err := i.Agent(t.Context(), token)
			wantUnauthenticated(t, err, tc.reason)
		})
	}
}

const renewContext = "seatrial-agent-renew:"

func (a agent) sign(nonce []byte) []byte {
	return ed25519.Sign(a.key, append([]byte(renewContext), nonce...))
}

func TestAuth_Renew(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		renew  func(t *testing.T, i *instance, a agent, nonce []byte) error
		ok     bool
		reason string
	}{
		"OK": {func(t *testing.T, i *instance, a agent, nonce []byte) error {
			t.Helper()
			got, err := replica(t, i.store, i.clock, cheap).Renew(t.Context(), a.Cluster, nonce, a.sign(nonce))
			if err == nil && (got.Cluster != a.Cluster || got.Organization != a.Organization) {
				t.Errorf("identity %+v", got)
			}
			return err
		}, true, "any replica answers a challenge of any other"},
		"ErrReplayed": {func(t *testing.T, i *instance, a agent, nonce []byte) error {
			t.Helper()
			if _, err := i.Renew(t.Context(), a.Cluster, nonce, a.sign(nonce)); err != nil {
				t.Fatal(err)
			}
			_, err := replica(t, i.store, i.clock, cheap).Renew(t.Context(), a.Cluster, nonce, a.sign(nonce))
			return err
		}, false, "what somebody has recorded is worth nothing, at any replica"},
		"ErrExpired": {func(t *testing.T, i *instance, a agent, nonce []byte) error {
			t.Helper()
			i.clock.advance(time.Minute + time.Second)
			_, err := i.Renew(t.Context(), a.Cluster, nonce, a.sign(nonce))
			return err
		}, false, "a challenge lives a minute"},
		"ErrRevoked": {func(t *testing.T, i *instance, a agent, nonce []byte) error {
			t.Helper()
			if _, err := i.RevokeCluster(i.as(t), a.Name, "lost"); err != nil {
				t.Fatal(err)
			}
			_, err := i.Renew(t.Context(), a.Cluster, nonce, a.sign(nonce))
			return err
		}, false, "the key is no longer ours"},
		"ErrOtherAgent": {func(t *testing.T, i *instance, a agent, nonce []byte) error {
			t.Helper()
			b := i.agent(t, "dock")
			_, err := i.Renew(t.Context(), b.Cluster, nonce, b.sign(nonce))
			return err
		}, false, "the challenge was made for another agent"},
		"ErrKey": {func(t *testing.T, i *instance, a agent, nonce []byte) error {
			t.Helper()
			_, err := i.Renew(t.Context(), a.Cluster, nonce, i.agent(t, "dock").sign(nonce))
			return err
		}, false, "signed by another agent"},
		"ErrContext": {func(t *testing.T, i *instance, a agent, nonce []byte) error {
			t.Helper()
			_, err := i.Renew(t.Context(), a.Cluster, nonce, ed25519.Sign(a.key, nonce))
			return err
		}, false, "a signature made for something else"},
		"ErrForged": {func(t *testing.T, i *instance, a agent, nonce []byte) error {
			t.Helper()
			forged := slices.Clone(nonce)
			forged[0]++
			_, err := i.Renew(t.Context(), a.Cluster, forged, a.sign(forged))
			return err
		}, false, "the agent made it up itself"},
		"ErrShort": {func(t *testing.T, i *instance, a agent, _ []byte) error {
			t.Helper()
			_, err := i.Renew(t.Context(), a.Cluster, nil, a.sign(nil))
			return err
		}, false, "no nonce"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := setup(t)
			a := i.agent(t, "harbour")
			nonce, err := i.Challenge(t.Context(), a.Cluster)
			if err != nil {
				t.Fatal(err)
			}
			err = tc.renew(t, i, a, nonce)
			if tc.ok && err != nil {
				t.Errorf("error %v: %s", err, tc.reason)
			}
			if !tc.ok {
				wantUnauthenticated(t, err, tc.reason)
			}
		})
	}
}

func TestAuth_Challenge_UnknownAgent(t *testing.T) {
	t.Parallel()
	i := setup(t)
	if nonce, err := i.Challenge(t.Context(), newID(t)); err != nil || len(nonce) == 0 {
		t.Errorf("%x, %v: the answer must not tell which agents exist", nonce, err)
	}
}

// TestAuth_Renew_OthersCannotUseItUp: whoever sees a challenge but has no key cannot keep the agent out.
func TestAuth_Renew_OthersCannotUseItUp(t *testing.T) {
	t.Parallel()
	i := setup(t)
	a := i.agent(t, "harbour")
	nonce, err := i.Challenge(t.Context(), a.Cluster)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.Renew(t.Context(), a.Cluster, nonce, make([]byte, ed25519.SignatureSize)); err == nil {
		t.Fatal("an empty signature was taken")
	}
	if _, err := i.Renew(t.Context(), a.Cluster, nonce, a.sign(nonce)); err != nil {
		t.Errorf("the agent itself: %v", err)
	}
}
