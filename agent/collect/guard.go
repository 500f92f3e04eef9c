package collect

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sync/singleflight"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/work"
)

// What the API server says about the pod that a token is bound to.
const (
	extraPod    = "authentication.kubernetes.io/pod-name"
	extraPodUID = "authentication.kubernetes.io/pod-uid"
	userPrefix  = "system:serviceaccount:"
)

const (
	reviewFor = 10 * time.Second
	// Runners come back often while the control plane is away; the API server shall not feel it.
	rememberFor = time.Minute
	maxRemember = 1024
	// Reviews under way at the same time: strangers with made-up tokens must not use up the agent's requests.
	maxReviews = 4
)

// Reviews asks the API server whose a token is. The client of TokenReviews implements it.
type Reviews interface {
	Create(ctx context.Context, review *authenticationv1.TokenReview, opts metav1.CreateOptions) (*authenticationv1.TokenReview, error)
}

// guard finds out which attempt a request comes from.
type guard struct {
	reviews Reviews
	pods    work.Pods
	busy    chan struct{}
	asked   singleflight.Group // by token

	mu    sync.Mutex
	known map[[sha256.Size]byte]remembered
}

type remembered struct {
	pod   work.PodIdentity
	until time.Time
}

func newGuard(reviews Reviews, pods work.Pods) *guard {
	return &guard{reviews: reviews, pods: pods, busy: make(chan struct{}, maxReviews), known: map[[sha256.Size]byte]remembered{}}
}

// attempt returns the attempt of the pod whose token the request carries. Its errors are for the wire.
func (g *guard) attempt(ctx context.Context, h http.Header) (string, error) {
	token, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
	if !ok || token == "" {
		return "", connect.NewError(connect.CodeUnauthenticated, errors.New("the request carries no token"))
	}
	ctx, cancel := context.WithTimeout(ctx, reviewFor)
	defer cancel()
	pod, err := g.pod(ctx, token)
	if err != nil {
		return "", err
	}
	id, err := g.pods.AttemptOf(ctx, pod)
	if err != nil {
		return "", connect.NewError(connect.CodePermissionDenied, err)
	}
	return id, nil
}

func (g *guard) pod(ctx context.Context, token string) (work.PodIdentity, error) {
	key := sha256.Sum256([]byte(token))
	if pod, ok := g.recall(key); ok {
		return pod, nil
	}
	// The requests with which a runner begins come at once, with one token: one review answers them. It goes on when the request that
	// asked first is given up, and ends by itself.
	pod, err, _ := g.asked.Do(string(key[:]), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reviewFor)
		defer cancel()
		return g.review(ctx, key, token)
	})
	id, _ := pod.(work.PodIdentity)
	return id, err //nolint:wrapcheck // it is review's
}

// review has the API server say whose a token is, and remembers it.
func (g *guard) review(ctx context.Context, key [sha256.Size]byte, token string) (work.PodIdentity, error) {
	if pod, ok := g.recall(key); ok { // another review ended meanwhile
		return pod, nil
	}
	select {
	case g.busy <- struct{}{}:
		defer func() { <-g.busy }()
	case <-ctx.Done():
		return work.PodIdentity{}, unreviewed(ctx.Err())
	}
	review, err := g.reviews.Create(ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: []string{jobspec.Audience}},
	}, metav1.CreateOptions{})
	if err != nil {
		return work.PodIdentity{}, unreviewed(err)
	}
	pod, err := identify(review.Status)
	if err != nil {
		return work.PodIdentity{}, connect.NewError(connect.CodeUnauthenticated, err)
	}
	g.remember(key, pod)
	return pod, nil
}

func unreviewed(err error) error {
	return connect.NewError(connect.CodeUnavailable, fmt.Errorf("review the token: %w", err))
}

// identify reads the pod from a review.
func identify(s authenticationv1.TokenReviewStatus) (work.PodIdentity, error) {
	switch {
	case !s.Authenticated && s.Error != "":
		return work.PodIdentity{}, fmt.Errorf("the API server does not accept the token: %s", s.Error)
	case !s.Authenticated:
		return work.PodIdentity{}, errors.New("the API server does not accept the token")
	case !slices.Contains(s.Audiences, jobspec.Audience): // a server that does not know audiences accepts any
		return work.PodIdentity{}, fmt.Errorf("the token is not for %s", jobspec.Audience)
	}
	account, ok := strings.CutPrefix(s.User.Username, userPrefix)
	namespace, _, found := strings.Cut(account, ":")
	pod, uid := s.User.Extra[extraPod], s.User.Extra[extraPodUID]
	if !ok || !found || namespace == "" || len(pod) != 1 || len(uid) != 1 {
		return work.PodIdentity{}, errors.New("the token is not that of a pod")
	}
	return work.PodIdentity{Namespace: namespace, Pod: pod[0], UID: uid[0]}, nil
}

func (g *guard) recall(key [sha256.Size]byte) (work.PodIdentity, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r, ok := g.known[key]
	return r.pod, ok && time.Now().Before(r.until)
}

func (g *guard) remember(key [sha256.Size]byte, pod work.PodIdentity) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if len(g.known) >= maxRemember {
		for k, r := range g.known {
			if now.After(r.until) {
				delete(g.known, k)
			}
		}
	}
	if len(g.known) < maxRemember {
		g.known[key] = remembered{pod, now.Add(rememberFor)}
	}
}
