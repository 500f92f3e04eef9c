package auth_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// signing is what a replica does with sessions.
type signing interface {
	StartSession(ctx context.Context, e tenant.Entry) (tenant.Ticket, error)
	Cookie(ctx context.Context, value string) (tenant.Viewer, error)
}

// kid names the key that has signed a token.
func kid(t *testing.T, token string) string {
	t.Helper()
	var header struct{ Kid string }
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])
	if err == nil {
		err = json.Unmarshal(text, &header)
	}
	if err != nil || header.Kid == "" {
		t.Fatalf("%q has no key: %v", text, err)
	}
	return header.Kid
}

// TestAuth_RotateSigningKeys rotates under two replicas that run: what the older key has signed holds, a third key ends it, and each replica
// believes what the other one signs.
func TestAuth_RotateSigningKeys(t *testing.T) {
	t.Parallel()
	i := setup(t)
	other := replica(t, i.store, i.clock, cheap)
	signIn := func(at signing) string {
		t.Helper()
		ticket, err := at.StartSession(t.Context(), tenant.Entry{Email: adminEmail, Password: i.first.Password, Remote: "192.0.2.1"})
		if err != nil {
			t.Fatal(err)
		}
		return ticket.Cookie
	}
	holds := func(what, cookie string, want bool) {
		t.Helper()
		for name, at := range map[string]signing{"the first replica": i, "the second replica": other} {
			if _, err := at.Cookie(t.Context(), cookie); (err == nil) != want || (err != nil && !fault.Is(err, fault.Unauthenticated)) {
				t.Errorf("%s at %s: %v", what, name, err)
			}
		}
	}
	old := signIn(i)
	rotate := func(forget bool) {
		t.Helper()
		if err := i.RotateSigningKeys(t.Context(), forget); err != nil {
			t.Fatal(err)
		}
	}
	rotate(false)
	between := signIn(other) // it does not know the new key yet
	i.clock.advance(31 * time.Second)
	fresh := signIn(i)
	if kid(t, old) == kid(t, fresh) || kid(t, old) != kid(t, between) {
		t.Errorf("keys %s, %s and %s", kid(t, old), kid(t, between), kid(t, fresh))
	}
	holds("of the old key", old, true)
	holds("of the old key, made after the rotation", between, true)
	holds("of the new key", fresh, true)
	rotate(false)
	i.clock.advance(31 * time.Second)
	holds("of the key before the last but one", old, false)
	holds("of the last but one", fresh, true)
	newest := signIn(other)
	holds("of the newest, which the other replica has met first", newest, true)
	rotate(true)
	i.clock.advance(31 * time.Second)
	holds("of a key that was forgotten", newest, false)
	holds("of the only key", signIn(other), true)
}
