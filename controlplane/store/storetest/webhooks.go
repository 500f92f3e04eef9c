package storetest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/notify"
	"github.com/seatrial/seatrial/controlplane/outbound"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// receiver is a server that somebody has asked to be told.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	got  []*http.Request
	body []string
	now  int // how many it answers
	most int // and answered at the same time
}

func receive(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		r.got, r.body = append(r.got, req), append(r.body, string(body))
		r.now++
		r.most = max(r.most, r.now)
		r.mu.Unlock()
		answer(w, req)
		r.mu.Lock()
		r.now--
		r.mu.Unlock()
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.got)
}

func taken(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

// notifying returns what people do with webhooks and a new sender, as after a start of the control plane.
func (f *fixture) notifying(timeout time.Duration, allow ...netip.Prefix) (*notify.Service, *notify.Sender) {
	s := notify.NewSender(notify.Config{
		Store: f.Store, Client: outbound.New(outbound.Options{Allow: allow, Timeout: timeout}), Log: slog.New(slog.DiscardHandler),
		Address: "https://seatrial.example", Clock: func() time.Time { return f.now },
	})
	return notify.New(f.Store, s, outbound.Rules{Allow: allow}), s
}

func here() netip.Prefix { return netip.MustParsePrefix("127.0.0.0/8") }

func (f *fixture) hook(t *testing.T, name, address string, events ...notify.Event) (secret string) {
	t.Helper()
	service, _ := f.notifying(time.Second, here())
	_, secret, _, err := service.Set(f.as(t), notify.Setting{Webhook: notify.Webhook{Name: name, Events: events}, URL: address})
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// send looks once and waits for what it has begun.
func (f *fixture) send(t *testing.T, s *notify.Sender) {
	t.Helper()
	if err := s.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Wait()
}

// ran runs the workflow to an end.
func (f *fixture) ran(t *testing.T, status execution.Status) {
	t.Helper()
	n := f.assigned(t)
	f.report(t, execution.Report{Attempt: n.AttemptID, Status: status, Delivered: true, FinishedAt: f.now})
}

func (f *fixture) deliveries(t *testing.T, name string) []notify.Delivery {
	t.Helper()
	w, err := f.Webhook(f.as(t), name)
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := f.Deliveries(f.as(t), w.ID, "", 0, "")
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// proven checks a signature as the specification of Standard Webhooks says.
func proven(secret string, h http.Header, body string) bool {
	k, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	mac := hmac.New(sha256.New, k)
	fmt.Fprintf(mac, "%s.%s.%s", h.Get("webhook-id"), h.Get("webhook-timestamp"), body)
	for proof := range strings.SplitSeq(h.Get("webhook-signature"), " ") {
		version, text, _ := strings.Cut(proof, ",")
		sum, _ := base64.StdEncoding.DecodeString(text)
		if version == "v1" && hmac.Equal(sum, mac.Sum(nil)) {
			return true
		}
	}
	return false
}

func webhooks() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){
		"Signed": webhookSigned, "Retried": webhookRetried, "Refused": webhookRefused, "Gone": webhookGone, "Slow": webhookSlow, "Changed": webhookChanged, "Mailed": webhookMailed, "Flaky": webhookFlaky, "Verdict": webhookVerdict, "Documents": webhookDocuments,
		"Silent": func(t *testing.T, f *fixture) {
			f.ran(t, execution.Failed)
			if list, err := f.ClaimNotices(tenant.System(t.Context()), 10, time.Minute); err != nil || len(list) != 0 {
				t.Errorf("nobody listens: %v, %v", list, err)
			}
		},
		"Foreign": func(t *testing.T, f *fixture) {
			f.hook(t, "mine", "http://127.0.0.1:1/")
			if _, err := f.Webhook(foreigner(t), "mine"); !fault.Is(err, fault.NotFound) {
				t.Errorf("a webhook of another organization: %v", err)
			}
			if err := f.RemoveWebhook(foreigner(t), "mine"); !fault.Is(err, fault.NotFound) {
				t.Errorf("remove that of another organization: %v", err)
			}
		},
		"Pruned": func(t *testing.T, f *fixture) {
			r := receive(t, taken)
			f.hook(t, "mine", r.URL)
			f.ran(t, execution.Failed)
			_, s := f.notifying(time.Second, here())
			f.send(t, s)
			if n, err := f.SweepNotices(tenant.System(t.Context()), time.Now().Add(time.Hour), 100); err != nil || n != 2 || len(f.deliveries(t, "mine")) != 0 {
				t.Errorf("%d, %v", n, err)
			}
		},
	}
}

func webhookSigned(t *testing.T, f *fixture) {
	r := receive(t, taken)
	first := f.hook(t, "mine", r.URL, notify.Failed, notify.Fixed)
	service, s := f.notifying(time.Second, here())
	f.ran(t, execution.Passed) // nobody asked for it
	f.ran(t, execution.Failed)
	_, second, err := service.Rotate(f.as(t), "mine")
	if err != nil {
		t.Fatal(err)
	}
	f.ran(t, execution.Passed)
	f.send(t, s)
	if n := r.count(); n != 2 {
		t.Fatalf("%d messages, want failed and fixed", n)
	}
	kinds := map[string]bool{}
	for i, req := range r.got {
		if !proven(first, req.Header, r.body[i]) || !proven(second, req.Header, r.body[i]) || proven(notify.NewSecret(), req.Header, r.body[i]) {
			t.Errorf("signature %q of %s", req.Header.Get("webhook-signature"), r.body[i])
		}
		for _, kind := range []string{"execution.failed", "execution.fixed"} {
			kinds[kind] = kinds[kind] || strings.Contains(r.body[i], `"type":"`+kind+`"`)
		}
	}
	if !kinds["execution.failed"] || !kinds["execution.fixed"] {
		t.Errorf("told %v", r.body)
	}
	f.now = f.now.Add(notify.Overlap)
	f.ran(t, execution.Failed)
	f.send(t, s)
	if last := len(r.got) - 1; last != 2 || proven(first, r.got[last].Header, r.body[last]) || !proven(second, r.got[last].Header, r.body[last]) {
		t.Error("the old secret is still in use")
	}
	if d, err := service.Test(f.as(t), "mine"); err != nil || d.State != notify.Delivered || r.count() != 4 {
		t.Errorf("test: %+v, %v", d, err)
	}
}

// webhookRetried has a receiver that fails. The control plane is started anew between attempts.
func webhookRetried(t *testing.T, f *fixture) {
	var broken sync.Once
	r := receive(t, func(w http.ResponseWriter, _ *http.Request) {
		broken.Do(func() { w.WriteHeader(http.StatusInternalServerError); _, _ = io.WriteString(w, "oh no") })
	})
	f.hook(t, "mine", r.URL)
	f.ran(t, execution.Failed)
	_, s := f.notifying(time.Second, here())
	f.send(t, s)
	list := f.deliveries(t, "mine")
	if len(list) != 1 || list[0].State != notify.Pending || list[0].Code != 500 || string(list[0].Answer) != "oh no" || list[0].Attempts != 1 {
		t.Fatalf("%+v", list)
	}
	f.send(t, s)
	if r.count() != 1 {
		t.Error("it was not left alone")
	}
	// A replica dies while it has the delivery.
	f.now = f.now.Add(10 * time.Second)
	if lost, err := f.ClaimDeliveries(tenant.System(t.Context()), 16, 2, time.Minute); err != nil || len(lost) != 1 {
		t.Fatalf("%v, %v", lost, err)
	}
	_, s = f.notifying(time.Second, here())
	f.send(t, s)
	if r.count() != 1 {
		t.Error("two replicas have it")
	}
	f.now = f.now.Add(2 * time.Minute)
	f.send(t, s)
	list = f.deliveries(t, "mine")
	if r.count() != 2 || list[0].State != notify.Delivered || r.got[0].Header.Get("webhook-id") != r.got[1].Header.Get("webhook-id") || r.body[0] != r.body[1] {
		t.Errorf("%d, %+v", r.count(), list)
	}
	service, _ := f.notifying(time.Second, here())
	if _, err := service.Redeliver(f.as(t), "mine", list[0].ID); err != nil {
		t.Fatal(err)
	}
	f.send(t, s)
	if r.count() != 3 || r.got[2].Header.Get("webhook-id") != r.got[0].Header.Get("webhook-id") {
		t.Errorf("redelivered: %d", r.count())
	}
}

// webhookRefused has receivers in places where nobody is sent to.
func webhookRefused(t *testing.T, f *fixture) {
	secret := receive(t, taken)
	r := receive(t, func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, secret.URL, http.StatusTemporaryRedirect)
	})
	f.hook(t, "redirects", r.URL)
	f.ran(t, execution.Failed)
	_, s := f.notifying(time.Second, here())
	service, _ := f.notifying(time.Second)
	if _, _, _, err := service.Set(f.as(t), notify.Setting{Webhook: notify.Webhook{Name: "literal"}, URL: secret.URL}); !fault.Is(err, fault.Invalid) {
		t.Errorf("an address of this host: %v", err)
	}
	f.send(t, s)
	if d := f.deliveries(t, "redirects"); secret.count() != 0 || d[0].State != notify.Pending || d[0].Code != 307 || !strings.Contains(d[0].Error, "redirects are not followed") {
		t.Errorf("%d, %+v", secret.count(), d)
	}
	// Nothing is allowed any more: the address is refused when it is dialled, for a day, and that is plain to see.
	_, s = f.notifying(time.Second)
	for range 20 {
		f.now = f.now.Add(4 * time.Hour)
		f.send(t, s)
	}
	if d := f.deliveries(t, "redirects"); r.count() != 1 || d[0].State != notify.GivenUp || !strings.Contains(d[0].Error, "refused") {
		t.Errorf("%d, %+v", r.count(), d)
	}
}

