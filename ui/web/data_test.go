package web_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/proto"
	"github.com/seatrial/seatrial/ui/web"
	"github.com/seatrial/seatrial/ui/web/apidoc"
	"github.com/seatrial/seatrial/ui/web/viewfake"
)

// noData lists the pages whose data is no message of the API, and why.
func noData() map[string]string {
	const home = "GET /o/{org}"
	return map[string]string{
		home: "a digest of the pages of releases, executions and clusters", home + "/releases/outlook": "drawn from what the releases say",
		home + "/search":     "asked for JSON, it answers with the list below the field",
		home + "/components": "about the pages themselves", home + "/keyboard": "about the pages themselves",
		home + "/settings/account": "of a person, and no program's business", home + "/settings/retention": "settings of the control plane",
		home + "/executions/{id}/log/{step}": "bytes, which the address of the raw log has",
	}
}

// json asks for the data of a page.
func (s *site) json(t *testing.T, path, accept string) answer {
	t.Helper()
	r := signed(httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	r.Header.Set("Accept", accept)
	return s.do(t, r)
}

// TestData_All proves that every page says its data at its own address, by a method and with fields that the API has.
func TestData_All(t *testing.T) {
	t.Parallel()
	services, err := apidoc.Parse(proto.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for _, pattern := range web.MemberPatterns() {
		mux.HandleFunc(pattern, http.NotFound)
	}
	s := setup(t, viewfake.Sample())
	shown := map[string]bool{}
	for name, path := range everyPage() {
		_, pattern := mux.Handler(httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
		if !slices.Contains(web.DataPatterns(), pattern) {
			if strings.HasPrefix(pattern, "GET ") && noData()[pattern] == "" {
				t.Errorf("%s has no data: add it to dataOf, or say in noData why", pattern)
			}
			continue
		}
		shown[pattern] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := s.json(t, path, "application/json")
			if got.code != http.StatusOK || got.header.Get("Content-Type") != "application/json" || got.header.Get("Vary") != "Accept" || got.header.Get("Set-Cookie") != "" {
				t.Fatalf("status %d with %v: %s", got.code, got.header, got.body)
			}
			known(t, services, got.body)
		})
	}
	for _, pattern := range web.DataPatterns() {
		if !shown[pattern] {
			t.Errorf("no page of everyPage has the data of %s", pattern)
		}
	}
}

// known holds a request to what the API says of itself.
func known(t *testing.T, services []apidoc.Service, text string) {
	t.Helper()
	var got struct {
		Method, As string
		Asked      map[string]any
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil || got.As != "valid" {
		t.Fatalf("%s: asked as %q, %v", text, got.As, err)
	}
	for _, service := range services {
		for _, m := range service.Methods {
			if m.Path != got.Method {
				continue
			}
			i := slices.IndexFunc(service.Types, func(one apidoc.Type) bool { return one.Name == m.Request })
			for field := range got.Asked {
				if i < 0 || !slices.ContainsFunc(service.Types[i].Fields, func(f apidoc.Field) bool { return f.Name == field }) {
					t.Errorf("%s has no field %s", m.Path, field)
				}
			}
			return
		}
	}
	t.Errorf("the API has no method %s", got.Method)
}

// TestData_Asks proves that the data is of what the address says, as the page is.
func TestData_Asks(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]map[string]any{
		"/o/acme/executions?status=timed_out&workflow=+checkout-api&after=x": {"status": "STATUS_TIMED_OUT", "workflow": "checkout-api", "pageToken": "x"},
		"/o/acme/catalog?q=pay&label=app%3Dshop,tier%3Dui&owner=payments&last=failed": {
			"text": "pay", "labels": map[string]any{"app": "shop", "tier": "ui"}, "team": "payments", "lastStatus": "STATUS_FAILED",
		},
		"/o/acme/catalog?last=never": {"neverRan": true},
		"/o/acme/settings/audit?actor=ada&since=2026-10-01&until=2026-10-31": {
			"actor": "ada", "newestFirst": true, "since": "2026-10-01T00:00:00Z", "until": "2026-11-01T00:00:00Z",
		},
		at(viewfake.Failed) + "/compare?with=last-green": {"executionId": viewfake.ExecutionID(viewfake.Failed).String()},
		"/o/acme/catalog/coverage?days=3":                {"staleDays": "3", "gapsOnly": true},
		of(viewfake.Checkout, "1.42.0"):                  {"application": viewfake.Checkout, "version": "1.42.0"},
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			var got struct{ Asked map[string]any }
			if err := json.Unmarshal([]byte(setup(t, viewfake.Sample()).json(t, path, "application/json").body), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got.Asked); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestData_Accept(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	for accept, data := range map[string]bool{
		"": false, "*/*": false, "application/json": true, "application/json; charset=utf-8": true, "text/html,application/xhtml+xml,*/*;q=0.8": false,
		"text/html;q=0.5, application/json": true, "text/html, application/json;q=0.9": false, "application/json;q=0": false, "nonsense;;, application/json": true,
	} {
		got := s.json(t, "/o/acme/executions", accept)
		if is := strings.HasPrefix(got.header.Get("Content-Type"), "application/json"); is != data || got.header.Get("Vary") != "Accept" {
			t.Errorf("%q: JSON %t, want %t; Vary %q", accept, is, data, got.header.Get("Vary"))
		}
	}
	if got := s.get(t, "/o/acme/executions?status=failed"); !strings.Contains(got.body, `<link rel="alternate" type="application/json" href="/o/acme/executions?status=failed">`) {
		t.Error("the page does not say that its data is there")
	}
	if got := s.json(t, "/o/acme/settings/account", "application/json"); !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") || strings.Contains(got.body, `rel="alternate"`) {
		t.Error("a page without data promises some")
	}
}

// TestData_Faults proves that what goes wrong is said in JSON to whoever asked for JSON, and that nobody is led to the page to sign in.
func TestData_Faults(t *testing.T) {
	t.Parallel()
	s := setup(t, viewfake.Sample())
	nobody := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/o/acme/executions", http.NoBody)
	nobody.Header.Set("Accept", "application/json")
	for name, tc := range map[string]struct {
		got  answer
		code int
		word string
	}{
		"Nobody":   {s.do(t, nobody), http.StatusUnauthorized, "unauthenticated"},
		"Stranger": {s.json(t, "/o/other/executions", "application/json"), http.StatusNotFound, "not_found"},
		"BadLabel": {s.json(t, "/o/acme/catalog?label=shop", "application/json"), http.StatusUnprocessableEntity, "invalid_argument"},
		"BadDay":   {s.json(t, "/o/acme/settings/audit?since=monday", "application/json"), http.StatusUnprocessableEntity, "invalid_argument"},
	} {
		var said struct{ Code, Message, ID string }
		if err := json.Unmarshal([]byte(tc.got.body), &said); err != nil || tc.got.code != tc.code || said.Code != tc.word || said.Message == "" || said.ID == "" {
			t.Errorf("%s: status %d, %+v, %v", name, tc.got.code, said, err)
		}
	}
}
