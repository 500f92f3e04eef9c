package app_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/forge"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

// signedBy are the headers with which a forge sends its payload.
func signedBy(kind, secret string, body []byte, id string) http.Header {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	sum := hex.EncodeToString(mac.Sum(nil))
	h := http.Header{}
	switch kind {
	case "github":
		h.Set("X-GitHub-Event", "push")
		h.Set("X-GitHub-Delivery", id)
		h.Set("X-Hub-Signature-256", "sha256="+sum)
	case "gitlab":
		h = forge.Sign(secret, id, body, time.Now())
		h.Set("X-Gitlab-Event", "Push Hook")
	case "gitea":
		h.Set("X-Gitea-Event", "push")
		h.Set("X-Gitea-Delivery", id)
		h.Set("X-Gitea-Signature", sum)
	case "bitbucket":
		h.Set("X-Event-Key", "repo:push")
		h.Set("X-Request-UUID", id)
		h.Set("X-Hub-Signature", "sha256="+sum)
	case "cloudevents":
		h.Set("Ce-Specversion", "1.0")
		h.Set("Ce-Id", id)
		h.Set("Ce-Source", "/argo/eu")
		h.Set("Ce-Type", "dev.cdevents.service.deployed.0.1.1")
		h.Set("Content-Type", "application/json")
		h.Set("Authorization", "Bearer "+secret)
	case "webhook":
		h.Set("Webhook-Id", id)
		h = forge.Sign(secret, id, body, time.Now())
	}
	return h
}

func post(t *testing.T, address string, header http.Header, body []byte) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, bytes.NewReader(body))
	worked(t, err)
	req.Header = header
	res, err := http.DefaultClient.Do(req)
	worked(t, err)
	_ = res.Body.Close()
	return res.StatusCode
}

// hookOf is where a receiver listens: its own address is that of the instance for others.
func (p *program) hookOf(r *apiv1.Receiver) string {
	_, id, _ := strings.Cut(r.GetUrl(), "/hooks/")
	return p.url + "/hooks/" + id
}

func triggerDocument(name, on string) string {
	return "apiVersion: seatrial.dev/v1\nkind: Trigger\nmetadata: {name: " + name + "}\nspec:\n  " + on + "\n  workflows: [{name: checkout}]\n"
}

// TestTriggers: what each sender signs starts exactly the workflows that are for it, what is sent again starts nothing, and what is forged is
// refused. All of it is on record.
func TestTriggers(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	c := p.clients(p.token)
	triggers := apiv1connect.NewTriggerServiceClient(c.http, p.url)
	_, err := c.clusters.EnrollCluster(t.Context(), &apiv1.EnrollClusterRequest{Name: "harbour", Namespace: "tests", Environment: "staging"})
	worked(t, err)
	payload := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join("..", "forge", "testdata", name+".json"))
		worked(t, err)
		return text
	}
	cases := map[string]struct {
		body     []byte
		matching string // fires
		passed   string // is looked at and does not
	}{
		"github":      {payload("github-push"), `git: {repository: binkkatal/sample_app, paths: ["app/**"]}`, `git: {repository: binkkatal/sample_app, paths: ["docs/**"]}`},
		"gitlab":      {payload("gitlab-push"), `git: {repository: mike/diaspora, branches: [master]}`, `git: {repository: mike/diaspora, branches: ["release/*"]}`},
		"gitea":       {payload("gitea-push"), `git: {repository: example/example}`, `git: {repository: example/example, events: [tag]}`},
		"bitbucket":   {payload("bitbucket-push"), `git: {repository: team_name/repo_name, branches: ["name-*"]}`, `git: {repository: team_name/repo_name, branches: [main]}`},
		"webhook":     {[]byte(`{"action":"deployed","env":"staging"}`), `webhook: {receiver: from-webhook, filter: 'body.action == "deployed"'}`, `webhook: {receiver: from-webhook, filter: 'body.env == "production"'}`},
		"cloudevents": {[]byte(`{"subject":{"id":"shop"}}`), `event: {receiver: from-cloudevents, types: ["dev.cdevents.service.*"], filter: 'event.data.subject.id == "shop"'}`, `event: {receiver: from-cloudevents, types: ["dev.cdevents.build.*"]}`},
	}
	sources := []string{document}
	address, secrets := map[string]string{}, map[string]string{}
	for kind, tc := range cases {
		made, err := triggers.CreateReceiver(t.Context(), &apiv1.CreateReceiverRequest{Name: "from-" + kind, Kind: kind})
		worked(t, err)
		address[kind] = p.hookOf(made.GetReceiver())
		secrets[kind] = made.GetSecret()
		sources = append(sources, triggerDocument("yes-"+kind, tc.matching), triggerDocument("no-"+kind, tc.passed))
	}
	for _, source := range sources {
		_, err := c.workflows.ApplyWorkflow(t.Context(), &apiv1.ApplyWorkflowRequest{Source: source})
		worked(t, err)
	}
	for kind, tc := range cases {
		if code := post(t, address[kind], signedBy(kind, "guess", tc.body, "forged"), tc.body); code != http.StatusUnauthorized {
			t.Errorf("%s forged: %d", kind, code)
		}
		for i, want := range []int{http.StatusAccepted, http.StatusOK} {
			if code := post(t, address[kind], signedBy(kind, secrets[kind], tc.body, "delivery-1"), tc.body); code != want {
				t.Errorf("%s sent %d times: %d, want %d", kind, i+1, code, want)
			}
		}
	}
	if code := post(t, p.url+"/hooks/018f0000-0000-7000-8000-0000000000a1", nil, []byte("{}")); code != http.StatusNotFound {
		t.Errorf("a receiver that there is not: %d", code)
	}
	var got []string
	for _, e := range judged(t, triggers, len(cases)) {
		for _, r := range e.GetReactions() {
			if r.GetState() != "started" || len(r.GetStarted()) != 1 || r.GetStarted()[0].GetExecutionId() == "" {
				t.Errorf("%v", r)
			}
			got = append(got, r.GetTrigger())
		}
		if len(e.GetReactions()) != 1 || len(e.GetPassed()) != 1 || e.GetPassed()[0].GetWhy() == "" {
			t.Errorf("event %s: %v, %v", e.GetSource(), e.GetReactions(), e.GetPassed())
		}
	}
	slices.Sort(got)
	if want := []string{"yes-bitbucket", "yes-cloudevents", "yes-gitea", "yes-github", "yes-gitlab", "yes-webhook"}; !slices.Equal(got, want) {
		t.Errorf("fired: %v", got)
	}
	list, err := c.executions.ListExecutions(t.Context(), &apiv1.ListExecutionsRequest{})
	worked(t, err)
	if len(list.GetExecutions()) != len(cases) {
		t.Errorf("%d executions", len(list.GetExecutions()))
	}
	receivers, err := triggers.ListReceivers(t.Context(), &apiv1.ListReceiversRequest{})
	worked(t, err)
	for _, r := range receivers.GetReceivers() {
		if r.GetRefused() == "" || r.GetHeardAt() == nil {
			t.Errorf("%v", r)
		}
	}
}

