package parse

import (
	"slices"
	"strings"

	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/rule"
	"github.com/seatrial/seatrial/controlplane/workflow/say"
)

// after checks what concerns several fields of a type, once they are read.
func (r *reader) after(at node, v any) {
	switch v := v.(type) {
	case *document.Step:
		r.afterStep(at, v)
	case *document.Container:
		r.variables(at, len(v.Env), func(i int) (string, bool) { return v.Env[i].Name, v.Env[i].ValueFrom != nil })
	case *document.EnvFrom:
		r.exactlyOne(at, "secretKeyRef", "configMapKeyRef")
	case *document.Service:
		r.variables(at, len(v.Env), func(i int) (string, bool) { return v.Env[i].Name, v.Env[i].ValueFrom != nil })
	case *document.Ready:
		r.exactlyOne(at, "exec", "tcp", "http")
		if r.has(at, "exec") && len(v.Exec) == 0 {
			r.fault(at.under("exec"), "is empty: it is the command that tells by its exit code whether the service is ready")
		}
	case *document.Toleration:
		r.afterToleration(at, v)
	case *document.Security:
		if v.RunAsNonRoot != nil && *v.RunAsNonRoot && v.RunAsUser != nil && *v.RunAsUser == 0 {
			r.fault(at, "runAsNonRoot: true and runAsUser: 0 exclude each other")
		}
	case *document.Pod:
		r.afterPod(at, v)
	case *document.Volume:
		r.exactlyOne(at, "emptyDir", "configMap", "secret", "persistentVolumeClaim")
	case *document.Source:
		r.afterFiles(at.under("files"), v.Files)
	case *document.Shards:
		if v.Balance == "duration" && len(v.Files) == 0 {
			r.fault(at.under("balance"), "needs files: patterns of the test files that are shared out by how long they took")
		}
	case *document.Environments:
		r.exactlyOne(at, "select", "names")
		if r.has(at, "select") && len(v.Select) == 0 {
			r.fault(at.under("select"), "is empty and would select every environment there is: name a label")
		}
	case *document.EnvironmentDocument:
		if label, ok := v.Metadata.Labels["tier"]; ok && v.Spec.Tier != "" && label != v.Spec.Tier {
			path := at.under("spec").under("tier").path
			r.fault(node{r.given[path].Node, path}, "is %s while the label tier says %s", v.Spec.Tier, label)
		}
	case *document.Trigger:
		r.exactlyOne(at, "schedule", "kubernetes", "git", "workflow")
	case *document.TriggerSpec:
		r.exactlyOne(at, "kubernetes", "git", "workflow", "webhook", "event")
	case *document.WebhookSpec:
		r.afterWebhook(at, v)
	case *document.KubernetesEvent:
		r.afterKubernetes(at, v)
	case *document.Probe:
		r.exactlyOne(at, "http", "tcp", "condition")
	case *document.ReadinessPolicySpec:
		r.ruleIDs(at, v.Rules)
	case *document.Requirement:
		r.exactlyOne(at, "suites", "selector")
		if r.has(at, "suites") && len(v.Suites) == 0 {
			r.fault(at.under("suites"), "is empty and would require nothing: name a suite")
		}
	case *document.Rule:
		if v.Kind == "missing" && v.Waivable {
			path := at.under("waivable").path
			r.fault(node{r.given[path].Node, path}, "missing evidence cannot be waived")
		}
	case *document.StartRef:
		r.exactlyOne(at, "name", "selector")
		r.notEmpty(at, "selector", len(v.Selector))
	case *document.WorkflowRef:
		r.exactlyOne(at, "name", "selector")
		r.notEmpty(at, "selector", len(v.Selector))
	}
}

// afterWebhook keeps secrets out of documents: whoever has the address of a channel can post there.
func (r *reader) afterWebhook(at node, v *document.WebhookSpec) {
	path := at.under("url").path
	field := node{r.given[path].Node, path}
	switch email := strings.HasPrefix(v.URL, "mailto:"); {
	case v.URL == "":
	case v.Format == "slack" || v.Format == "teams":
		r.fault(field, "the address of %s is a secret: leave it out here, and set it once with: seatrial webhook set NAME --url-stdin", v.Format)
	case email != (v.Format == "email"):
		r.fault(field, "mailto: is for the format email, which is for nothing else")
	}
}

