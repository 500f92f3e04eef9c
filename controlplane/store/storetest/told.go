package storetest

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/notify"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
)

// body is what a receiver of Standard Webhooks reads.
type body struct {
	Type string
	Data struct {
		Text, Link string
		Flaky      []struct{ Name string }
		Release    struct{ Application, Version, Before, After, Cause string }
	}
}

func (r *receiver) bodies(t *testing.T) (out []body) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, text := range r.body {
		var b body
		if err := json.Unmarshal([]byte(text), &b); err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

// webhookFlaky has a test that passes, and then fails every other time on the same images. That is told once.
func webhookFlaky(t *testing.T, f *fixture) {
	f.now = time.Now() // results are judged by when they were stored
	r := receive(t, taken)
	f.hook(t, "mine", r.URL, notify.Flaky)
	_, s := f.notifying(time.Second, here())
	run := func(outcome string) {
		t.Helper()
		f.now = f.now.Add(time.Minute)
		f.reported(t, execution.TestResult{Key: "k", Name: "pays", Outcome: outcome}, subject(f.now, shopImage))
		f.now = f.now.Add(2 * time.Minute) // its results have come in by then
		f.send(t, s)
	}
	for range 3 {
		run("passed")
	}
	if n := r.count(); n != 0 {
		t.Fatalf("a test that passes was told %d times", n)
	}
	for i := 0; i < 4 && r.count() == 0; i++ {
		run("failed")
		run("passed")
	}
	told := r.bodies(t)
	if len(told) != 1 || told[0].Type != "tests.flaky" || len(told[0].Data.Flaky) != 1 || told[0].Data.Flaky[0].Name != "cart › pays" ||
		told[0].Data.Text != "A test of smoke has become flaky: cart › pays" || !strings.HasPrefix(told[0].Data.Link, "https://seatrial.example/o/default/executions/") {
		t.Fatalf("told %+v", told)
	}
	for range 3 {
		run("failed")
		run("passed")
	}
	if n := r.count(); n != 1 {
		t.Errorf("what is known already was told %d times", n)
	}
}

// webhookVerdict has the verdict on a release change: each change is told once, what stays is not.
func webhookVerdict(t *testing.T, f *fixture) {
	r, elsewhere := receive(t, taken), receive(t, taken)
	f.hook(t, "mine", r.URL, notify.Verdict)
	service, s := f.notifying(time.Second, here())
	if _, _, _, err := service.Set(f.as(t), notify.Setting{
		Webhook: notify.Webhook{Name: "failures", Events: []notify.Event{notify.Failed}}, URL: elsewhere.URL,
	}); err != nil {
		t.Fatal(err)
	}
	shop := f.releasing(t, "1.2", "")
	for _, state := range []verdict.State{verdict.Incomplete, verdict.Incomplete, verdict.Ready, verdict.Ready, verdict.NotReady} {
		f.decided(t, shop, state)
		f.send(t, s)
	}
	var got []string
	for _, b := range r.bodies(t) {
		if d := b.Data.Release; b.Type != "release.verdict" || d.Application != "shop" || d.Version != "1.2" || b.Data.Link != "https://seatrial.example/o/default/releases/shop/1.2" {
			t.Errorf("told %+v", b)
		}
		got = append(got, b.Data.Release.Before+">"+b.Data.Release.After)
	}
	if want := ">INCOMPLETE INCOMPLETE>READY READY>NOT_READY"; strings.Join(got, " ") != want {
		t.Errorf("told %q, want %q", got, want)
	}
	if n := elsewhere.count(); n != 0 {
		t.Errorf("who has not asked was told %d times", n)
	}
}

// postman is a mail server that answers as it is told to.
type postman struct {
	mu   sync.Mutex
	got  []notify.Mail
	fail error
}

func (p *postman) Allows(string) error { return nil }

func (p *postman) Send(_ context.Context, m notify.Mail) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got = append(p.got, m)
	return p.fail
}

// webhookMailed sends mail: again while the server does not take it, with the same id, and not again when it never will.
func webhookMailed(t *testing.T, f *fixture) {
	p := &postman{fail: fault.New(fault.Unavailable, "grey")}
	service, s := f.notifying(time.Second)
	set := func(address string) error {
		_, _, _, err := service.Set(f.as(t), notify.Setting{Webhook: notify.Webhook{Name: "qa", Format: notify.Email}, URL: address})
		return err
	}
	if err := set("mailto:qa@example.test"); !fault.Is(err, fault.Unsupported) {
		t.Errorf("without a mail server: %v", err)
	}
	s.Mail = p
	for _, bad := range []string{"https://example.test", "mailto:qa", "mailto:"} {
		if err := set(bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if err := set("mailto:qa@example.test,Lead <lead@example.test>"); err != nil {
		t.Fatal(err)
	}
	f.ran(t, execution.Failed)
	f.send(t, s)
	p.fail = nil
	f.now = f.now.Add(time.Minute)
	f.send(t, s)
	if len(p.got) != 2 || p.got[0].ID != p.got[1].ID || len(p.got[0].To) != 2 || p.got[0].To[1] != "lead@example.test" || !strings.Contains(p.got[0].Subject, "smoke failed") ||
		!strings.Contains(p.got[0].Text, "https://seatrial.example/o/default/settings/webhooks/qa") {
		t.Fatalf("%+v", p.got)
	}
	if d := f.deliveries(t, "qa"); d[0].State != notify.Delivered || d[0].Attempts != 2 {
		t.Errorf("%+v", d)
	}
	f.ran(t, execution.Passed)
	f.send(t, s)
	if last := p.got[len(p.got)-1]; last.Thread != p.got[0].Thread || last.ID == p.got[0].ID {
		t.Errorf("of one workflow: %+v, %+v", p.got[0], last)
	}
	p.fail = fault.New(fault.Invalid, "no such mailbox")
	f.ran(t, execution.Failed)
	f.send(t, s)
	if d := f.deliveries(t, "qa"); d[0].State != notify.GivenUp || !strings.Contains(d[0].Error, "no such mailbox") || d[0].Attempts != 1 {
		t.Errorf("refused for good: %+v", d[0])
	}
	if d, err := service.Test(f.as(t), "qa"); err != nil || d.State != notify.GivenUp {
		t.Errorf("test: %+v, %v", d, err)
	}
}
