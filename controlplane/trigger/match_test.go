package trigger_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/forge"
	"github.com/seatrial/seatrial/controlplane/trigger"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

func data(t *testing.T, v any) json.RawMessage {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestMatch_Git(t *testing.T) {
	t.Parallel()
	push := forge.Push{Event: "push", Repository: "acme/shop", Branch: "main", Commit: "abc", Paths: []string{"checkout/a.go", "README.md"}, AllPaths: true}
	tag := forge.Push{Event: "tag", Repository: "acme/shop", Tag: "v1", Commit: "abc"}
	pull := forge.Push{Event: "pull_request", Repository: "acme/shop", Branch: "main", Commit: "abc", Number: 7}
	fork, some := pull, push
	fork.Fork = true
	some.AllPaths = false
	for name, tc := range map[string]struct {
		on     document.GitEvent
		push   forge.Push
		why    string // part of it; empty for a match
		reason string
	}{
		"Push":         {document.GitEvent{}, push, "", "pushes are the default"},
		"Case":         {document.GitEvent{Repository: "Acme/Shop"}, push, "", "forges do not care"},
		"Other":        {document.GitEvent{Repository: "acme/cart"}, push, "it is for acme/cart", "another repository"},
		"Branch":       {document.GitEvent{Branches: []string{"release/*", "ma*"}}, push, "", "a pattern"},
		"OtherBranch":  {document.GitEvent{Branches: []string{"release/*"}}, push, "the branch main is not one of release/*", "no pattern"},
		"Paths":        {document.GitEvent{Paths: []string{"checkout/**"}}, push, "", "one file is enough"},
		"OtherPaths":   {document.GitEvent{Paths: []string{"docs/**", "*.go"}}, push, "no file that has changed is in docs/**, *.go", "a star stops at a slash"},
		"UnknownPaths": {document.GitEvent{Paths: []string{"docs/**"}}, some, "", "too many tests rather than too few"},
		"TagUnasked":   {document.GitEvent{}, tag, "it is for push, not for tag", "only pushes are the default"},
		"Tag":          {document.GitEvent{Events: []string{"tag"}, Branches: []string{"main"}}, tag, "", "a tag is on no branch"},
		"Pull":         {document.GitEvent{Events: []string{"pull_request"}, Branches: []string{"main"}}, pull, "", "the branch that it wants to change"},
		"Fork":         {document.GitEvent{Events: []string{"pull_request"}}, fork, "a fork", "the code of strangers"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.on.Repository == "" {
				tc.on.Repository = "acme/shop"
			}
			given, why := trigger.Match(document.TriggerSpec{Git: &tc.on}, trigger.Event{Kind: trigger.Git, Data: data(t, tc.push)})
			if (tc.why == "") != (why == "") || !strings.Contains(why, tc.why) || why == "" && given.Commit != "abc" {
				t.Errorf("%+v, %q: %s", given, why, tc.reason)
			}
		})
	}
}

func TestMatch_Others(t *testing.T) {
	t.Parallel()
	ended := trigger.Event{Kind: trigger.Workflow, Data: data(t, trigger.Ended{Workflow: "build", Status: "failed", Commit: "abc"})}
	message := trigger.Event{Kind: trigger.Webhook, Data: []byte(`{"headers":{"x-env":"eu"},"body":{"n":3,"f":1.5,"ok":true,"s":"${{ x }}","list":[1]}}`)}
	cloud := trigger.Event{Kind: trigger.Cloud, Type: "dev.cdevents.build.finished.0.2", Data: []byte(`{"source":"/a/b","subject":"x","data":{"id":"7"}}`)}
	webhook := func(filter string, values map[string]string) document.TriggerSpec {
		return document.TriggerSpec{Webhook: &document.WebhookEvent{Filter: filter, Values: values}}
	}
	suspended := webhook("", nil)
	suspended.Suspend = true
	for name, tc := range map[string]struct {
		spec   document.TriggerSpec
		event  trigger.Event
		why    string
		params map[string]string
	}{
		"Ended":      {document.TriggerSpec{Workflow: &document.WorkflowEvent{Name: "build", When: []string{"failed"}}}, ended, "", nil},
		"EndedWell":  {document.TriggerSpec{Workflow: &document.WorkflowEvent{Name: "build"}}, ended, "ended as failed, not as passed", nil},
		"OtherKind":  {document.TriggerSpec{Workflow: &document.WorkflowEvent{Name: "build"}}, message, "another kind", nil},
		"Suspended":  {suspended, message, "suspended", nil},
		"All":        {webhook("", nil), message, "", nil},
		"Filter":     {webhook(`body.n == 3 && headers["x-env"] == "eu"`, nil), message, "", nil},
		"FilterNo":   {webhook(`body.n == 4`, nil), message, "the filter says no", nil},
		"FilterBad":  {webhook(`body.absent.x == 1`, nil), message, "the filter cannot be answered", nil},
		"FilterText": {webhook(`body.s`, nil), message, "neither true nor false", nil},
		"Values":     {webhook("", map[string]string{"n": "body.n", "f": "body.f", "ok": "body.ok", "s": "body.s", "e": `headers["x-env"]`}), message, "", map[string]string{"n": "3", "f": "1.5", "ok": "true", "s": "${{ x }}", "e": "eu"}},
		"ValueList":  {webhook("", map[string]string{"l": "body.list"}), message, "values.l cannot be found out", nil},
		"Costly":     {webhook(`body.list.all(a, [1,2,3,4,5,6,7,8,9].all(b, [1,2,3,4,5,6,7,8,9].all(c, [1,2,3,4,5,6,7,8,9].all(d, [1,2,3,4,5,6,7,8,9].all(e, [1,2,3,4,5,6,7,8,9].all(f, [1,2,3,4,5,6,7,8,9].all(g, a+b+c+d+e+f+g > 0)))))))`, nil), message, "cost", nil},
		"Cloud":      {document.TriggerSpec{Event: &document.CloudEvent{Types: []string{"dev.cdevents.build.*"}, Source: "/a/*", Subject: "x", Values: map[string]string{"id": "event.data.id"}}}, cloud, "", map[string]string{"id": "7"}},
		"CloudType":  {document.TriggerSpec{Event: &document.CloudEvent{Types: []string{"dev.cdevents.service.*"}}}, cloud, "the type", nil},
		"CloudFrom":  {document.TriggerSpec{Event: &document.CloudEvent{Types: []string{"**"}, Source: "/c/*"}}, cloud, "the source", nil},
		"CloudAbout": {document.TriggerSpec{Event: &document.CloudEvent{Types: []string{"**"}, Subject: "y"}}, cloud, "the subject", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			given, why := trigger.Match(tc.spec, tc.event)
			if (tc.why == "") != (why == "") || !strings.Contains(why, tc.why) {
				t.Fatalf("%+v, %q; want %q", given, why, tc.why)
			}
			for name, want := range tc.params {
				if given.Params[name] != want {
					t.Errorf("%s = %q, want %q", name, given.Params[name], want)
				}
			}
		})
	}
}
