package auth_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/auth"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

func newID(tb testing.TB) uuid.UUID {
	tb.Helper()
	id, err := uuid.NewV7()
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

// unsigned returns a token with the claims of another and no signature.
func unsigned(tb testing.TB, token string) string {
	tb.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		tb.Fatalf("not a token: %q", token)
	}
	head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
	return head + "." + parts[1] + "."
}

// withSecret returns a token with the claims of another, signed with a secret that everybody could know.
func withSecret(tb testing.TB, token string) string {
	tb.Helper()
	parsed, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
	if err != nil {
		tb.Fatal(err)
	}
	forged := jwt.NewWithClaims(jwt.SigningMethodHS256, parsed.Claims)
	forged.Header["kid"] = parsed.Header["kid"]
	text, err := forged.SignedString([]byte("secret"))
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func TestAuth_Cookie(t *testing.T) {
	t.Parallel()
	i := setup(t)
	cookie := i.cookie(t)
	v, err := i.Cookie(t.Context(), cookie)
	if err != nil || v.Kind != tenant.KindMember || v.Subject != i.admin.Subject || v.Organization != i.admin.Organization || v.Role != tenant.RoleOwner {
		t.Fatalf("viewer %+v, %v", v, err)
	}
	other := setup(t)
	tests := map[string]struct{ value, reason string }{
		"ErrEmpty":    {"", "no cookie"},
		"ErrText":     {"hello", "not a token"},
		"ErrAlgNone":  {unsigned(t, cookie), "nobody has signed it"},
		"ErrHS256":    {withSecret(t, cookie), "our public key or any secret must not do"},
		"ErrTampered": {cookie[:len(cookie)-4] + "AAAA", "the signature does not fit"},
		"ErrAudience": {i.agentToken(t, i.agent(t, "dock")), "an agent's token is for another audience"},
		"ErrInstance": {other.cookie(t), "another instance has another key"},
		"ErrToken":    {i.first.Token, "an API token is no cookie"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := i.Cookie(t.Context(), tc.value)
			wantUnauthenticated(t, err, tc.reason)
		})
	}
}

func TestAuth_Cookie_Ends(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		end    func(t *testing.T, i *instance, cookie string)
		reason string
	}{
		"SignedOut": {func(t *testing.T, i *instance, cookie string) {
			t.Helper()
			for range 2 {
				if err := i.SignOut(t.Context(), cookie); err != nil {
					t.Fatal(err)
				}
			}
		}, "a copy of the cookie is worth nothing afterwards"},
		"Expired": {func(_ *testing.T, i *instance, _ string) { i.clock.advance(auth.SessionLifetime + time.Minute) }, "half a day is over"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := setup(t)
			cookie := i.cookie(t)
			if _, err := replica(t, i.store, i.clock, cheap).Cookie(t.Context(), cookie); err != nil {
				t.Fatalf("another replica: %v", err)
			}
			tc.end(t, i, cookie)
			_, err := i.Cookie(t.Context(), cookie)
			wantUnauthenticated(t, err, tc.reason)
		})
	}
}

func TestAuth_SignIn(t *testing.T) {
	t.Parallel()
	i := setup(t)
	if v, err := i.SignIn(t.Context(), tenant.Entry{Email: "  ADMIN@example.test ", Password: i.first.Password, Remote: "198.51.100.1"}); err != nil || v.Subject != i.admin.Subject {
		t.Errorf("address as people type it: %+v, %v", v, err)
	}
	_, wrong := i.SignIn(t.Context(), tenant.Entry{Email: adminEmail, Password: "guess", Remote: "198.51.100.2"})
	_, unknown := i.SignIn(t.Context(), tenant.Entry{Email: "eve@example.test", Password: "guess", Remote: "198.51.100.3"})
	wantUnauthenticated(t, wrong, "not the password")
	wantUnauthenticated(t, unknown, "nobody has the address")
	if wrong.Error() != unknown.Error() {
		t.Errorf("%q and %q tell which addresses exist", wrong, unknown)
	}
}

// TestAuth_SignIn_TimeTellsNothing compares the fastest of several tries in turn, which noise can only slow down. Without the work of
// checking a password an unknown address would answer in a hundredth of the time.
func TestAuth_SignIn_TimeTellsNothing(t *testing.T) { //nolint:paralleltest // it measures time
	i := costing(t, 0)
	emails := []string{adminEmail, "eve@example.test"}
	fastest := []time.Duration{time.Hour, time.Hour}
	for n := range 5 {
		for who, email := range emails {
			start := time.Now()
			_, err := i.SignIn(t.Context(), tenant.Entry{Email: email, Password: "guess", Remote: fmt.Sprintf("203.0.113.%d", n)})
			fastest[who] = min(fastest[who], time.Since(start))
			wantUnauthenticated(t, err, "a guess")
		}
	}
	if known, unknown := fastest[0], fastest[1]; unknown < known/5 {
		t.Errorf("an unknown address takes %s, a known one %s", unknown, known)
	}
}

