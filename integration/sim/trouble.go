package sim

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seatrial/seatrial/integration/history"
)

// strike lets a trouble begin when its time has come, and end.
func (w *World) strike(t Timed) {
	if !w.sleep(t.At) || !w.faulty() {
		return
	}
	w.fault(string(t.Trouble))
	s := w.sites[t.Target%len(w.sites)]
	begin, end := w.trouble(t, s)
	begin()
	if end == nil {
		return
	}
	w.sleep(t.For)
	if w.faulty() { // else heal has ended it
		end()
	}
}

// trouble returns what begins and what ends a trouble; the latter is nil for one that is over at once.
func (w *World) trouble(t Timed, s *site) (begin, end func()) {
	switch t.Trouble {
	case AgentDies:
		return func() { w.killAgent(s, t.Target) }, nil
	case SplitBrain:
		return func() { w.split(s) }, func() { w.unsplit(s) }
	case ReplicaDies:
		return func() { w.endReplicas(1, 0) }, nil
	case AllDie:
		return func() { w.endReplicas(replicas, 0) }, nil
	case Rolls:
		return func() { w.endReplicas(1, 20*time.Second) }, nil
	case StoreAway:
		return func() { w.storeAway.Store(true) }, func() { w.storeAway.Store(false) }
	case HintsAreLost:
		return func() { w.deafBus.Store(true) }, func() { w.deafBus.Store(false) }
	case ClockJumps:
		return w.jump(t, s), func() { w.jumped.Store(0); s.setSkew(0) }
	case Partition:
		return func() { w.network.partition(s.name, true, true) }, func() { w.network.partition(s.name, false, false) }
	case HalfOpen:
		up := t.Target&2 == 0
		return func() { w.network.partition(s.name, up, !up) }, func() { w.network.partition(s.name, false, false) }
	case Cut:
		return func() { w.cut(s) }, nil
	case KubeAway:
		return func() { s.kube.set(func() { s.kube.down = true }) }, func() { s.kube.set(func() { s.kube.down = false }) }
	case StaleReads:
		late := w.chance.within("stale", 2*time.Second, 30*time.Second)
		return func() { s.kube.set(func() { s.kube.behind = late }) }, func() { s.kube.set(func() { s.kube.behind = 0 }) }
	case PodEvicted, NodeDies, JobRemoved:
		return func() { w.strikePod(t, s) }, nil
	}
	return func() {}, nil
}

func (w *World) killAgent(s *site, n int) {
	w.mu.Lock()
	var victim *agent
	if len(s.agents) > 0 {
		victim = s.agents[n%len(s.agents)]
	}
	w.mu.Unlock()
	if victim != nil {
		victim.kill()
	}
}

// split starts a second agent of a site with the same identity.
func (w *World) split(s *site) {
	if err := w.startAgent(s); err != nil {
		w.fail(err)
	}
}

// unsplit leaves the newest agent of a site.
func (w *World) unsplit(s *site) {
	w.mu.Lock()
	var old []*agent
	if len(s.agents) > 1 {
		old = append(old, s.agents[:len(s.agents)-1]...)
	}
	w.mu.Unlock()
	for _, a := range old {
		a.kill()
	}
}

// endReplicas ends some of the replicas.
func (w *World) endReplicas(n int, grace time.Duration) {
	for range n {
		if r := w.anyReplica("victim"); r != nil {
			r.end(grace)
		}
	}
}

// jump sets the clock of the control plane's records, or what agents see of its clock, forwards or back.
func (w *World) jump(t Timed, s *site) func() {
	by := w.chance.within("jump", -time.Hour, time.Hour)
	if t.Target&2 == 0 {
		return func() { s.setSkew(by) }
	}
	return func() { w.jumped.Store(int64(by)) }
}

// cut ends all connections of a site's agents.
func (w *World) cut(s *site) {
	w.mu.Lock()
	agents := append([]*agent(nil), s.agents...)
	w.mu.Unlock()
	for _, a := range agents {
		w.network.cutAll(a)
	}
}

// strikePod takes a pod of a site away.
func (w *World) strikePod(t Timed, s *site) {
	p := s.anyPod(t.Target)
	if p == nil {
		return
	}
	switch t.Trouble {
	case JobRemoved:
		w.history.Add(history.Event{Kind: history.Taken, Tenant: s.name, Attempt: p.attempt})
		s.kube.set(func() { s.kube.remove("jobs", p.job.Namespace+"/"+p.job.Name) })
	case NodeDies:
		p.take(corev1.PodStatus{Phase: corev1.PodFailed, Reason: "NodeLost", Message: "the node is gone"})
	default:
		p.take(corev1.PodStatus{
			Phase: corev1.PodFailed, Reason: "Evicted", Message: "the node was low on memory",
			Conditions: []corev1.PodCondition{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "TerminationByKubelet", LastTransitionTime: metav1.Now()}},
		})
	}
}
