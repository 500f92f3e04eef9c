package link_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seatrial/seatrial/agent/link"
	"github.com/seatrial/seatrial/agent/work"
	"github.com/seatrial/seatrial/agent/workfake"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// Everything ends with the Link: a session, a stream or a connection that is left over shows here.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 2 * time.Minute

type told struct {
	state link.State
	err   error
}

// bundle is a Link between a control plane and stages that the test plays.
type bundle struct {
	*link.Link
	plane     *workfake.ControlPlane
	states    chan told
	cancelled chan string
	resumed   chan string
	released  chan string
	again     chan string
	starts    chan start
	items     []*agentv1.InventoryItem
}

// start is a call of the first stage, which answers what the test says.
type start struct {
	ctx    context.Context //nolint:containedctx // the test looks at its deadline
	work   work.Assignment
	answer chan error
}

// Handle implements work.Handler.
func (b *bundle) Handle(ctx context.Context, a work.Assignment) error {
	s := start{ctx, a, make(chan error, 1)}
	b.starts <- s
	select {
	case err := <-s.answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("given up: %w", ctx.Err())
	}
}

func options(plane *workfake.ControlPlane, states chan told) link.Options {
	return link.Options{
		Log: slog.New(slog.DiscardHandler), Address: plane.Address(), Version: "v1", KubernetesVersion: "v1.34.4",
		RunnerDelivery: "init-copy", Namespaces: []string{"tests"}, Starts: 3, Recheck: time.Second,
		OnState: func(s link.State, err error) { states <- told{s, err} },
	}
}

// vault is the agent's Secret as the chart creates it.
func vault(t *testing.T, cluster *workfake.Cluster) link.Vault {
	t.Helper()
	cluster.Put(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "seatrial", Name: "agent"}})
	return link.Vault{Secrets: cluster.Client(t).Secrets("seatrial"), Name: "agent"}
}

// prepare returns an enrolled Link that is not started yet.
func prepare(t *testing.T) (b *bundle, begin func()) {
	t.Helper()
	b = &bundle{
		plane: workfake.NewControlPlane(t), states: make(chan told, 1024), cancelled: make(chan string, 8), resumed: make(chan string, 8), released: make(chan string, 8), again: make(chan string, 8),
		starts: make(chan start, 64),
	}
	v := vault(t, workfake.NewCluster(t))
	identity, err := v.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o := options(b.plane, b.states)
	if identity, err = link.Enrol(t.Context(), o, v, identity, workfake.Bootstrap, workfake.ClusterUID); err != nil {
		t.Fatal(err)
	}
	b.Link = link.New(o, identity)
	return b, func() {
		t.Cleanup(b.Stop)
		b.Start(context.WithoutCancel(t.Context()), link.Stages{
			Start:  b,
			Cancel: func(id, reason string) { b.cancelled <- id + ": " + reason },
			Resume: func(id string, word *runnerv1.Resume) {
				b.resumed <- fmt.Sprintf("%s/%d: %s %s", id, word.GetStepIndex(), word.GetReason(), word.GetStatus())
			},
			Release: func(id string) { b.released <- id },
			Again:   func(id string) { b.again <- id },
			Examine: func(context.Context) []*agentv1.Check { return []*agentv1.Check{{Name: "clock"}} },
			Inventory: func(context.Context) ([]*agentv1.InventoryItem, error) {
				return b.items, nil
			},
		})
	}
}

// setup returns a Link with its first session.
func setup(t *testing.T) (*bundle, *workfake.Session) {
	t.Helper()
	b, begin := prepare(t)
	begin()
	return b, b.plane.NextSession(t)
}

// limited returns a context for a call that must not last for ever.
func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// next returns the next element of a channel.
func next[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case x := <-from:
		return x
	case <-time.After(patience):
		t.Fatalf("%s did not come", what)
		panic("unreachable") //nolint:forbidigo // for the compiler
	}
}

// reach returns the next report of a state.
func (b *bundle) reach(t *testing.T, s link.State) error {
	t.Helper()
	for {
		if got := next(t, string(s), b.states); got.state == s {
			return got.err
		}
	}
}
