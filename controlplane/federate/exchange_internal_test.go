package federate

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/tenant"
)

// FuzzClaims reads tokens that nobody has checked yet, and their claims: nothing of them may break the program, and no condition holds by
// what is not there.
func FuzzClaims(f *testing.F) {
	for _, body := range []string{`{"iss":"https://ci.test","ref":"main"}`, `{"iss":1}`, `{"ref":["a",1,true,null,{}]}`, `[]`, `{"ref":{"main":"main"}}`, `{"ref":1e9}`} {
		f.Add("h."+base64.RawURLEncoding.EncodeToString([]byte(body))+".s", body, "main")
	}
	f.Fuzz(func(t *testing.T, token, body, value string) {
		if issuer, err := issuerOf(token); err == nil && (issuer == "" || strings.Count(token, ".") != 2) {
			t.Errorf("%q has the issuer %q", token, issuer)
		}
		claims := map[string]json.RawMessage{}
		if json.Unmarshal([]byte(body), &claims) != nil {
			return
		}
		rule := tenant.TrustRule{Name: "r", Conditions: []tenant.Condition{{Claim: "ref", Patterns: []string{value}}}}
		if holds := misses(rule, claims) == ""; holds && !strings.Contains(value, "*") && !slices.Contains(texts(claims, "ref"), value) {
			t.Errorf("%q is not in %s", value, body)
		}
	})
}
