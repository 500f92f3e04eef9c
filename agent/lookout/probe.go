package lookout

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/seatrial/seatrial/agent/kube"
	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

const (
	// One try takes so long at most.
	tryWithin = 5 * time.Second
	// So many probes run at the same time.
	maxProbes = 10
)

// Dial connects to an address.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// prober tries what has to succeed before tests start. Only services by their names and the objects themselves are tried, in namespaces that
// the agent may watch: the control plane cannot have the agent ask for any other address.
type prober struct {
	o    Options
	http *http.Client
	dial Dial
	turn chan struct{}

	mu      sync.Mutex
	running map[string]context.CancelFunc // by id, until the list has it no more
	over    sync.WaitGroup
}

func newProber(o Options) *prober {
	dial := o.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	return &prober{
		o: o, dial: dial, turn: make(chan struct{}, maxProbes), running: map[string]context.CancelFunc{},
		http: &http.Client{
			Timeout: tryWithin,
			Transport: &http.Transport{
				DialContext: dial, DisableKeepAlives: true, ResponseHeaderTimeout: tryWithin, MaxResponseHeaderBytes: 64 << 10,
				TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // whether it answers is asked, not who
			},
			// Where a redirect leads is nobody's that was named: its status is an answer.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// want tries the probes of a list that are not tried yet, and gives up those that it has no more.
func (p *prober) want(ctx context.Context, list []*agentv1.Probe) {
	p.mu.Lock()
	defer p.mu.Unlock()
	wanted := map[string]bool{}
	for _, one := range list {
		wanted[one.GetId()] = true
		if p.running[one.GetId()] != nil {
			continue
		}
		inside, cancel := context.WithCancel(ctx)
		p.running[one.GetId()] = cancel
		p.over.Go(func() { p.run(inside, one) })
	}
	for id, cancel := range p.running {
		if !wanted[id] {
			cancel()
			delete(p.running, id)
		}
	}
}

func (p *prober) stop() {
	p.mu.Lock()
	for _, cancel := range p.running {
		cancel()
	}
	p.mu.Unlock()
	p.over.Wait()
}

// run tries a probe and reports how it ended until that is known.
func (p *prober) run(ctx context.Context, probe *agentv1.Probe) {
	select {
	case <-ctx.Done():
		return
	case p.turn <- struct{}{}:
	}
	r := &agentv1.ReportProbeRequest{Id: probe.GetId()}
	r.Message = p.all(ctx, probe)
	<-p.turn
	r.Succeeded = r.GetMessage() == ""
	for ctx.Err() == nil {
		err := p.o.Uplink.ReportProbe(ctx, r)
		if err == nil || errors.Is(err, work.ErrRefused) {
			p.o.Log.InfoContext(ctx, "probed", "object", probe.GetObject().GetName(), "succeeded", r.GetSucceeded(), "why", r.GetMessage(), "error", err)
			return
		}
		p.o.Log.Log(ctx, slog.LevelDebug, "probe not reported, it is reported again", "error", err)
		if !sleep(ctx, pause) {
			return
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// all tries one check after the other, and returns why one never succeeded, "" when all have.
func (p *prober) all(ctx context.Context, probe *agentv1.Probe) string {
	object := probe.GetObject()
	if why := p.o.Rules.allows(object.GetResource(), object.GetNamespace()); why != "" {
		return why
	}
	for _, c := range probe.GetChecks() {
		if why := p.check(ctx, object, c); why != "" {
			return why
		}
	}
	return ""
}

// check tries until it succeeds, or has been tried often or long enough.
func (p *prober) check(ctx context.Context, object *agentv1.ObjectRef, c *agentv1.ProbeCheck) string {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, c.GetTimeout().AsDuration())
	defer cancel()
	var last error
	tries := 0
	for tries < int(c.GetAttempts()) {
		tries++
		err := p.try(ctx, object, c)
		if err == nil {
			return ""
		}
		if last == nil || ctx.Err() == nil { // that time is over says less than what was wrong before
			last = err
		}
		if tries == int(c.GetAttempts()) || !sleep(ctx, c.GetInterval().AsDuration()) {
			break
		}
	}
	return fmt.Sprintf("The probe %s did not succeed in %d tries within %s: %s", words(object, c), tries, time.Since(began).Round(time.Second), short(last.Error()))
}

func words(object *agentv1.ObjectRef, c *agentv1.ProbeCheck) string {
	switch k := c.GetCheck().(type) {
	case *agentv1.ProbeCheck_Http:
		return "of " + p2url(object.GetNamespace(), k.Http)
	case *agentv1.ProbeCheck_Tcp:
		return "of port " + host(object.GetNamespace(), k.Tcp.GetService(), k.Tcp.GetPort())
	case *agentv1.ProbeCheck_Condition:
		return fmt.Sprintf("for the condition %s=%s of %s %s", k.Condition.GetType(), k.Condition.GetStatus(), object.GetResource(), object.GetName())
	}
	return "of a later version"
}

func host(namespace, service string, port int32) string {
	return net.JoinHostPort(service+"."+namespace+".svc", strconv.Itoa(int(port)))
}

func p2url(namespace string, h *agentv1.HTTPProbe) string {
	scheme, path := "http", h.GetPath()
	if h.GetHttps() {
		scheme = "https"
	}
	if path == "" {
		path = "/"
	}
	return scheme + "://" + host(namespace, h.GetService(), h.GetPort()) + path
}

var errUnknownProbe = errors.New("the agent does not know this kind of probe: upgrade it")

// label tells names of services from anything else that an address could be made of.
func label(s string) bool {
	for _, c := range s {
		if c != '-' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 63
}

func (p *prober) try(ctx context.Context, object *agentv1.ObjectRef, c *agentv1.ProbeCheck) error {
	switch k := c.GetCheck().(type) {
	case *agentv1.ProbeCheck_Http:
		if !label(k.Http.GetService()) || !label(object.GetNamespace()) {
			return errUnknownProbe
		}
		return p.get(ctx, p2url(object.GetNamespace(), k.Http))
	case *agentv1.ProbeCheck_Tcp:
		if !label(k.Tcp.GetService()) || !label(object.GetNamespace()) {
			return errUnknownProbe
		}
		ctx, cancel := context.WithTimeout(ctx, tryWithin)
		defer cancel()
		conn, err := p.dial(ctx, "tcp", host(object.GetNamespace(), k.Tcp.GetService(), k.Tcp.GetPort()))
		if err != nil {
			return err
		}
		_ = conn.Close()
		return nil
	case *agentv1.ProbeCheck_Condition:
		return p.condition(ctx, object, k.Condition)
	}
	return errUnknownProbe
}

func (p *prober) get(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	req.Header.Set("User-Agent", "seatrial-agent")
	res, err := p.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // so that the service sees no broken connection
	if res.StatusCode < 200 || res.StatusCode >= 400 {
		return fmt.Errorf("it answers %s", res.Status)
	}
	return nil
}

func (p *prober) condition(ctx context.Context, object *agentv1.ObjectRef, want *agentv1.ObjectCondition) error {
	found, err := p.o.Cluster.Resource(ctx, object.GetResource())
	if err != nil {
		return fmt.Errorf("find %s: %w", object.GetResource(), err)
	}
	o, err := p.o.Cluster.Objects(found, object.GetNamespace(), false).Get(ctx, object.GetName())
	if err != nil {
		return fmt.Errorf("read %s %s: %w", object.GetResource(), object.GetName(), err)
	}
	return holds(o, want)
}

func holds(o *kube.Object, want *agentv1.ObjectCondition) error {
	for _, c := range o.Status.Conditions {
		if c.Type != want.GetType() {
			continue
		}
		if c.Status == want.GetStatus() {
			return nil
		}
		return fmt.Errorf("it is %s: %s", c.Status, c.Message)
	}
	return errors.New("the object has no such condition")
}
