// Package examine has the agent look at itself and its cluster when somebody asks: the way to the control plane, the clocks, its rights,
// and whether the cluster takes its Jobs. It changes nothing, neither here nor there.
package examine

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/seatrial/seatrial/agent/kube"
	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// What is taken for a reason to look closer.
const (
	skewDoubtful = 5 * time.Second     // of a clock: log lines look odd
	skewBad      = time.Minute         // tokens that are just issued are not yet good, or not any more
	slow         = time.Second         // an answer of the API server
	lastDays     = 14 * 24 * time.Hour // of a certificate
	// All of it has so long; whoever asked waits half a minute.
	patience = 15 * time.Second
)

// Rehearsal tells whether the cluster would take a Job; a *work.RejectedError says what refuses it. Implemented by launch.
type Rehearsal interface {
	Rehearse(ctx context.Context, namespace string) error
}

// Offset tells by how much the control plane's clock is ahead, and whether that is known. Implemented by link.
type Offset interface {
	Offset() (ahead time.Duration, known bool)
}

// Views tells the namespaces whose Jobs and pods the agent does not see. Implemented by watch.
type Views interface {
	Unseen() []string
}

// Options are what an Examiner needs.
type Options struct {
	Log       *slog.Logger
	Client    *kube.Client
	Rehearsal Rehearsal
	Offset    Offset
	Views     Views
	// Address is host:port of the control plane, TLS nil for plaintext.
	Address string
	TLS     *tls.Config
	// Version is the agent's, Kubernetes that of the API server when the agent started.
	Version, Kubernetes string
	// Rights are those that the agent needs, by where it needs them.
	Rights []Rights
	// Forbidden are namespaces in which the agent must not read Secrets or get into pods; those it has to do with.
	Forbidden []string
	// RunNamespaces are those in which it makes Jobs of tests, with pods of the label Mine.
	RunNamespaces []string
	Mine          string
	// Endpoint is host:port at which runners reach the agent.
	Endpoint string
	Resolver *net.Resolver    // nil for that of the machine
	Now      func() time.Time // nil for the clock of the machine
	Patience time.Duration    // for all of it; zero for 15 s
	// Proxy returns the proxy on the way to a request's host, nil for none; nil takes the one of the environment, as the connection does.
	Proxy func(*http.Request) (*url.URL, error)
}

// Rights are what the agent needs to do somewhere.
type Rights struct {
	Where  string // as people say it: "tests in namespace shop"
	Needed []kube.Access
	Remedy string // what to do where one is missing
}

// Examiner looks when it is asked.
type Examiner struct{ o Options }

// New returns an Examiner.
func New(o Options) *Examiner {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.Proxy == nil {
		o.Proxy = http.ProxyFromEnvironment
	}
	if o.Patience == 0 {
		o.Patience = patience
	}
	return &Examiner{o: o}
}

// Examine looks at everything at once and answers in a fixed order. What cannot be found out is a check that has failed.
func (e *Examiner) Examine(ctx context.Context) []*agentv1.Check {
	type look func(context.Context) []*agentv1.Check
	looks := []look{e.agent, e.way, e.clocks, e.server, e.names}
	for _, r := range e.o.Rights {
		looks = append(looks, func(ctx context.Context) []*agentv1.Check { return one(e.rights(ctx, r)) })
	}
	looks = append(looks, e.excess)
	for _, ns := range e.o.RunNamespaces {
		looks = append(looks, func(ctx context.Context) []*agentv1.Check { return one(e.admission(ctx, ns), e.images(ctx, ns)) })
	}
	looks = append(looks, e.views)
	found := make([][]*agentv1.Check, len(looks))
	ctx, cancel := context.WithTimeout(ctx, e.o.Patience)
	defer cancel()
	var running sync.WaitGroup
	for i, l := range looks {
		running.Go(func() { found[i] = l(ctx) })
	}
	running.Wait()
	var all []*agentv1.Check
	for _, some := range found {
		all = append(all, some...)
	}
	e.o.Log.InfoContext(ctx, "examined on request", "checks", len(all))
	return all
}

func one(c ...*agentv1.Check) []*agentv1.Check { return c }

func good(name, format string, args ...any) *agentv1.Check {
	return &agentv1.Check{Name: name, State: agentv1.CheckState_CHECK_STATE_GOOD, Found: fmt.Sprintf(format, args...)}
}

func doubtful(name, found, remedy string) *agentv1.Check {
	return &agentv1.Check{Name: name, State: agentv1.CheckState_CHECK_STATE_DOUBTFUL, Found: found, Remedy: remedy}
}

func bad(name, found, remedy string) *agentv1.Check {
	return &agentv1.Check{Name: name, State: agentv1.CheckState_CHECK_STATE_BAD, Found: found, Remedy: remedy}
}

// agent says who answers; whether its version fits, whoever asked knows better.
func (e *Examiner) agent(context.Context) []*agentv1.Check {
	return one(good("agent", "version %s, tests run in %s", e.o.Version, strings.Join(e.o.RunNamespaces, ", ")))
}

// views tells whether what happens to Jobs and pods is seen.
func (e *Examiner) views(context.Context) []*agentv1.Check {
	if unseen := e.o.Views.Unseen(); len(unseen) > 0 {
		return one(bad("watch", "Jobs and pods are not seen in "+strings.Join(unseen, ", "),
			"Look at the permissions above and at the log of the agent, which says why a watch fails."))
	}
	return one(good("watch", "Jobs and pods of %d namespaces are seen", len(e.o.RunNamespaces)))
}

// admission tells whether the cluster would take a Job.
func (e *Examiner) admission(ctx context.Context, namespace string) *agentv1.Check {
	name := "admission " + namespace
	err := e.o.Rehearsal.Rehearse(ctx, namespace)
	var rejected *work.RejectedError
	switch {
	case err == nil:
		return good(name, "the API server would take a Job, by a dry run")
	case errors.As(err, &rejected):
		return bad(name, rejected.Message, "Change what the message names; tests of this namespace are refused until then.")
	default:
		return bad(name, "the API server does not take a Job: "+err.Error(), "Look at quotas of the namespace and at webhooks of the cluster for Jobs.")
	}
}
