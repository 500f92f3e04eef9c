package e2e_test

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/forge"
	"github.com/seatrial/seatrial/integration/harness"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

// bearer sends a token with every request.
type bearer string

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

func (p *plane) client() *http.Client { return &http.Client{Transport: bearer(p.token)} }

// join starts one more replica with the database, keys and certificates of the first.
func (p *plane) join(t *testing.T, dsn string) *plane {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"encryption.keys", "agent-ca.key", "agent-ca.crt"} {
		text, err := os.ReadFile(filepath.Join(p.dir, "data", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "data", name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	other := startPlaneWith(t, dir, "--database", dsn)
	other.token = p.token
	return other
}

// TestSchedule has three replicas start a test in the cluster every two seconds, through the death of each that works and of all of them: each
// due time has one execution, whose pod ran.
func TestSchedule(t *testing.T) {
	t.Parallel()
	dsn := harness.Postgres(t)
	p := startPlaneWith(t, t.TempDir(), "--database", dsn)
	installAgent(t, p)
	all := []*plane{p, p.join(t, dsn), p.join(t, dsn)}
	p.apply(t, fmt.Sprintf(documented, "smoke", "scheduled"))
	p.apply(t, "apiVersion: seatrial.dev/v1\nkind: Schedule\nmetadata: {name: restless}\nspec: {cron: \"*/2 * * * * *\", catchUp: all, workflows: [{name: smoke}]}\n")
	schedules := apiv1connect.NewScheduleServiceClient(p.client(), p.url)
	firings := func() []*apiv1.Firing {
		t.Helper()
		list, err := schedules.ListFirings(t.Context(), &apiv1.ListFiringsRequest{Name: "restless", PageSize: 1000})
		if err != nil {
			t.Fatal(err)
		}
		return list.GetFirings()
	}
	until := func(n int) {
		t.Helper()
		for deadline := time.Now().Add(patience); ; <-time.After(200 * time.Millisecond) {
			if len(firings()) >= n {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d firings", len(firings()))
			}
		}
	}
	until(3)
	for _, one := range all[1:] { // the first restart: those beside it are killed, one after the other
		one.stop(t, syscall.SIGKILL)
		one.start(t)
	}
	until(8)
	for _, one := range all { // the second: all at once
		one.stop(t, syscall.SIGKILL)
	}
	for _, one := range all {
		one.start(t)
	}
	until(12)
	if _, err := schedules.SuspendSchedule(t.Context(), &apiv1.SuspendScheduleRequest{Name: "restless"}); err != nil {
		t.Fatal(err)
	}
	found := firings()
	claimed := func(f *apiv1.Firing) bool { return f.GetState() == "claimed" } // a replica is starting what it is of
	for deadline := time.Now().Add(patience); slices.ContainsFunc(found, claimed) && time.Now().Before(deadline); found = firings() {
		<-time.After(200 * time.Millisecond)
	}
	slices.SortFunc(found, func(a, b *apiv1.Firing) int {
		return cmp.Compare(a.GetDue().AsTime().Unix(), b.GetDue().AsTime().Unix())
	})
	started := map[string]bool{}
	for i, f := range found {
		if i > 0 && f.GetDue().AsTime().Sub(found[i-1].GetDue().AsTime()) != 2*time.Second {
			t.Errorf("%s follows %s", f.GetDue().AsTime(), found[i-1].GetDue().AsTime())
		}
		if f.GetState() != "started" || len(f.GetStarted()) != 1 {
			t.Errorf("at %s: %v", f.GetDue().AsTime(), f)
			continue
		}
		id := f.GetStarted()[0].GetExecutionId()
		started[id] = true
		if e := p.ended(t, id); e.GetStatus() != apiv1.Status_STATUS_PASSED {
			t.Errorf("%s ended as %s: %s", id, e.GetStatus(), e.GetMessage())
		}
	}
	list, err := apiv1connect.NewExecutionServiceClient(p.client(), p.url).ListExecutions(t.Context(), &apiv1.ListExecutionsRequest{PageSize: 500})
	if err != nil {
		t.Fatal(err)
	}
	if len(started) != len(found) || len(list.GetExecutions()) != len(found) {
		t.Errorf("%d due times started %d executions, and there are %d", len(found), len(started), len(list.GetExecutions()))
	}
}

// TestSchedule_Pushes has each forge push to a repository, as its documentation shows it: the test that is for it runs in the cluster, the one
// that is not does not, a forged push is refused, and one that is delivered again starts nothing.
func TestSchedule_Pushes(t *testing.T) {
	t.Parallel()
	p := startPlane(t, t.TempDir())
	installAgent(t, p)
	triggers := apiv1connect.NewTriggerServiceClient(p.client(), p.url)
	forges := map[string]string{"github": "binkkatal/sample_app", "gitlab": "mike/diaspora", "gitea": "example/example", "bitbucket": "team_name/repo_name"}
	for kind, repository := range forges {
		body, err := os.ReadFile(filepath.Join("..", "..", "controlplane", "forge", "testdata", kind+"-push.json"))
		if err != nil {
			t.Fatal(err)
		}
		made, err := triggers.CreateReceiver(t.Context(), &apiv1.CreateReceiverRequest{Name: "from-" + kind, Kind: kind})
		if err != nil {
			t.Fatal(err)
		}
		for flow, of := range map[string]string{kind: repository, "not-" + kind: "somebody/else"} {
			p.apply(t, fmt.Sprintf(documented, flow, "pushed"))
			p.apply(t, "apiVersion: seatrial.dev/v1\nkind: Trigger\nmetadata: {name: on-"+flow+"}\nspec:\n  git: {repository: "+of+"}\n  workflows: [{name: "+flow+"}]\n")
		}
		for i, c := range []struct {
			secret string
			want   int
		}{{"forged", http.StatusUnauthorized}, {made.GetSecret(), http.StatusAccepted}, {made.GetSecret(), http.StatusOK}} {
			if got := p.push(t, made.GetReceiver().GetUrl(), kind, c.secret, body); got != c.want {
				t.Errorf("%s, push %d: %d, want %d", kind, i, got, c.want)
			}
		}
	}
	executions := apiv1connect.NewExecutionServiceClient(p.client(), p.url)
	for kind := range forges {
		var list []*apiv1.Execution
		for deadline := time.Now().Add(patience); len(list) == 0 && time.Now().Before(deadline); <-time.After(200 * time.Millisecond) {
			got, err := executions.ListExecutions(t.Context(), &apiv1.ListExecutionsRequest{Workflow: kind})
			if err != nil {
				t.Fatal(err)
			}
			list = got.GetExecutions()
		}
		if len(list) != 1 {
			t.Fatalf("%s started %d executions", kind, len(list))
		}
		if e := p.ended(t, list[0].GetId()); e.GetStatus() != apiv1.Status_STATUS_PASSED {
			t.Errorf("%s ended as %s: %s", kind, e.GetStatus(), e.GetMessage())
		}
	}
	got, err := executions.ListExecutions(t.Context(), &apiv1.ListExecutionsRequest{})
	if err != nil || len(got.GetExecutions()) != len(forges) {
		t.Errorf("%d executions of %d pushes, %v", len(got.GetExecutions()), len(forges), err)
	}
}

// push delivers a payload as a forge does, and returns the status of the answer.
func (p *plane) push(t *testing.T, address, kind, secret string, body []byte) int {
	t.Helper()
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	sum := hex.EncodeToString(mac.Sum(nil))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if kind == "gitlab" {
		req.Header = forge.Sign(secret, "delivery-1", body, time.Now())
	}
	for name, value := range map[string]map[string]string{
		"github":    {"X-GitHub-Event": "push", "X-GitHub-Delivery": "delivery-1", "X-Hub-Signature-256": "sha256=" + sum},
		"gitlab":    {"X-Gitlab-Event": "Push Hook"},
		"gitea":     {"X-Gitea-Event": "push", "X-Gitea-Delivery": "delivery-1", "X-Gitea-Signature": sum},
		"bitbucket": {"X-Event-Key": "repo:push", "X-Request-UUID": "delivery-1", "X-Hub-Signature": "sha256=" + sum},
	}[kind] {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}
