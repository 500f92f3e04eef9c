package app_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
	"github.com/seatrial/seatrial/ui/web"
)

// ownAffair are the methods by which everybody makes or ends something of the own, whatever the request names, each with the reason.
func ownAffair() map[string]string {
	return map[string]string{
		"SignIn": "it needs no credential", "ExchangeToken": "it needs no credential", "CreateToken": "of the own team", "RevokeToken": "of the own team",
	}
}

// refusal reports whether an answer refuses to change what another team has.
func refusal(o outcome) bool {
	return slices.Contains([]string{"permission_denied", "not_found", "invalid_argument"}, o.code)
}

// probeTeam has a maintainer of another team of the same organization try to change everything that a team owns. That team keeps its workflow
// to itself, so that starting it is a change, too.
func (w *world) probeTeam(t *testing.T, f *figures) {
	t.Helper()
	people := apiv1connect.NewPeopleServiceClient(w.clients(w.token).http, w.url)
	_, err := people.RestrictWorkflow(t.Context(), &apiv1.RestrictWorkflowRequest{Workflow: w.theirs["workflow"], Restricted: true})
	worked(t, err)
	header := http.Header{"Authorization": {"Bearer " + w.tokens["wrong team"]}}
	for _, m := range methodsOf("seatrial.api.v1") {
		if _, own := ownAffair()[string(m.Name())]; reading(m) || own {
			continue
		}
		for _, k := range kinds(w.theirs) {
			o := w.call(t, m, ask(m.Input(), w.theirs, k), header)
			f.probes++
			if !refusal(o) {
				f.leaks++
				t.Errorf("%s of what another team owns, by %s: %s %.300s", path(m), k, o.code, o.text)
			}
		}
	}
	for _, pattern := range web.MemberPatterns() {
		if !strings.HasPrefix(pattern, http.MethodPost) || ofOneself(pattern) || tries(pattern) || strings.HasSuffix(pattern, "/settings/tokens") {
			continue
		}
		for _, k := range kinds(w.theirs) {
			method, path := address(pattern, w.theirs, k)
			o := w.visit(t, method, strings.ReplaceAll(path, "{org}", w.theirs["organization"]), w.cookies["wrong team"], http.Header{})
			f.probes++
			if o.code == "" || o.code == "unauthenticated" {
				f.leaks++
				t.Errorf("%s of what another team owns: %s %.300s", pattern, o.code, o.text)
			}
		}
	}
}

// probeTeamApart asks as a maintainer of another team in an organization that keeps its teams apart: what is another team's and what is absent
// have to look the same.
func (w *world) probeTeamApart(t *testing.T, f *figures) {
	t.Helper()
	access := apiv1connect.NewAccessServiceClient(w.clients(w.token).http, w.url)
	apart, together := "teams", "all"
	_, err := access.SetAccess(t.Context(), &apiv1.SetAccessRequest{Visibility: &apart})
	worked(t, err)
	defer func() {
		_, err := access.SetAccess(t.Context(), &apiv1.SetAccessRequest{Visibility: &together})
		worked(t, err)
	}()
	known := w.known
	defer func() { w.known = known }()
	w.known = slices.DeleteFunc(slices.Clone(known), func(word string) bool { return word == mark || word == w.theirs["cluster"] }) // clusters are everybody's
	for _, name := range []kind{"workflow", "template", "environment", "application", "version", "policy", "schedule", "trigger", "receiver", "webhook"} {
		w.known = append(w.known, w.theirs[name])
	}
	header := http.Header{"Authorization": {"Bearer " + w.tokens["wrong team"]}}
	for _, m := range methodsOf("seatrial.api.v1") {
		if _, own := ownAffair()[string(m.Name())]; own || making(m) {
			continue
		}
		for _, k := range kinds(w.theirs) {
			if k != "cluster" {
				w.compare(t, f, m, k, header)
			}
		}
	}
	for _, pattern := range append(web.MemberPatterns(), otherRoutes()...) {
		if strings.HasPrefix(pattern, http.MethodPost) {
			continue
		}
		for _, k := range kinds(w.theirs) {
			if k == "cluster" {
				continue
			}
			method, foreign := address(pattern, w.theirs, k)
			_, none := address(pattern, absent(), k)
			in := func(path string) string { return strings.ReplaceAll(path, "{org}", w.theirs["organization"]) }
			h := http.Header{}
			if strings.HasSuffix(foreign, "/events") {
				h.Set("Accept", "text/event-stream")
			}
			o := w.visit(t, method, in(foreign), w.cookies["wrong team"], h)
			f.judge(t, w, "another team at "+pattern, foreign, o)
			f.probes++
			if other := w.visit(t, method, in(none), w.cookies["wrong team"], h); o.code != other.code {
				t.Errorf("%s tells another team's %s from an absent one: %s, %s", pattern, k, o.code, other.code)
			}
		}
	}
	for _, of := range [][2]string{{"ListWorkflows", "workflow"}, {"ListEvents", "workflow"}, {"ListWebhooks", "webhook"}, {"ListSchedules", "schedule"}, {"ListTriggers", "trigger"}, {"ListReceivers", "receiver"}} {
		m := methodNamed(protoreflect.Name(of[0]))
		own := w.call(t, m, ask(m.Input(), values{}, ""), http.Header{"Authorization": {"Bearer " + w.tokens["viewer"]}})
		if !strings.Contains(own.text, w.theirs[kind(of[1])]) {
			t.Errorf("a viewer of the team itself does not see its own by %s: %+v", of[0], own)
		}
	}
}

// making reports whether a method makes something under a name, which has to be free in the whole organization.
func making(m protoreflect.MethodDescriptor) bool {
	return slices.Contains([]string{"ApplyWorkflow", "CreateRelease", "SetWebhook"}, string(m.Name()))
}

func methodNamed(name protoreflect.Name) protoreflect.MethodDescriptor {
	for _, m := range methodsOf("seatrial.api.v1") {
		if m.Name() == name {
			return m
		}
	}
	return nil
}
