package gate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seatrial/seatrial/controlplane/auth/githubapp"
	"github.com/seatrial/seatrial/controlplane/outbound"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// leftover is how long a token still has to be valid that is used again.
const leftover = 5 * time.Minute

// github speaks to GitHub as apps. Tokens are kept for as long as they are valid: GitHub makes each for an hour.
type github struct {
	client *http.Client
	clock  func() time.Time

	mu     sync.Mutex
	tokens map[grant]token
}

// grant is what a token is for, and of whom. Who names another's app without its key gets none of its tokens, nor does a key that was replaced.
type grant struct {
	organization tenant.ID
	url, app     string
	key          [sha256.Size]byte
	installation int64
	repository   string
}

type token struct {
	text  string
	until time.Time
}

// deniedError is an answer of GitHub that is no success.
type deniedError struct {
	code    int
	message string
	wait    time.Duration // how long it wants to be left alone
	answer  bool          // to an answer, not to the request for a token
}

// Error says it.
func (d *deniedError) Error() string {
	if d.message == "" {
		return fmt.Sprintf("GitHub answered %d", d.code)
	}
	return fmt.Sprintf("GitHub answered %d: %s", d.code, d.message)
}

// final reports whether the same would be answered the next time: the run is over, or somebody else has decided. A token that is refused is
// none of these: the app is installed, or allowed more, later.
func (d *deniedError) final() bool {
	return d.answer && (d.code == http.StatusNotFound || d.code == http.StatusGone || d.code == http.StatusUnprocessableEntity)
}

// tell answers a deployment, or says only something about it while the answer is that it waits.
func (g *github) tell(ctx context.Context, app App, d Deployment, a answer) error {
	for again := false; ; again = true {
		token, err := g.token(ctx, app, d)
		if err != nil {
			return err
		}
		said := map[string]string{"environment_name": d.Environment, "comment": a.Comment}
		if a.State != Waiting {
			said["state"] = string(a.State)
		}
		err = g.post(ctx, d.Callback, token, said, nil)
		var denied *deniedError
		if errors.As(err, &denied) {
			denied.answer = true
		}
		if again || denied == nil || denied.code != http.StatusUnauthorized {
			return err
		}
		g.forget(app, d) // somebody has revoked it: once more with a new one
	}
}

func grantFor(app App, d Deployment) grant {
	return grant{d.Organization, app.URL, app.ID, sha256.Sum256([]byte(app.Key)), d.Installation, d.Repository}
}

func (g *github) forget(app App, d Deployment) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.tokens, grantFor(app, d))
}

// token returns one that may do nothing but answer deployments of one repository.
func (g *github) token(ctx context.Context, app App, d Deployment) (string, error) {
	g.mu.Lock()
	known, ok := g.tokens[grantFor(app, d)]
	g.mu.Unlock()
	if now := g.clock(); ok && known.until.Sub(now) > leftover {
		return known.text, nil
	}
	key, err := githubapp.Key([]byte(app.Key))
	if err != nil {
		return "", err //nolint:wrapcheck // a fault that speaks for itself
	}
	self, err := githubapp.Token(app.ID, key, g.clock())
	if err != nil {
		return "", err //nolint:wrapcheck // a fault that speaks for itself
	}
	var made struct {
		Token   string    `json:"token"`
		Expires time.Time `json:"expires_at"`
	}
	_, name, _ := strings.Cut(d.Repository, "/")
	err = g.post(ctx, app.URL+"/app/installations/"+strconv.FormatInt(d.Installation, 10)+"/access_tokens", self,
		map[string]any{"repositories": []string{name}, "permissions": map[string]string{"deployments": "write"}}, &made)
	if err != nil {
		return "", fmt.Errorf("ask for a token as the app %s: %w", app.ID, err)
	}
	if made.Token == "" {
		return "", errors.New("GitHub gave no token")
	}
	g.keep(grantFor(app, d), token{made.Token, made.Expires})
	return made.Token, nil
}

// keep remembers a token, and forgets those that are over.
func (g *github) keep(of grant, t token) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for known, t := range g.tokens {
		if t.until.Before(g.clock()) {
			delete(g.tokens, known)
		}
	}
	g.tokens[of] = t
}

// post sends JSON, and reads the answer into what is not nil.
func (g *github) post(ctx context.Context, address, bearer string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode what GitHub is told: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, outbound.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(text))
	if err != nil {
		return errors.New("the address of GitHub cannot be read")
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("X-Github-Api-Version", "2022-11-28")
	req.Header.Set("User-Agent", "Seatrial")
	res, err := g.client.Do(req)
	if err != nil {
		var at *url.Error
		if errors.As(err, &at) {
			err = at.Err
		}
		return fmt.Errorf("reach GitHub: %w", err)
	}
	defer res.Body.Close() //nolint:errcheck // it was read as far as it matters
	answer, err := io.ReadAll(io.LimitReader(res.Body, outbound.MaxBody))
	if res.StatusCode < http.StatusOK || res.StatusCode >= http.StatusMultipleChoices {
		return denied(res, answer)
	}
	if into == nil {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(answer, into)
	}
	if err != nil {
		return errors.New("the answer of GitHub is not what it documents")
	}
	return nil
}

// maxMessage is how much is kept of what GitHub says about a refusal, in bytes.
const maxMessage = 300

func denied(res *http.Response, body []byte) *deniedError {
	var said struct {
		Message string `json:"message"`
	}
	_ = json.Unmarshal(body, &said) // without a message the code says enough
	out := &deniedError{code: res.StatusCode, message: clip(said.Message, maxMessage)}
	if n, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil {
		out.wait = min(max(0, time.Duration(n)*time.Second), maxWait)
	}
	return out
}
