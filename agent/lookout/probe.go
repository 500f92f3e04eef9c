package lookout

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/seatrial/seatrial/agent/kube"
	"github.com/seatrial/seatrial/agent/work"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

const (
	// One try takes so long at most.
	tryWithin = 5 * time.Second
	// So many tries are made at the same time.
	maxTries = 10
	// So many probes are taken at once; what is beyond them is begun when others are over.
	maxProbes = 1000
	// A probe has so many checks at most, each with as many tries, and with times as long, as the language allows.
	maxChecks     = 10
	maxAttempts   = 1000
	leastInterval = time.Second
	maxInterval   = 10 * time.Minute
	leastTimeout  = time.Second
	maxTimeout    = time.Hour
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
		o: o, dial: dial, turn: make(chan struct{}, maxTries), running: map[string]context.CancelFunc{},
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
		if p.running[one.GetId()] != nil || len(p.running) >= maxProbes {
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
	r := &agentv1.ReportProbeRequest{Id: probe.GetId()}
	r.Message = p.all(ctx, probe)
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
	if len(probe.GetChecks()) > maxChecks {
		return fmt.Sprintf("The probe has %d checks, and %d are the limit.", len(probe.GetChecks()), maxChecks)
	}
	for _, c := range probe.GetChecks() {
		if why := p.check(ctx, object, c); why != "" {
			return why
		}
	}
	return ""
}

// check tries until it succeeds, or has been tried often or long enough. However long and often it is to be tried, it is within bounds.
func (p *prober) check(ctx context.Context, object *agentv1.ObjectRef, c *agentv1.ProbeCheck) string {
	what, try := p.trial(object, c)
	if try == nil {
		return what
	}
	attempts := min(max(int(c.GetAttempts()), 1), maxAttempts)
	interval := min(max(c.GetInterval().AsDuration(), p.o.leastInterval()), maxInterval)
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, min(max(c.GetTimeout().AsDuration(), leastTimeout), maxTimeout))
	defer cancel()
	last := errNoTurn
	tries := 0
	for tries < attempts {
		err := p.once(ctx, try)
		if errors.Is(err, errNoTurn) {
			break
		}
		tries++
		if err == nil {
			return ""
		}
		if tries == 1 || ctx.Err() == nil { // that time is over says less than what was wrong before
			last = err
		}
		if tries == attempts || !sleep(ctx, interval) {
			break
		}
	}
	return fmt.Sprintf("The probe %s did not succeed in %d tries within %s: %s", what, tries, time.Since(began).Round(time.Second), short(last.Error()))
}

var errNoTurn = errors.New("too many other probes were being tried")

// once tries when it is its turn. It keeps the turn for no longer: a probe that waits for its next try holds up no other.
func (p *prober) once(ctx context.Context, try func(context.Context) error) error {
	select {
	case <-ctx.Done():
		return errNoTurn
	case p.turn <- struct{}{}:
	}
	defer func() { <-p.turn }()
	ctx, cancel := context.WithTimeout(ctx, tryWithin)
	defer cancel()
	return try(ctx)
}

// trial returns what a check tries, in words, and how. One that leads to anything but a service in the object's namespace, or to the object,
// is never tried: the words say why then.
func (p *prober) trial(object *agentv1.ObjectRef, c *agentv1.ProbeCheck) (what string, try func(context.Context) error) {
	switch k := c.GetCheck().(type) {
	case *agentv1.ProbeCheck_Http:
		to, why := target(object.GetNamespace(), k.Http)
		if why != "" {
			return why, nil
		}
		return "of " + to.String(), func(ctx context.Context) error { return p.get(ctx, to) }
	case *agentv1.ProbeCheck_Tcp:
		address, why := host(object.GetNamespace(), k.Tcp.GetService(), k.Tcp.GetPort())
		if why != "" {
			return why, nil
		}
		return "of port " + address, func(ctx context.Context) error { return p.connect(ctx, address) }
	case *agentv1.ProbeCheck_Condition:
		what = fmt.Sprintf("for the condition %s=%s of %s %s", k.Condition.GetType(), k.Condition.GetStatus(), object.GetResource(), object.GetName())
		return what, func(ctx context.Context) error { return p.condition(ctx, object, k.Condition) }
	}
	return "The agent does not know this kind of probe: upgrade it.", nil
}

// host returns the address of a service's port, or why there is none.
func host(namespace, service string, port int32) (address, why string) {
	switch {
	case !label(service):
		return "", fmt.Sprintf("The probe is not tried: %q is not the name of a service.", short(service))
	case !label(namespace):
		return "", fmt.Sprintf("The probe is not tried: %q is not a namespace.", short(namespace))
	case port < 1 || port > 65535:
		return "", fmt.Sprintf("The probe is not tried: there is no port %d.", port)
	}
	return net.JoinHostPort(service+"."+namespace+".svc", strconv.Itoa(int(port))), ""
}

// target returns the address that a probe asks, or why there is none. The path is never part of the host, whatever it begins with.
func target(namespace string, h *agentv1.HTTPProbe) (to *url.URL, why string) {
	address, why := host(namespace, h.GetService(), h.GetPort())
	if why != "" {
		return nil, why
	}
	path, err := url.ParseRequestURI(cmp.Or(h.GetPath(), "/"))
	if err != nil || !strings.HasPrefix(path.Path, "/") || path.Scheme != "" || path.Host != "" || path.User != nil {
		return nil, fmt.Sprintf("The probe is not tried: %q is not a path such as /healthz.", short(h.GetPath()))
	}
	to = &url.URL{Scheme: "http", Host: address, Path: path.Path, RawPath: path.RawPath, RawQuery: path.RawQuery}
	if h.GetHttps() {
		to.Scheme = "https"
	}
	return to, ""
}

// label tells names of services from anything else that an address could be made of.
func label(s string) bool { return len(validation.IsDNS1123Label(s)) == 0 }

func (p *prober) connect(ctx context.Context, address string) error {
	conn, err := p.dial(ctx, "tcp", address)
	if err != nil {
		return err
	}
	_ = conn.Close()
	return nil
}

func (p *prober) get(ctx context.Context, to *url.URL) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String(), http.NoBody)
	if err != nil {
		return fmt.Errorf("ask %s: %w", to, err)
	}
	req.Header.Set("User-Agent", "seatrial-agent")
	res, err := p.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask %s: %w", to, err)
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
