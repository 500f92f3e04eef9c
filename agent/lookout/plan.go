package lookout

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/seatrial/seatrial/agent/kube"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// All is the name of all namespaces together.
const All = "*"

var errClusterWide = errors.New(`the objects are in no namespace: only an agent that may watch in all namespaces ("*") sees them`)

// Rules are what the owner of the cluster lets the agent look at. The control plane cannot widen them.
type Rules struct {
	// Namespaces are those of the objects; All stands for all of them, none for none.
	Namespaces []string
	// Resources are named as kubectl names them: deployments, rollouts.argoproj.io.
	Resources []string
}

// allows says why a watch may not be, "" when it may.
func (r Rules) allows(resource, namespace string) string {
	plural, group, ok := kube.Split(resource)
	switch {
	case plural == "secrets" && group == "":
		return "The agent never reads secrets."
	case !ok:
		return fmt.Sprintf("The agent does not know the group of %s.", resource)
	case len(r.Namespaces) == 0:
		return "The agent may watch nothing: name namespaces in triggers of its chart and upgrade the release."
	case !slices.ContainsFunc(r.Resources, func(allowed string) bool {
		p, g, ok := kube.Split(allowed)
		return ok && p == plural && g == group
	}):
		return fmt.Sprintf("The agent may not watch %s: add them to triggers.resources of its chart and upgrade the release.", resource)
	case namespace != "" && !label(namespace):
		return fmt.Sprintf("%q is not a namespace.", short(namespace))
	case namespace != "" && !slices.Contains(r.Namespaces, All) && !slices.Contains(r.Namespaces, namespace):
		return fmt.Sprintf("The agent may not watch in namespace %s: add it to triggers.namespaces of its chart and upgrade the release.", namespace)
	}
	return ""
}

// planned is a watch with what it needs.
type planned struct {
	watch   *agentv1.Watch
	refused string // why it may not be; empty when it may
	scopes  []scope
}

// maxViews is how many resources in how many namespaces an agent looks at: each is a connection to the API server, and memory.
const maxViews = 100

// plan says what the watches of a list need. Of those that need more than the agent looks at, the first have it.
func (l *Lookout) plan(watches []*agentv1.Watch) []planned {
	out := make([]planned, len(watches))
	views := map[scope]bool{}
	for i, w := range watches {
		out[i] = planned{watch: w}
		p := &out[i]
		p.scopes, p.refused = l.scopes(w)
		var more []scope
		for _, s := range p.scopes {
			if !views[s] {
				more = append(more, s)
			}
		}
		if len(views)+len(more) > maxViews {
			p.scopes, more = nil, nil
			p.refused = fmt.Sprintf("The agent looks at %d resources and namespaces at most, and those before have them: name fewer in triggers, or all "+
				`namespaces ("*") in triggers.namespaces of its chart.`, maxViews)
		}
		for _, s := range more {
			views[s] = true
		}
	}
	return out
}

// scopes returns what a watch needs, or why it may not be.
func (l *Lookout) scopes(w *agentv1.Watch) (out []scope, refused string) {
	if agentv1.ObjectEvent_name[int32(w.GetEvent())] == "" || w.GetEvent() == agentv1.ObjectEvent_OBJECT_EVENT_UNSPECIFIED {
		return nil, "The agent does not know this event: upgrade it to the version of the control plane."
	}
	namespaces := l.namespaces(w)
	if len(namespaces) == 0 {
		return nil, l.o.Rules.allows(w.GetResource(), "")
	}
	for _, namespace := range namespaces {
		if why := l.o.Rules.allows(w.GetResource(), namespace); why != "" {
			return nil, why
		}
		out = append(out, scope{w.GetResource(), namespace})
	}
	return out, ""
}

// namespaces returns where a watch looks, "" for everywhere.
func (l *Lookout) namespaces(w *agentv1.Watch) []string {
	switch {
	case w.GetNamespace() != "":
		return []string{w.GetNamespace()}
	case w.GetRunNamespace() != "":
		var out []string
		for _, s := range l.o.Scopes {
			if (s.RunNamespace == "" || s.RunNamespace == w.GetRunNamespace()) && !slices.Contains(out, s.Namespace) {
				out = append(out, s.Namespace)
			}
		}
		if len(out) == 0 { // what is under test runs beside the tests
			out = []string{w.GetRunNamespace()}
		}
		return out
	case slices.Contains(l.o.Rules.Namespaces, All):
		return []string{""}
	}
	return l.o.Rules.Namespaces
}

// tests returns the run namespaces for whose attempts the objects of a namespace are under test.
func (l *Lookout) tests(namespace string) []string {
	var out []string
	for _, run := range l.o.RunNamespaces {
		scoped, under := false, false
		for _, s := range l.o.Scopes {
			if s.RunNamespace == "" || s.RunNamespace == run {
				scoped, under = true, under || s.Namespace == namespace
			}
		}
		if under || !scoped && run == namespace {
			out = append(out, run)
		}
	}
	return out
}

// wants groups what the watches of a plan look out for by where they do, each once and in one order.
func wants(plan []planned) map[scope][]want {
	out := map[scope][]want{}
	for _, p := range plan {
		w := want{name: p.watch.GetName(), labels: labels.SelectorFromSet(p.watch.GetLabels()).String(), event: p.watch.GetEvent(), condition: p.watch.GetCondition().GetType(), status: p.watch.GetCondition().GetStatus()}
		for _, s := range p.scopes {
			if !slices.Contains(out[s], w) {
				out[s] = append(out[s], w)
			}
		}
	}
	for _, list := range out {
		slices.SortFunc(list, func(a, b want) int {
			return cmp.Or(cmp.Compare(a.event, b.event), strings.Compare(a.name, b.name), strings.Compare(a.labels, b.labels), strings.Compare(a.condition, b.condition), strings.Compare(a.status, b.status))
		})
	}
	return out
}
