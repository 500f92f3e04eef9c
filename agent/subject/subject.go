// Package subject observes which images run in the namespaces under test, so that an attempt can say what it tested.
package subject

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/agent/kube"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// How long a snapshot waits for caches that are not whole yet, as they are not while the agent starts.
const patience = 5 * time.Second

// Scope says where what the attempts of a run namespace test is found.
type Scope struct {
	// RunNamespace is where the attempts run; empty means every run namespace.
	RunNamespace string
	// Namespace is where the pods under test run.
	Namespace string
	// Selector is a label selector of those pods; empty means all.
	Selector string
}

// Options are what an Observer needs.
type Options struct {
	Log           *slog.Logger
	Client        *kube.Client
	RunNamespaces []string
	// Scopes of a run namespace add up. One that has none is observed itself.
	Scopes []Scope
}

// Observer watches the pods under test. It implements outbox.Observer.
type Observer struct {
	views map[string][]*view // by run namespace
	all   []*view

	cancel  context.CancelFunc
	running sync.WaitGroup
}

// New returns an Observer with one informer for each namespace and selector.
func New(o Options) (*Observer, error) {
	out := &Observer{views: map[string][]*view{}}
	made := map[Scope]*view{}
	for _, run := range o.RunNamespaces {
		scopes, configured := scopesOf(run, o.Scopes)
		for _, s := range scopes {
			s.RunNamespace = ""
			if made[s] == nil {
				v, err := newView(o, s, configured)
				if err != nil {
					return nil, err
				}
				made[s], out.all = v, append(out.all, v)
			}
			out.views[run] = append(out.views[run], made[s])
		}
	}
	return out, nil
}

func scopesOf(run string, scopes []Scope) (out []Scope, configured bool) {
	for _, s := range scopes {
		if s.RunNamespace == "" || s.RunNamespace == run {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return []Scope{{Namespace: run}}, false
	}
	return out, true
}

// Start begins to watch.
func (o *Observer) Start(ctx context.Context) {
	ctx, o.cancel = context.WithCancel(ctx)
	for _, v := range o.all {
		o.running.Go(func() { v.informer.RunWithContext(ctx) })
		o.running.Go(func() { v.sync(ctx) })
	}
}

// Stop returns when nothing of the Observer runs any more.
func (o *Observer) Stop() {
	o.cancel()
	o.running.Wait()
}

// Observe returns what is under test now for attempts in a run namespace. It answers from caches, and within seconds in any case: when
// one of the namespaces cannot be read, nothing counts as observed and the message says why. A part of the images would look as if the
// others had gone.
func (o *Observer) Observe(ctx context.Context, runNamespace string) *agentv1.Subject {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	views := o.views[runNamespace]
	if len(views) == 0 {
		return &agentv1.Subject{Message: fmt.Sprintf("The agent runs no tests in namespace %s, so it does not know what they test.", runNamespace)}
	}
	var all sum
	for _, v := range views {
		if why := v.whole(ctx); why != "" {
			return &agentv1.Subject{Message: why}
		}
		before := all.pods
		for _, obj := range v.informer.GetStore().List() {
			if b, ok := obj.(*brief); ok {
				all.add(b)
			}
		}
		if all.pods == before {
			all.remarks = append(all.remarks, v.nothing())
		}
	}
	out := all.subject()
	out.ObservedAt = timestamppb.Now()
	return out
}
