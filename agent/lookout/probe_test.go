package lookout_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seatrial/seatrial/agent/lookout"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// dials notes which addresses are dialled, none of which answers.
type dials struct {
	mu   sync.Mutex
	list []string
}

func (d *dials) dial(_ context.Context, _, address string) (net.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = append(d.list, address)
	return nil, errors.New("refused")
}

// TestLookout_Hostile: whatever a control plane says, no probe leads to another address than a service of the object's namespace, to
// another object, or to tries without end.
func TestLookout_Hostile(t *testing.T) {
	t.Parallel()
	get := func(namespace, service, path string, port int32) *agentv1.Probe {
		return &agentv1.Probe{
			Object: &agentv1.ObjectRef{Resource: "deployments", Namespace: namespace, Name: "shop"},
			Checks: []*agentv1.ProbeCheck{{
				Check: &agentv1.ProbeCheck_Http{Http: &agentv1.HTTPProbe{Service: service, Port: port, Path: path}}, Timeout: durationpb.New(time.Minute), Attempts: 1,
			}},
		}
	}
	connect := func(service string, port int32) *agentv1.Probe {
		p := get("shop", "shop", "/", 80)
		p.Checks[0].Check = &agentv1.ProbeCheck_Tcp{Tcp: &agentv1.TCPProbe{Service: service, Port: port}}
		return p
	}
	times := func(timeout, interval time.Duration, attempts int32) *agentv1.Probe {
		p := connect("shop", 80)
		p.Checks[0].Timeout, p.Checks[0].Interval, p.Checks[0].Attempts = durationpb.New(timeout), durationpb.New(interval), attempts
		return p
	}
	many := connect("shop", 80)
	for range 20 {
		many.Checks = append(many.Checks, many.GetChecks()[0])
	}
	bare := connect("shop", 80)
	bare.Checks = []*agentv1.ProbeCheck{{Check: bare.GetChecks()[0].GetCheck()}}
	for name, tc := range map[string]struct {
		probe *agentv1.Probe
		want  string
		tries int
	}{
		"User":       {get("shop", "shop", "@169.254.169.254/latest/meta-data", 80), "is not a path", 0},
		"Port":       {get("shop", "shop", "0@169.254.169.254/", 80), "is not a path", 0},
		"Colon":      {get("shop", "shop", ":pw@10.0.0.1/", 80), "is not a path", 0},
		"Host":       {get("shop", "shop", ".example.test/", 80), "is not a path", 0},
		"Address":    {get("shop", "shop", "http://169.254.169.254/", 80), "is not a path", 0},
		"Control":    {get("shop", "shop", "/a\r\nHost: b", 80), "is not a path", 0},
		"Query":      {get("shop", "shop", "?a", 80), "is not a path", 0},
		"Slashes":    {get("shop", "shop", "//169.254.169.254/", 80), "of http://shop.shop.svc:80//169.254.169.254/ did not", 1},
		"At":         {get("shop", "shop", "/@169.254.169.254/", 80), "of http://shop.shop.svc:80/@169.254.169.254/ did not", 1},
		"Asked":      {get("shop", "shop", "/up?deep=1", 80), "of http://shop.shop.svc:80/up?deep=1 did not", 1},
		"Namespace":  {get("shop.svc/../x", "shop", "/", 80), "is not a namespace", 0},
		"Service":    {get("shop", "metadata.google.internal#", "/", 80), "is not the name of a service", 0},
		"Empty":      {get("shop", "", "/", 80), "is not the name of a service", 0},
		"NoPort":     {get("shop", "shop", "/", 0), "there is no port 0", 0},
		"BigPort":    {connect("shop", 1<<20), "there is no port 1048576", 0},
		"Negative":   {connect("shop", -1), "there is no port -1", 0},
		"Dots":       {connect("10.0.0.1", 80), "is not the name of a service", 0},
		"NoTries":    {times(time.Minute, 0, 0), "in 1 tries", 1},
		"LessTries":  {times(time.Minute, 0, -1<<31), "in 1 tries", 1},
		"NoTimes":    {bare, "in 1 tries", 1},
		"Before":     {times(-time.Hour, -time.Hour, 3), "in 3 tries", 3},
		"ManyChecks": {many, "has 21 checks, and 10 are the limit", 0},
		"Nothing":    {&agentv1.Probe{Object: bare.GetObject(), Checks: []*agentv1.ProbeCheck{nil, {}}}, "upgrade it", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, p := &dials{}, newPlane()
			tc.probe.Id = "p"
			p.list.Probes = []*agentv1.Probe{tc.probe}
			started(t, newCluster(), p, func(o *lookout.Options) { o.Dial, o.Rules.Namespaces = d.dial, []string{lookout.All} })
			next(t, p.probes, tc.want)
			d.mu.Lock()
			defer d.mu.Unlock()
			if len(d.list) != tc.tries || tc.tries > 0 && strings.Trim(fmt.Sprint(d.list), "[]") != strings.TrimSpace(strings.Repeat("shop.shop.svc:80 ", tc.tries)) {
				t.Errorf("dialled %v", d.list)
			}
		})
	}
}

// TestLookout_Turns: a probe that waits for its next try holds up no other.
func TestLookout_Turns(t *testing.T) {
	t.Parallel()
	d, p := &dials{}, newPlane()
	for i := range 30 {
		p.list.Probes = append(p.list.Probes, &agentv1.Probe{
			Id: fmt.Sprint("waits", i), Object: &agentv1.ObjectRef{Resource: "deployments", Namespace: "shop", Name: "shop"}, Checks: []*agentv1.ProbeCheck{{
				Check:   &agentv1.ProbeCheck_Tcp{Tcp: &agentv1.TCPProbe{Service: "down", Port: 80}},
				Timeout: durationpb.New(time.Hour), Interval: durationpb.New(time.Minute), Attempts: 9,
			}},
		})
	}
	p.list.Probes = append(p.list.Probes, &agentv1.Probe{Id: "last", Object: &agentv1.ObjectRef{Resource: "deployments", Namespace: "shop", Name: "shop"}})
	p.list.Probes[30].Checks = []*agentv1.ProbeCheck{{Check: &agentv1.ProbeCheck_Tcp{Tcp: &agentv1.TCPProbe{Service: "shop", Port: 80}}, Timeout: durationpb.New(time.Hour), Attempts: 1}}
	started(t, newCluster(), p, func(o *lookout.Options) { o.Dial = d.dial })
	next(t, p.probes, "last false The probe of port shop.shop.svc:80")
}
