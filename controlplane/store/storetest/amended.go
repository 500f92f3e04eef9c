package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/notify"
)

// webhookChanged changes a webhook part by part: what is not given stays.
func webhookChanged(t *testing.T, f *fixture) {
	service, _ := f.notifying(time.Second, here())
	set := func(in notify.Setting) (notify.Webhook, string) {
		t.Helper()
		in.Name = "chat"
		w, secret, _, err := service.Set(f.as(t), in)
		if err != nil {
			t.Fatal(err)
		}
		return w, secret
	}
	filter := notify.Filter{Workflows: []string{"smoke*"}, Labels: map[string]string{"tier": "gold"}, Environments: []string{"eu-*"}}
	want, secret := set(notify.Setting{Webhook: notify.Webhook{Filter: filter, Template: "${{ event.text }}"}, URL: "http://127.0.0.1:1/one?token=hidden"})
	if want.Format != notify.Standard || !cmp.Equal(want.Events, notify.Usual()) || !strings.HasPrefix(secret, "whsec_") || want.Address != "http://127.0.0.1:1" {
		t.Fatalf("a new one: %+v %q", want, secret)
	}
	parts := []struct {
		in     notify.Setting
		change func()
		reason string
	}{
		{notify.Setting{}, func() {}, "nothing is given"},
		{notify.Setting{Webhook: notify.Webhook{Events: []notify.Event{notify.Verdict}}}, func() { want.Events = []notify.Event{notify.Verdict} }, "what is not empty is given"},
		{
			notify.Setting{Webhook: notify.Webhook{Events: []notify.Event{notify.Fixed}, Template: "x"}, Given: []notify.Part{notify.PartTemplate}},
			func() { want.Template = "x" }, "what is not named stays",
		},
		{
			notify.Setting{Given: []notify.Part{notify.PartWorkflows, notify.PartLabels}},
			func() { want.Filter.Workflows, want.Filter.Labels = nil, nil }, "what is named is lifted when it is empty",
		},
		{notify.Setting{Given: []notify.Part{}}, func() {}, "nothing is named"},
		{notify.Setting{Given: []notify.Part{notify.PartEvents}}, func() { want.Events = notify.Usual() }, "without events it hears of the usual ones"},
		{notify.Setting{URL: "http://127.0.0.1:1/two"}, func() {}, "only the address is given, of which the path is not shown"},
	}
	for _, p := range parts {
		p.change()
		got, again := set(p.in)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || again != "" {
			t.Errorf("%s: secret %q (-want +got)\n%s", p.reason, again, diff)
		}
	}
	kept, err := f.WebhookSecrets(f.as(t), "chat")
	if err != nil || kept.URL != "http://127.0.0.1:1/two" || len(kept.Tokens) != 1 || kept.Tokens[0] != secret {
		t.Errorf("the secret stays: %+v, %v", kept, err)
	}
	if _, fresh := set(notify.Setting{URL: "http://127.0.0.2:1/"}); fresh == "" || fresh == secret {
		t.Error("another server was given the secret of the one before")
	}
	if w, fresh := set(notify.Setting{Webhook: notify.Webhook{Format: notify.Slack}}); fresh != "" || w.Format != notify.Slack || !cmp.Equal(w.Events, notify.Usual()) {
		t.Errorf("another format: %+v %q", w, fresh)
	}
	if kept, err := f.WebhookSecrets(f.as(t), "chat"); err != nil || len(kept.Tokens) != 0 {
		t.Errorf("another format has the secret: %v, %v", kept.Tokens, err)
	}
	for reason, in := range map[string]notify.Setting{
		"no such part": {Given: []notify.Part{"url"}}, "no such event": {Webhook: notify.Webhook{Events: []notify.Event{"boom"}}},
		"no such format": {Webhook: notify.Webhook{Format: "pigeon"}},
	} {
		in.Name = "chat"
		if _, _, _, err := service.Set(f.as(t), in); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", reason, err)
		}
	}
}
