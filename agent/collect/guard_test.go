package collect

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seatrial/seatrial/agent/work"
	"github.com/seatrial/seatrial/agent/workfake"
)

// slowReviews is an API server that answers once it may.
type slowReviews struct {
	workfake.Reviews
	may chan struct{}
}

func (r *slowReviews) Create(
	ctx context.Context, review *authenticationv1.TokenReview, o metav1.CreateOptions,
) (*authenticationv1.TokenReview, error) {
	select {
	case <-r.may:
		return r.Reviews.Create(ctx, review, o)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// anyPod takes every pod for that of one attempt.
type anyPod struct{ work.Pods }

func (anyPod) AttemptOf(context.Context, work.PodIdentity) (string, error) { return "a", nil }

// A runner's first requests come at once: the API server is asked once for all of them, also when the first one is given up meanwhile.
func TestGuard_OneReviewForRequestsThatComeAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reviews := &slowReviews{
			Reviews: workfake.Reviews{Tokens: map[string]work.PodIdentity{"k": {Namespace: "tests", Pod: "p", UID: "u"}}},
			may:     make(chan struct{}),
		}
		g := newGuard(reviews, anyPod{})
		header := http.Header{"Authorization": {"Bearer k"}}
		first, giveUp := context.WithCancel(t.Context())
		var all sync.WaitGroup
		ask := func(ctx context.Context) {
			all.Go(func() {
				if id, err := g.attempt(ctx, header); id != "a" {
					t.Errorf("attempt %q, %v", id, err)
				}
			})
			synctest.Wait()
		}
		ask(first)
		for range 3 {
			ask(t.Context())
		}
		giveUp()
		close(reviews.may)
		all.Wait()
		if n := reviews.Count(); n != 1 {
			t.Errorf("%d token reviews for one token", n)
		}
	})
}
