// Package githubfake is GitHub as far as it holds deployments back for an app: it makes tokens for who signs as the app, takes reports and
// answers by them, and refuses what its documentation says it refuses.
package githubfake

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// What GitHub lets an app say of a deployment.
const (
	maxReports = 10
	maxComment = 1024
	maxLife    = 10 * time.Minute
)

// Review is what an app has said of a deployment.
type Review struct {
	Environment string `json:"environment_name"`
	State       string `json:"state"` // approved, rejected, or empty for a report
	Comment     string `json:"comment"`
}

// GitHub is a server that one app is registered at, installed as Installation.
type GitHub struct {
	App          string
	Key          *rsa.PublicKey
	Installation string
	Repository   string // the only one, such as acme/shop
	Clock        func() time.Time

	mu      sync.Mutex
	token   int
	away    int
	runs    map[string][]Review
	refused []string
}

// Away has the next requests answered with 503.
func (g *GitHub) Away(requests int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.away = requests
}

// Revoke has the tokens that were made so far refused.
func (g *GitHub) Revoke() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.token++
}

// Reviews returns what was said of the deployment of a run.
func (g *GitHub) Reviews(run string) []Review {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]Review(nil), g.runs[run]...)
}

// Refused returns why requests were refused.
func (g *GitHub) Refused() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.refused...)
}

// ServeHTTP implements http.Handler.
func (g *GitHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	code, why := g.answer(w, r)
	if code == 0 {
		return
	}
	g.refused = append(g.refused, fmt.Sprintf("%d %s", code, why))
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": why}) // a client that is gone reads nothing
}

// answer answers, or returns why not and with which code.
func (g *GitHub) answer(w http.ResponseWriter, r *http.Request) (code int, why string) {
	if g.away > 0 {
		g.away--
		return http.StatusServiceUnavailable, "No server is currently available"
	}
	bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if r.Method != http.MethodPost || r.Header.Get("Accept") != "application/vnd.github+json" {
		return http.StatusUnsupportedMediaType, "Unsupported"
	}
	if r.URL.Path == "/app/installations/"+g.Installation+"/access_tokens" {
		return g.grant(w, r, bearer)
	}
	rest, _ := strings.CutPrefix(r.URL.Path, "/repos/"+g.Repository+"/actions/runs/")
	run, ok := strings.CutSuffix(rest, "/deployment_protection_rule")
	switch {
	case !ok:
		return http.StatusNotFound, "Not Found"
	case bearer != g.current():
		return http.StatusUnauthorized, "Bad credentials"
	}
	return g.review(w, r, run)
}

func (g *GitHub) current() string { return fmt.Sprintf("ghs_%d", g.token) }

// grant makes a token for who signs as the app.
func (g *GitHub) grant(w http.ResponseWriter, r *http.Request, jwt string) (int, string) {
	if why := g.signed(jwt); why != "" {
		return http.StatusUnauthorized, why
	}
	var asked struct {
		Repositories []string          `json:"repositories"`
		Permissions  map[string]string `json:"permissions"`
	}
	_, name, _ := strings.Cut(g.Repository, "/")
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || len(asked.Repositories) != 1 || asked.Repositories[0] != name || asked.Permissions["deployments"] != "write" {
		return http.StatusUnprocessableEntity, "There is at least one repository or permission that is not granted"
	}
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]any{"token": g.current(), "expires_at": g.Clock().Add(time.Hour)}) // a client that is gone reads nothing
	return 0, ""
}

// signed says what is wrong with a token of the app.
func (g *GitHub) signed(jwt string) string {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return "A JSON web token could not be decoded"
	}
	var head struct {
		Algorithm string `json:"alg"`
	}
	var claims struct {
		Issuer  string `json:"iss"`
		Issued  int64  `json:"iat"`
		Expires int64  `json:"exp"`
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	proof, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || decode(parts[0], &head) != nil || decode(parts[1], &claims) != nil || head.Algorithm != "RS256" ||
		rsa.VerifyPKCS1v15(g.Key, crypto.SHA256, sum[:], proof) != nil {
		return "A JSON web token could not be decoded"
	}
	issued, expires, now := time.Unix(claims.Issued, 0), time.Unix(claims.Expires, 0), g.Clock()
	switch {
	case claims.Issuer != g.App:
		return "Integration not found"
	case issued.After(now):
		return "'Issued at' claim ('iat') must be in the past"
	case !expires.After(now), expires.Sub(now) > maxLife:
		return "'Expiration time' claim ('exp') is too far in the future"
	}
	return ""
}

func decode(part string, into any) error {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	return json.Unmarshal(text, into) //nolint:wrapcheck // the caller only asks whether it was one
}

// review takes what an app says of a deployment.
func (g *GitHub) review(w http.ResponseWriter, r *http.Request, run string) (int, string) {
	var said Review
	err := json.NewDecoder(r.Body).Decode(&said)
	known := g.runs[run]
	switch {
	case err != nil, said.Environment == "", said.Comment == "", len(said.Comment) > maxComment:
		return http.StatusUnprocessableEntity, "Invalid request"
	case said.State != "" && said.State != "approved" && said.State != "rejected":
		return http.StatusUnprocessableEntity, "Invalid state"
	case len(known) > 0 && known[len(known)-1].State != "":
		return http.StatusUnprocessableEntity, "No pending deployment requests to approve or reject"
	case said.State == "" && len(known) >= maxReports:
		return http.StatusUnprocessableEntity, "Too many status reports"
	}
	if g.runs == nil {
		g.runs = map[string][]Review{}
	}
	g.runs[run] = append(known, said)
	w.WriteHeader(http.StatusNoContent)
	return 0, ""
}
