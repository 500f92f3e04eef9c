package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/notify"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/viewfake"
)

const hooks = settings + "webhooks"

func hookForm(more ...string) url.Values {
	form := url.Values{
		"name": {"ours"}, "team": {"payments"}, "format": {"standard"}, "url": {"https://ci.acme.example/hook"}, "token": {""}, "event": {"execution.failed", "tests.flaky"},
		"workflows": {"checkout-*, cart"}, "labels": {"tier=critical"}, "environments": {""}, "template": {""},
	}
	for i := 0; i < len(more); i += 2 {
		form[more[i]] = []string{more[i+1]}
	}
	return form
}

// TestWebhooks_Forms sends every form: what works leads back to a page that can be loaded again, or shows a secret once.
func TestWebhooks_Forms(t *testing.T) {
	t.Parallel()
	form := hookForm()
	delete(form, "event")
	delivery := "/chat/deliveries/01010000-0000-0000-0000-000000000000/redelivery"
	for name, tc := range map[string]struct {
		path string
		form url.Values
		code int
		says []string // on the page that follows
	}{
		"Make":        {"", hookForm(), http.StatusOK, []string{viewfake.Secret, "It is not shown again", "workflows checkout-*, cart", "labels tier=critical"}},
		"MakeChat":    {"", hookForm("format", "slack"), http.StatusSeeOther, []string{"<h1>ours</h1>", "nothing sent yet"}},
		"NoEvent":     {"", form, http.StatusUnprocessableEntity, []string{"Choose what is told", `value="ours"`, "https://ci.acme.example/hook"}},
		"Here":        {"", hookForm("url", "http://127.0.0.1/"), http.StatusUnprocessableEntity, []string{"127.0.0.1 is this host", `id="url-wrong"`}},
		"Twice":       {"", hookForm("name", "chat"), http.StatusConflict, []string{"There is a webhook", `id="name-wrong"`}},
		"Label":       {"", hookForm("labels", "tier"), http.StatusUnprocessableEntity, []string{`is not name=value`, `id="labels-wrong"`}},
		"Template":    {"", hookForm("template", "${{ nope }}"), http.StatusUnprocessableEntity, []string{`id="template-wrong"`, "${{ nope }}"}},
		"Change":      {"/chat", hookForm("url", "", "environments", "eu-*"), http.StatusSeeOther, []string{"environments eu-*", "https://hooks.slack.com"}},
		"ChangeWrong": {"/chat", hookForm("template", "${{ nope }}"), http.StatusUnprocessableEntity, []string{`id="template-wrong"`, "<details open>"}},
		"Secret":      {"/war-room", url.Values{"url": {"https://chat.acme.example/secret"}}, http.StatusSeeOther, []string{"nothing sent yet"}},
		"Test":        {"/chat/test", nil, http.StatusSeeOther, []string{"It has arrived: the receiver answered 204 after 31 ms."}},
		"TestFailed":  {"/oncall/test", nil, http.StatusSeeOther, []string{"It has not arrived: no answer within 10s."}},
		"TestNowhere": {"/war-room/test", nil, http.StatusConflict, []string{"has no address yet"}},
		"Pause":       {"/chat/pause", nil, http.StatusSeeOther, []string{"by ada@acme.example", ">Resume<"}},
		"Resume":      {"/incident-desk/resume", nil, http.StatusSeeOther, []string{">Pause<"}},
		"Rotate":      {"/incident-desk/secret", nil, http.StatusOK, []string{viewfake.Secret}},
		"Remove":      {"/chat/remove", nil, http.StatusSeeOther, []string{"incident-desk"}},
		"Again":       {delivery, nil, http.StatusSeeOther, []string{"It is on its way again."}},
		"AgainNone":   {strings.Replace(delivery, "0101", "0909", 1), nil, http.StatusNotFound, []string{"nothing at this address"}},
		"NoID":        {"/chat/deliveries/7/redelivery", nil, http.StatusNotFound, []string{"nothing at this address"}},
		"None":        {"/none/test", nil, http.StatusNotFound, []string{"nothing at this address"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t, viewfake.Sample())
			got := s.post(t, hooks+tc.path, tc.form)
			if got.code != tc.code {
				t.Fatalf("status %d, want %d: %.300s", got.code, tc.code, got.body)
			}
			if got.code == http.StatusSeeOther {
				got = s.get(t, got.header.Get("Location"))
			}
			wellFormed(t, got.body)
			for _, want := range tc.says {
				if !strings.Contains(got.body, want) {
					t.Errorf("the page does not say %q", want)
				}
			}
		})
	}
}

// TestWebhooks_Asked proves that a form says everything but what is secret, and nothing of what a document says.
func TestWebhooks_Asked(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	s.post(t, hooks+"/chat", hookForm("url", "", "token", "", "labels", ""))
	want := notify.Setting{Given: notify.Parts(), Webhook: notify.Webhook{
		Name: "chat", Team: "payments", Format: notify.Standard, Events: []notify.Event{notify.Failed, notify.Flaky}, Filter: notify.Filter{Workflows: []string{"checkout-*", "cart"}},
	}}
	if diff := cmp.Diff(want, s.world.Webhooks().Given); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	s.post(t, hooks+"/war-room", hookForm("token", "hidden"))
	want = notify.Setting{Given: []notify.Part{}, Webhook: notify.Webhook{Name: "war-room"}, URL: "https://ci.acme.example/hook", Token: "hidden"}
	if diff := cmp.Diff(want, s.world.Webhooks().Given); diff != "" {
		t.Errorf("of a document: (-want +got)\n%s", diff)
	}
}

// TestWebhooks_Roles shows forms to those alone who may send them, and the address and the deliveries of others to look at.
func TestWebhooks_Roles(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		role       tenant.Role
		path       string
		make, test bool
	}{
		{tenant.RoleOwner, "/oncall", true, true}, {tenant.RoleMaintainer, "/chat", true, true}, {tenant.RoleMaintainer, "/oncall", true, false}, {tenant.RoleViewer, "/chat", false, false},
	} {
		s := setup(t, viewfake.Sample())
		s.world.Member.Viewer.Role = tc.role
		if got := strings.Contains(s.get(t, hooks).body, "Make the webhook"); got != tc.make {
			t.Errorf("%s may make one: %t", tc.role, got)
		}
		if got := strings.Contains(s.get(t, hooks+tc.path).body, "Send a test"); got != tc.test {
			t.Errorf("%s at %s may test: %t", tc.role, tc.path, got)
		}
		if got := s.post(t, hooks+tc.path+"/test", nil); (got.code == http.StatusSeeOther) != tc.test {
			t.Errorf("%s at %s tests: %d", tc.role, tc.path, got.code)
		}
	}
}

func TestWebhooks_Filter(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	if got := s.get(t, hooks+"/chat?state=failed").body; !strings.Contains(got, "checkout-browser failed") || strings.Contains(got, "checkout-api is fixed") {
		t.Error("the state narrows nothing")
	}
	if got := s.get(t, hooks+"/chat?state=x"); got.code != http.StatusNotFound {
		t.Errorf("there is no such state: %d", got.code)
	}
}
