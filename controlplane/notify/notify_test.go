package notify_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/notify"
)

var update = flag.Bool("update", false, "write the golden files")

// TestSign_Vector is the example that the implementations of Standard Webhooks share.
func TestSign_Vector(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	err := notify.Sign(h, []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := h.Get("webhook-signature"); got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("signature %s", got)
	}
	if h.Get("webhook-timestamp") != "1614265330" {
		t.Errorf("%v", h)
	}
}

func TestCheckSecret(t *testing.T) {
	t.Parallel()
	if err := notify.CheckSecret(notify.NewSecret()); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "whsec_", "whsec_AAAA", "whsec_!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} {
		if notify.CheckSecret(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func happening(status, before execution.Status) notify.Happening {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return notify.Happening{
		Notice: notify.Notice{Kind: notify.OfExecution, At: at}, Link: "https://seatrial.example/o/acme/executions/1", Home: "https://seatrial.example/o/acme",
		Ended: &notify.Ended{Before: before, Labels: map[string]string{"suite": "api"}, Execution: execution.Execution{
			ID: uuid.MustParse("018f0000-0000-7000-8000-000000000001"), Workflow: "checkout <e2e>", Revision: 3, Status: status, Message: "exit code 1 & *more*",
			Commit: "c0ffee", Actor: "ann", Trigger: "api", StartedAt: at.Add(-time.Minute), FinishedAt: at,
			Tests: execution.Counts{Total: 10, Passed: 8, Failed: 1, Errored: 1}, Runs: []execution.Run{{Environment: "staging"}, {Environment: "prod"}},
		}},
	}
}

func TestRender_Golden(t *testing.T) {
	t.Parallel()
	flaky := happening(execution.Passed, execution.Passed)
	flaky.Kind, flaky.Flaky = notify.OfTests, []notify.Unreliable{{Test: "k", Name: "cart › adds", Runs: 9, Bad: 2}}
	events := map[string]notify.Happening{
		"failed": happening(execution.Failed, execution.Passed), "fixed": happening(execution.Passed, execution.Failed), "flaky": flaky,
		"verdict": {Notice: notify.Notice{Kind: notify.OfRelease, At: flaky.At}, Link: "https://seatrial.example/o/acme/releases/shop/1.2", Change: &notify.Change{
			Application: "shop", Version: "1.2", Before: "READY", After: "NOT_READY", Cause: "An execution ended.",
		}},
	}
	for _, format := range append(notify.Formats(), notify.Email) {
		for name, h := range events {
			m, ok, err := notify.Render(notify.Webhook{Name: "qa", Team: "core", Format: format}, h.Events()[0], h)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				continue
			}
			var pretty bytes.Buffer
			_, _ = pretty.WriteString(m.About + "\n" + m.Path + "\n")
			if err := json.Indent(&pretty, m.Body, "", "  "); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", string(format)+"-"+name+".golden")
			if *update {
				if err := os.WriteFile(file, pretty.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil || !bytes.Equal(want, pretty.Bytes()) {
				t.Errorf("%s: %v\n%s", file, err, pretty.String())
			}
		}
	}
}

func TestRender_Template(t *testing.T) {
	t.Parallel()
	h := happening(execution.Failed, "")
	w := notify.Webhook{Format: notify.Slack, Template: "${{ execution.workflow }}: ${{ tests.failed }} of ${{ tests.total }}${{ release.version }}"}
	m, _, err := notify.Render(w, notify.Failed, h)
	if err != nil || !bytes.Contains(m.Body, []byte(`: 2 of 10"`)) {
		t.Errorf("%s, %v", m.Body, err)
	}
	for _, bad := range []string{"${{ execution.nope }}", "${{ env.HOME }}", "${{"} {
		if notify.CheckTemplate(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestWebhook_Wants(t *testing.T) {
	t.Parallel()
	all := []notify.Event{notify.Finished, notify.Failed, notify.Fixed}
	h := happening(execution.Failed, execution.Passed)
	h.Ended.Workflow = "checkout-e2e"
	for name, tc := range map[string]struct {
		hook   notify.Webhook
		want   notify.Event
		reason string
	}{
		"Telling":     {notify.Webhook{Events: all}, notify.Failed, "one message, the most telling"},
		"Finished":    {notify.Webhook{Events: all[:1]}, notify.Finished, "it has finished as well"},
		"Other":       {notify.Webhook{Events: all[2:]}, "", "it is not fixed"},
		"Workflow":    {notify.Webhook{Events: all, Filter: notify.Filter{Workflows: []string{"pay-*", "checkout-*"}}}, notify.Failed, "one matches"},
		"NoWorkflow":  {notify.Webhook{Events: all, Filter: notify.Filter{Workflows: []string{"pay-*"}}}, "", "none matches"},
		"Label":       {notify.Webhook{Events: all, Filter: notify.Filter{Labels: map[string]string{"suite": "api"}}}, notify.Failed, "it has it"},
		"NoLabel":     {notify.Webhook{Events: all, Filter: notify.Filter{Labels: map[string]string{"suite": "ui"}}}, "", "it has another"},
		"Environment": {notify.Webhook{Events: all, Filter: notify.Filter{Environments: []string{"prod"}}}, notify.Failed, "one of two"},
		"Either":      {notify.Webhook{Events: all, Filter: notify.Filter{Workflows: []string{"{pay,checkout}-*"}}}, notify.Failed, "one of both matches"},
		"Paused":      {notify.Webhook{Events: all, PausedBy: "ann"}, "", "nothing"},
		"Suspended":   {notify.Webhook{Events: all, Suspended: true}, "", "its document says so"},
		"Nowhere":     {notify.Webhook{Events: all, Address: "none"}, "", "nobody has set its address"},
	} {
		tc.hook.Address = strings.TrimPrefix(cmp.Or(tc.hook.Address, "https://ci.test"), "none")
		if got, _ := tc.hook.Wants(h); got != tc.want {
			t.Errorf("%s: %q, want %q: %s", name, got, tc.want, tc.reason)
		}
	}
}