// judged waits until that many events have been dealt with, and returns them.
func judged(t *testing.T, triggers apiv1connect.TriggerServiceClient, n int) []*apiv1.Event {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		list, err := triggers.ListEvents(t.Context(), &apiv1.ListEventsRequest{})
		worked(t, err)
		done := 0
		for _, e := range list.GetEvents() {
			if e.GetJudged() && !slices.ContainsFunc(e.GetReactions(), func(r *apiv1.Reaction) bool { return r.GetState() == "waiting" }) {
				done++
			}
		}
		if done >= n && done == len(list.GetEvents()) {
			return list.GetEvents()
		}
		<-tick.C
	}
}

// TestTriggers_EndOfWorkflow: the end of one workflow starts another, and never itself again.
func TestTriggers_EndOfWorkflow(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	c := p.clients(p.token)
	triggers := apiv1connect.NewTriggerServiceClient(c.http, p.url)
	_, err := c.clusters.EnrollCluster(t.Context(), &apiv1.EnrollClusterRequest{Name: "harbour", Namespace: "tests", Environment: "staging"})
	worked(t, err)
	for _, source := range []string{
		document, strings.Replace(document, "name: checkout", "name: cleanup", 1),
		strings.Replace(triggerDocument("after", "workflow: {name: checkout, when: [cancelled]}"), "name: checkout}]", "name: cleanup}]", 1),
		triggerDocument("again", "workflow: {name: checkout, when: [cancelled]}"),
		triggerDocument("back", "workflow: {name: cleanup, when: [cancelled]}"), // so that after leads back as well
	} {
		_, err := c.workflows.ApplyWorkflow(t.Context(), &apiv1.ApplyWorkflowRequest{Source: source})
		worked(t, err)
	}
	stop := func() *apiv1.Event {
		run, err := c.executions.RunWorkflow(t.Context(), &apiv1.RunWorkflowRequest{Workflow: "checkout", Commit: strings.Repeat("c0ffee", 7)[:40]})
		worked(t, err)
		_, err = c.executions.CancelExecution(t.Context(), &apiv1.CancelExecutionRequest{Id: run.GetExecution().GetId()})
		worked(t, err)
		list, err := triggers.ListEvents(t.Context(), &apiv1.ListEventsRequest{})
		worked(t, err)
		return judged(t, triggers, len(list.GetEvents()))[0]
	}
	e := stop()
	if len(e.GetReactions()) != 0 || len(e.GetPassed()) != 2 || !strings.Contains(e.GetPassed()[0].GetWhy(), "round in a circle") || !strings.Contains(e.GetPassed()[1].GetWhy(), "round in a circle") {
		t.Errorf("round and round: %v", e)
	}
	_, err = triggers.RemoveTrigger(t.Context(), &apiv1.RemoveTriggerRequest{Name: "back"})
	worked(t, err)
	e = stop()
	if len(e.GetReactions()) != 1 || e.GetReactions()[0].GetTrigger() != "after" || e.GetReactions()[0].GetState() != "started" || e.GetSubject() != "checkout" || e.GetType() != "cancelled" {
		t.Fatalf("%v", e)
	}
	started, err := c.executions.GetExecution(t.Context(), &apiv1.GetExecutionRequest{Id: e.GetReactions()[0].GetStarted()[0].GetExecutionId()})
	worked(t, err)
	if got := started.GetExecution(); got.GetWorkflow() != "cleanup" || got.GetTrigger() != "workflow-end" || got.GetActor() != "trigger after" {
		t.Errorf("%v", got)
	}
}