func TestAuth_SignIn_Limit(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		email  func(n int) string
		remote func(n int) string
		reason string
	}{
		"ByAddress": {func(n int) string { return fmt.Sprintf("user%d@example.test", n) }, func(int) string { return "203.0.113.9" }, "one place guesses at many people"},
		"ByEmail":   {func(int) string { return adminEmail }, func(n int) string { return fmt.Sprintf("203.0.113.%d", n) }, "many places guess at one person"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := setup(t)
			var err error
			tries := 0
			for ; tries < 50 && !fault.Is(err, fault.Exhausted); tries++ {
				_, err = i.SignIn(t.Context(), tenant.Entry{Email: tc.email(tries), Password: "guess", Remote: tc.remote(tries)})
			}
			if tries == 50 || tries < 5 {
				t.Fatalf("limited after %d tries: %s", tries, tc.reason)
			}
			if _, err := i.SignIn(t.Context(), tenant.Entry{Email: "else@example.test", Password: "guess", Remote: "198.51.100.77"}); !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("somebody else is limited as well: %v", err)
			}
			i.clock.advance(time.Minute)
			if _, err := i.SignIn(t.Context(), tenant.Entry{Email: adminEmail, Password: i.first.Password, Remote: tc.remote(0)}); err != nil {
				t.Errorf("a minute later: %v", err)
			}
		})
	}
}

// TestAuth_SignIn_SharedAddress signs in many people from one address, as behind a proxy or in an office.
func TestAuth_SignIn_SharedAddress(t *testing.T) {
	t.Parallel()
	i := setup(t)
	for n := range 30 {
		if _, err := i.SignIn(t.Context(), tenant.Entry{Email: adminEmail, Password: i.first.Password, Remote: "203.0.113.9"}); err != nil {
			t.Fatalf("try %d with the right password: %v", n, err)
		}
	}
	proxied, err := auth.New(t.Context(), auth.Config{
		Accounts: i.store, Agents: i.store, Keys: i.store, Log: slog.New(slog.DiscardHandler), Clock: i.clock.now, Proxied: true, HashMemory: cheap,
	})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 30 {
		_, err := proxied.SignIn(t.Context(), tenant.Entry{Email: fmt.Sprintf("user%d@example.test", n), Password: "guess", Remote: "203.0.113.9"})
		if !fault.Is(err, fault.Unauthenticated) {
			t.Fatalf("try %d, of another person, by the proxy: %v", n, err)
		}
	}
	for n := 0; !fault.Is(err, fault.Exhausted); n++ {
		if n == 30 {
			t.Fatal("guessing at one person has no limit")
		}
		_, err = proxied.SignIn(t.Context(), tenant.Entry{Email: adminEmail, Password: "guess", Remote: "203.0.113.9"})
	}
}

func TestAuth_Bootstrap_OnceForAllReplicas(t *testing.T) {
	t.Parallel()
	i := setup(t)
	if _, created, err := i.Bootstrap(t.Context(), "eve@example.test", "eve"); err != nil || created {
		t.Errorf("a second first start: %t, %v", created, err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, created, err := replica(t, i.store, i.clock, cheap).Bootstrap(t.Context(), "eve@example.test", "eve"); err != nil || created {
				t.Errorf("created %t, %v", created, err)
			}
		})
	}
	wg.Wait()
	_, err := i.SignIn(t.Context(), tenant.Entry{Email: "eve@example.test", Password: "eve", Remote: "198.51.100.1"})
	wantUnauthenticated(t, err, "only the first one counts")
}

func FuzzAuth_Cookie(f *testing.F) {
	i := setup(f)
	cookie := i.cookie(f)
	f.Add(unsigned(f, cookie))
	f.Add(withSecret(f, cookie))
	f.Add(cookie[:len(cookie)-1])
	f.Add("..")
	f.Fuzz(func(t *testing.T, value string) {
		v, err := i.Cookie(t.Context(), value)
		if err == nil && value != cookie {
			t.Errorf("%q opened a session of %s", value, v.Name)
		}
		if err != nil && !fault.Is(err, fault.Unauthenticated) && !errors.Is(err, t.Context().Err()) {
			t.Errorf("%q: %v", value, err)
		}
	})
}
