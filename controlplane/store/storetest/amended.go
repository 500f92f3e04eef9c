package storetest

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/notify"
	"github.com/seatrial/seatrial/controlplane/origin"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
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
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(notify.Webhook{}, "UpdatedAt")); diff != "" || again != "" {
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

// hookDocument is a webhook as a document.
func hookDocument(t *testing.T, spec string) (*document.WebhookDocument, string) {
	t.Helper()
	source := "apiVersion: seatrial.dev/v1\nkind: Webhook\nmetadata: {name: chat}\nspec: {" + spec + "}\n"
	read := parse.Read([]byte(source))
	doc, ok := read.Value.(*document.WebhookDocument)
	if !ok || len(read.Faults) > 0 {
		t.Fatal(read.Faults)
	}
	return doc, source
}

// webhookDocuments has a webhook stand in a document, without anything that is secret.
func webhookDocuments(t *testing.T, f *fixture) {
	r := receive(t, taken)
	service, s := f.notifying(time.Second, here())
	apply := func(spec string, created, changed bool) notify.Webhook {
		t.Helper()
		doc, source := hookDocument(t, spec)
		w, c, d, err := f.ApplyWebhook(f.as(t), "chat", doc.Digest, "", notify.Bring(doc, source))
		if err != nil || c != created || d != changed {
			t.Fatalf("%s: created %t, changed %t, %v", spec, c, d, err)
		}
		return w
	}
	told := func(want int, reason string) {
		t.Helper()
		f.ran(t, execution.Failed)
		f.send(t, s)
		if n := r.count(); n != want {
			t.Errorf("%s: told %d times, want %d", reason, n, want)
		}
	}
	if w := apply(slackSpec, true, true); w.Revision != 1 || w.Address != "" || w.Listens() {
		t.Errorf("%+v", w)
	}
	apply(slackSpec, false, false)
	told(0, "nobody has set its address")
	if _, err := service.Test(f.as(t), "chat"); !fault.Is(err, fault.Conflict) {
		t.Errorf("a test without an address: %v", err)
	}
	if _, _, _, err := service.Set(f.as(t), notify.Setting{Webhook: notify.Webhook{Name: "chat"}, URL: r.URL + "/T/B/secret", Token: "hidden"}); err != nil {
		t.Fatal(err)
	}
	told(1, "its address was set by hand")
	if _, _, _, err := service.Set(f.as(t), notify.Setting{Webhook: notify.Webhook{Name: "chat", Events: []notify.Event{notify.Fixed}}}); !fault.Is(err, fault.Conflict) {
		t.Errorf("what its document says is changed by hand: %v", err)
	}
	if w := apply(slackSpec+", suspend: true", false, true); w.Revision != 2 || !w.Suspended {
		t.Errorf("%+v", w)
	}
	told(1, "its document suspends it")
	kept := func(want notify.Secrets, reason string) {
		t.Helper()
		if got, err := f.WebhookSecrets(f.as(t), "chat"); err != nil || !cmp.Equal(got, want, cmpopts.EquateEmpty()) {
			t.Errorf("%s: %+v, %v", reason, got, err)
		}
	}
	set := notify.Secrets{URL: r.URL + "/T/B/secret", Tokens: []string{"hidden"}}
	kept(set, "the document changes")
	f.removed(t)
	told(1, "its document is gone")
	if _, err := f.Webhook(f.as(t), "chat"); !fault.Is(err, fault.NotFound) {
		t.Errorf("its document is gone: %v", err)
	}
	apply(slackSpec, true, true)
	kept(set, "the document comes back")
	told(2, "the document comes back")
	apply("format: standard, url: '"+r.URL+"/hook', events: [execution.failed]", false, true)
	if got, err := f.WebhookSecrets(f.as(t), "chat"); err != nil || got.URL != r.URL+"/hook" || len(got.Tokens) != 1 || got.Tokens[0] == "hidden" {
		t.Errorf("another format, whose secret nobody has seen: %+v, %v", got, err)
	}
	if _, _, _, err := service.Set(f.as(t), notify.Setting{Webhook: notify.Webhook{Name: "chat"}, URL: r.URL + "/other"}); !fault.Is(err, fault.Conflict) {
		t.Errorf("an address that the document says: %v", err)
	}
	f.removed(t)
	if w, secret, created, err := service.Set(f.as(t), notify.Setting{Webhook: notify.Webhook{Name: "chat"}, URL: r.URL}); err != nil || !created || secret == "" || w.Digest != "" || !cmp.Equal(w.Events, notify.Usual()) {
		t.Errorf("made by hand after its document has gone: %+v, %v", w, err)
	}
	f.removed(t)
	if _, err := f.SweepNotices(tenant.System(t.Context()), f.now.Add(time.Hour), 100); err != nil {
		t.Fatal(err)
	}
	apply(slackSpec, true, true)
	kept(notify.Secrets{}, "long after")
}

// webhookAnother: what is on its way to a webhook does not come to one that takes its place, by another format or after it was removed.
func webhookAnother(t *testing.T, f *fixture) {
	r, next := receive(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }), receive(t, taken)
	service, s := f.notifying(time.Second, here())
	s.Mail = &postman{}
	set := func(format notify.Format, url string) error {
		_, _, _, err := service.Set(f.as(t), notify.Setting{Webhook: notify.Webhook{Name: "chat", Format: format}, URL: url})
		return err
	}
	gone := func(reason string) {
		t.Helper()
		f.now = f.now.Add(time.Minute)
		f.send(t, s)
		for _, d := range f.deliveries(t, "chat") {
			if d.State != notify.GivenUp {
				t.Errorf("%s: %+v", reason, d)
			}
		}
		if n := next.count(); n != 0 {
			t.Errorf("%s: the other one was sent %d", reason, n)
		}
	}
	if err := set(notify.Slack, r.URL); err != nil {
		t.Fatal(err)
	}
	f.ran(t, execution.Failed)
	f.send(t, s)
	if err := set(notify.Email, ""); !fault.Is(err, fault.Invalid) {
		t.Errorf("mail to the address of a chat: %v", err)
	}
	if err := set(notify.Email, "mailto:qa@example.test"); err != nil {
		t.Fatal(err)
	}
	gone("it is mail since")
	if err := set(notify.Slack, r.URL); err != nil {
		t.Fatal(err)
	}
	f.ran(t, execution.Failed)
	f.send(t, s)
	if _, err := service.Pause(f.as(t), "chat", true); err != nil {
		t.Fatal(err)
	}
	f.removed(t)
	if err := set(notify.Slack, next.URL); err != nil {
		t.Fatal(err)
	}
	if list := f.deliveries(t, "chat"); len(list) != 0 {
		t.Errorf("made anew it has deliveries: %+v", list)
	}
	if w, err := service.Get(f.as(t), "chat"); err != nil || w.Paused() || w.Revision > 1 {
		t.Errorf("made anew: %+v, %v", w, err)
	}
	gone("it was made anew")
}

// slackSpec is a webhook as its document has it.
const slackSpec = "format: slack, events: [execution.failed]"

// removed has a repository bring the document of the webhook and lose it.
func (f *fixture) removed(t *testing.T) {
	t.Helper()
	doc, source := hookDocument(t, slackSpec)
	claim, err := f.SeeClaim(f.as(t), origin.Claim{
		Origin: f.in("tests"), Kind: document.WebhookKind, Name: "chat", UID: "u", Generation: 1, Source: source, Digest: doc.Digest, Adopt: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx := origin.With(f.as(t), origin.Applying{Claim: claim.ID, Adopt: true})
	if _, _, _, err := f.ApplyWebhook(ctx, "chat", doc.Digest, "", notify.Bring(doc, source)); err != nil {
		t.Fatal(err)
	}
	if err := f.RemoveWebhook(f.as(t), "chat"); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a person removes what a cluster has: %v", err)
	}
	if _, err := f.DropClaim(f.as(t), claim.ID, false); err != nil {
		t.Fatal(err)
	}
}
