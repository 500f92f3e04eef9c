package trigger_test

import (
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/trigger"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

func TestMatch_Kubernetes(t *testing.T) {
	t.Parallel()
	rolled := trigger.Object{
		Cluster: "eu-1", Event: trigger.RolledOut, Resource: "deployments", Namespace: "shop", Name: "checkout-api", Labels: map[string]string{"app": "checkout"},
		Images:       []execution.SubjectImage{{Container: "api", Image: "api:1.2", Digest: "sha256:4001"}},
		Environments: []string{"staging-eu"}, Places: []string{"staging-eu", "canary-eu"}, Generation: 7, Note: "a remark",
	}
	ready := rolled
	ready.Event, ready.Condition = trigger.Reached, &trigger.Condition{Type: "Ready", Status: "False", Reason: "Expired"}
	with := func(change func(*document.KubernetesEvent)) document.KubernetesEvent {
		k := document.KubernetesEvent{Resource: "deployments", Event: trigger.RolledOut}
		change(&k)
		return k
	}
	type event = *document.KubernetesEvent
	for name, tc := range map[string]struct {
		on     document.KubernetesEvent
		object trigger.Object
		why    string // part of it; empty for a match
		reason string
	}{
		"Plain":          {with(func(event) {}), rolled, "", "every one of the organization"},
		"Group":          {with(func(k event) { k.Resource = "deployments.apps" }), rolled, "", "the same resource"},
		"OtherResource":  {with(func(k event) { k.Resource = "deployments.example.test" }), rolled, "it is for deployments.example.test", "another group"},
		"OtherEvent":     {with(func(k event) { k.Event = trigger.Created }), rolled, "it is for created, not for rolled-out", "what else happened"},
		"Cluster":        {with(func(k event) { k.Cluster = "eu-1" }), rolled, "", "its cluster"},
		"OtherCluster":   {with(func(k event) { k.Cluster = "us-1" }), rolled, "it is for the cluster us-1", "another one"},
		"Environment":    {with(func(k event) { k.Environment = "staging-eu" }), rolled, "", "under test there"},
		"NotUnderTest":   {with(func(k event) { k.Environment = "canary-eu" }), rolled, "is not under test in the environment canary-eu", "in the same cluster, and something else is tested"},
		"InCluster":      {with(func(k event) { k.Environment, k.Namespace = "canary-eu", "shop" }), rolled, "", "with a namespace the environment says which cluster"},
		"ElsewhereThere": {with(func(k event) { k.Environment, k.Namespace = "us", "shop" }), rolled, "is not that of the environment us", "another cluster"},
		"OtherNamespace": {with(func(k event) { k.Namespace = "cart" }), rolled, "it is for the namespace cart", "another one"},
		"Name":           {with(func(k event) { k.Name = "checkout-*" }), rolled, "", "a pattern"},
		"OtherName":      {with(func(k event) { k.Name = "cart-*" }), rolled, "the name checkout-api is not cart-*", "no match"},
		"Labels":         {with(func(k event) { k.Selector = map[string]string{"app": "checkout"} }), rolled, "", "all of them"},
		"OtherLabels":    {with(func(k event) { k.Selector = map[string]string{"app": "cart"} }), rolled, "does not have the label app=cart", "one is another"},
		"Condition": {with(func(k event) {
			k.Event, k.Condition = trigger.Reached, &document.ObjectCondition{Type: "Ready", Status: "False"}
		}), ready, "", "as it is"},
		"OtherStatus": {with(func(k event) { k.Event, k.Condition = trigger.Reached, &document.ObjectCondition{Type: "Ready"} }), ready, "it is for the condition Ready=True", "True is the default"},
		"Filter":      {with(func(k event) { k.Filter = `event.images.exists(i, i.digest == "sha256:4001") && event.generation > 3` }), rolled, "", "images can be asked for"},
		"FilterNo":    {with(func(k event) { k.Filter = `event.labels["app"] == "cart"` }), rolled, "the filter says no", "false"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.on.Values = map[string]string{"image": "event.images[0].digest", "name": "event.name"}
			given, why := trigger.Match(document.TriggerSpec{Kubernetes: &tc.on}, trigger.Event{Kind: trigger.Kube, Data: data(t, tc.object)})
			if (tc.why == "") != (why == "") || !strings.Contains(why, tc.why) || why == "" && (given.Params["image"] != "sha256:4001" || given.Params["name"] != "checkout-api" || given.Note != "a remark") {
				t.Errorf("%+v, %q: %s", given, why, tc.reason)
			}
		})
	}
}

// TestCheck_Kubernetes: expressions of a trigger are checked where they stand, in a document of its own and in a workflow.
func TestCheck_Kubernetes(t *testing.T) {
	t.Parallel()
	for field, text := range map[string]string{
		"spec.kubernetes.filter":                  "apiVersion: seatrial.dev/v1\nkind: Trigger\nmetadata: {name: a}\nspec: {kubernetes: {resource: pods, event: created, filter: '1 +'}, workflows: [{name: a}]}\n",
		"spec.triggers[1].kubernetes.values.name": "apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {name: a}\nspec: {params: {name: {type: string}}, steps: [{run: x, image: a}], triggers: [{schedule: {cron: '@daily'}}, {kubernetes: {resource: pods, event: created, values: {name: nothing.x}}}]}\n",
	} {
		read := parse.Read([]byte(text))
		if len(read.Faults) > 0 {
			t.Fatal(read.Faults)
		}
		if got := trigger.Check(read); len(got) != 1 || got[0].Field != field || got[0].Line == 0 {
			t.Errorf("%s: %+v", field, got)
		}
	}
}

func TestSight(t *testing.T) {
	t.Parallel()
	for want, on := range map[string]document.KubernetesEvent{
		"rolled-out deployments":                             {Resource: "deployments", Event: trigger.RolledOut, Delay: document.Duration(time.Second)},
		"created pods a* app=x tier=y in shop of eu-1":       {Resource: "pods", Event: trigger.Created, Name: "a*", Selector: map[string]string{"tier": "y", "app": "x"}, Namespace: "shop", Cluster: "eu-1"},
		"Ready=True certificates.cert-manager.io of staging": {Resource: "certificates.cert-manager.io", Event: trigger.Reached, Condition: &document.ObjectCondition{Type: "Ready"}, Environment: "staging"},
		"deleted widgets.x.test of production":               {Resource: "widgets.x.test", Event: trigger.Deleted, Environment: "production"},
	} {
		if got := trigger.Sight(on); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestEvent_About: an event of a cluster is looked at by the triggers for its resource.
func TestEvent_About(t *testing.T) {
	t.Parallel()
	e := trigger.Event{Kind: trigger.Kube, Source: "eu-1", Subject: "certificates.cert-manager.io shop/tls"}
	kind, about := trigger.On(document.TriggerSpec{Kubernetes: &document.KubernetesEvent{Resource: "certificates.cert-manager.io"}})
	if kind != trigger.Kube || about != e.About() {
		t.Errorf("%s %s, and the event is about %s", kind, about, e.About())
	}
	if _, about := trigger.On(document.TriggerSpec{Kubernetes: &document.KubernetesEvent{Resource: "statefulsets.apps"}}); about != "statefulsets" {
		t.Errorf("about %s", about)
	}
}