// exactlyOne demands one of several fields.
func (r *reader) exactlyOne(at node, names ...string) {
	var set []string
	for _, name := range names {
		if r.has(at, name) {
			set = append(set, name)
		}
	}
	last := len(names) - 1
	all := strings.Join(names[:last], ", ") + " and " + names[last]
	switch {
	case len(set) == 0:
		r.fault(at, "needs exactly one of %s", all)
	case len(set) > 1:
		r.fault(at, "needs exactly one of %s; %s exclude each other", all, strings.Join(set, " and "))
	}
}

// afterKubernetes demands what an event cannot do without, and refuses what means nothing to it.
func (r *reader) afterKubernetes(at node, e *document.KubernetesEvent) {
	given := func(field string) node {
		path := at.under(field).path
		return node{r.given[path].Node, path}
	}
	switch {
	case e.Event == "condition" && e.Condition == nil:
		r.fault(at.under("condition"), "is missing: the event is that a condition is reached")
	case e.Event != "condition" && e.Condition != nil:
		r.fault(given("condition"), "means nothing to the event %s", e.Event)
	case e.Event == "rolled-out" && !slices.Contains([]string{"deployments", "statefulsets", "daemonsets"}, strings.TrimSuffix(e.Resource, ".apps")):
		r.fault(given("event"), "rolled-out is known of deployments, statefulsets and daemonsets alone; wait for a condition of %s", e.Resource)
	case e.Event == "updated" && slices.Contains(restless(), e.Resource):
		r.fault(given("event"), "updated means nothing to %s: Kubernetes writes their status all the time, and does not count what people change; wait for a condition", e.Resource)
	case e.Event == "deleted" && slices.ContainsFunc(e.Probes, func(p document.Probe) bool { return p.Condition != nil }):
		r.fault(given("probes"), "cannot look at a condition of an object that was deleted")
	}
	if e.Cluster != "" && e.Environment != "" {
		r.fault(given("environment"), "cluster and environment exclude each other: an environment is in a cluster")
	}
	r.notEmpty(at, "selector", len(e.Selector))
}

// restless are resources whose objects have a status, and no generation by which a change of what is wanted of them is told from one of that.
func restless() []string {
	return []string{"endpoints", "events", "namespaces", "nodes", "persistentvolumeclaims", "persistentvolumes", "resourcequotas", "services"}
}

// ruleIDs demands that rules can be told apart: waivers name them.
func (r *reader) ruleIDs(at node, rules []document.Rule) {
	first := map[string]int{}
	for i, rule := range rules {
		path := at.child("rules["+itoa(i)+"].id", nil).path
		if n, taken := first[rule.ID]; taken && rule.ID != "" {
			r.fault(node{r.given[path].Node, path}, "is that of rules[%d] already", n)
			continue
		}
		first[rule.ID] = i
	}
}

// notEmpty refuses a selector that selects everything: it is a mistake more often than meant.
func (r *reader) notEmpty(at node, name string, n int) {
	if r.has(at, name) && n == 0 {
		r.fault(at.under(name), "is empty and would select everything: name a label")
	}
}

// variables checks a list of environment variables.
func (r *reader) variables(at node, n int, variable func(i int) (name string, from bool)) {
	seen := map[string]bool{}
	for i := range n {
		item := r.item(at, "env", i)
		name, from := variable(i)
		if name != "" && seen[name] {
			r.fault(item.under("name"), "%s is set twice in this list", name)
		}
		seen[name] = true
		if from && r.has(item, "value") {
			r.fault(item, "value and valueFrom exclude each other")
		}
	}
}

// item returns the place of a list's item: that of its first field, or of the list.
func (r *reader) item(at node, list string, i int) node {
	path := at.child(list+"["+itoa(i)+"]", nil).path
	for _, name := range []string{"name", "path", "run", "command", "pause", "execute", "parallel"} {
		if n, ok := r.given[path+"."+name]; ok {
			return node{n.Node, path}
		}
	}
	if n, ok := r.given[at.child(list, nil).path]; ok {
		return node{n.Node, path}
	}
	return node{at.Node, path}
}