func webhookGone(t *testing.T, f *fixture) {
	r := receive(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
	f.hook(t, "mine", r.URL)
	_, s := f.notifying(time.Second, here())
	for range 2 {
		f.ran(t, execution.Failed)
		f.send(t, s)
		f.now = f.now.Add(time.Hour)
	}
	w, err := f.Webhook(f.as(t), "mine")
	if err != nil || r.count() != 1 || w.PausedBy != notify.Receiver || !strings.Contains(w.PausedWhy, "410") || w.Last.State != notify.GivenUp {
		t.Fatalf("%d, %+v, %v", r.count(), w, err)
	}
	if w, err := f.PauseWebhook(f.as(t), "mine", false); err != nil || w.Paused() {
		t.Errorf("%+v, %v", w, err)
	}
}

// webhookSlow has a receiver that hangs until the test lets it go. It gets two at a time, and others get theirs.
func webhookSlow(t *testing.T, f *fixture) {
	let := make(chan struct{})
	slow := receive(t, func(_ http.ResponseWriter, req *http.Request) {
		select {
		case <-let:
		case <-req.Context().Done():
		}
	})
	told := make(chan struct{}, 10)
	quick := receive(t, func(http.ResponseWriter, *http.Request) { told <- struct{}{} })
	f.hook(t, "slow", slow.URL)
	for range 5 {
		f.ran(t, execution.Failed)
	}
	_, first := f.notifying(5*time.Second, here())
	_, second := f.notifying(5*time.Second, here())
	for _, s := range []*notify.Sender{first, second, first} {
		if err := s.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	f.hook(t, "quick", quick.URL)
	f.ran(t, execution.Failed)
	if err := first.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-told:
	case <-time.After(5 * time.Second):
		t.Error("a slow receiver keeps others waiting")
	}
	close(let)
	first.Wait()
	second.Wait()
	slow.mu.Lock()
	most := slow.most
	slow.mu.Unlock()
	if most > 2 {
		t.Errorf("it had %d at once", most)
	}
	for range 6 {
		f.send(t, second)
	}
	for _, d := range f.deliveries(t, "slow") {
		if d.State != notify.Delivered {
			t.Errorf("%+v", d)
		}
	}
	// One that hangs longer than the limit is cut off, which is on record.
	hangs := receive(t, func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() })
	f.hook(t, "hangs", hangs.URL)
	f.ran(t, execution.Failed)
	_, s := f.notifying(50*time.Millisecond, here())
	f.send(t, s)
	if d := f.deliveries(t, "hangs"); len(d) != 1 || d[0].State != notify.Pending || d[0].Error == "" || d[0].Code != 0 {
		t.Errorf("%+v", d)
	}
}