func (r *reader) afterToleration(at node, t *document.Toleration) {
	switch {
	case t.Key == "" && t.Operator != "Exists":
		r.fault(at, "needs a key, or operator: Exists to tolerate everything")
	case t.Value != "" && t.Operator == "Exists":
		r.fault(at, "operator Exists takes no value")
	case t.Seconds != nil && t.Effect != "NoExecute":
		r.fault(at, "tolerationSeconds needs effect: NoExecute")
	}
}

func (r *reader) afterPod(at node, p *document.Pod) {
	named, mounted := map[string]bool{}, map[string]bool{}
	for i, v := range p.Volumes {
		item := r.item(at, "volumes", i)
		if named[v.Name] {
			r.fault(item.under("name"), "%s is the name of another volume already", v.Name)
		}
		if mounted[v.MountPath] {
			r.fault(item.under("mountPath"), "another volume is mounted at %s already", v.MountPath)
		}
		if dir := rule.Holds(v.MountPath); dir != "" && (v.EmptyDir == nil || v.ReadOnly) {
			r.fault(item.under("mountPath"), "%s holds %s, which Seatrial has to make: only an emptyDir that can be written to may be mounted there", v.MountPath, dir)
		}
		named[v.Name], mounted[v.MountPath] = v.Name != "", v.MountPath != ""
	}
}

func (r *reader) afterFiles(at node, files []document.File) {
	for i, f := range files {
		for _, other := range files[:i] {
			if f.Path != "" && clash(f.Path, other.Path) {
				path := at.path + "[" + itoa(i) + "].path"
				r.fault(node{r.given[path].Node, path}, "%q and %q cannot both exist", say.Shorten(f.Path), say.Shorten(other.Path))
			}
		}
	}
}

func clash(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+"/") && b != "" || strings.HasPrefix(b, a+"/")
}

// afterStep demands one kind of step, and refuses fields that mean nothing to it.
func (r *reader) afterStep(at node, s *document.Step) {
	r.variables(at, len(s.Env), func(i int) (string, bool) { return s.Env[i].Name, s.Env[i].ValueFrom != nil })
	var kinds []string
	for _, name := range []string{"run", "command", "pause", "execute", "parallel"} {
		if r.has(at, name) {
			kinds = append(kinds, name)
		}
	}
	switch {
	case len(kinds) == 0:
		r.fault(at, "needs run (a shell script) or command (started as it is); the entrypoint of an image is never guessed")
	case len(kinds) > 1 && kinds[0] == "run" && kinds[1] == "command":
		r.fault(at, "run and command exclude each other: run is a shell script, command is started as it is")
	case len(kinds) > 1:
		r.fault(at, "%s exclude each other: a step is one of them", strings.Join(kinds, " and "))
	case kinds[0] == "command" && len(s.Command) == 0:
		r.fault(at.under("command"), "is empty")
	case r.has(at, "args") && kinds[0] != "command":
		r.fault(at.under("args"), "needs command; with run, write the arguments into the script")
	case kinds[0] == "parallel":
		r.afterGroup(at, s)
	}
	if len(kinds) == 1 && kinds[0] != "run" && kinds[0] != "command" {
		for _, name := range []string{
			"image", "workingDir", "env", "retry", "expect", "outputs", "reports", "artifacts", "metrics", "timeout",
		} {
			if r.has(at, name) && (name != "timeout" || kinds[0] == "pause") { // it has a timeout of its own
				r.fault(node{r.given[at.path+"."+name].Node, at.path + "." + name}, "means nothing to a step with %s", kinds[0])
			}
		}
	}
}

func (r *reader) afterGroup(at node, s *document.Step) {
	if len(s.Parallel) == 0 {
		r.fault(at.under("parallel"), "is empty")
	}
	for i, child := range s.Parallel {
		if child.Pause != nil || child.Execute != nil || child.Parallel != nil {
			r.fault(r.item(at, "parallel", i), "steps of a group have run or command")
		}
	}
}
