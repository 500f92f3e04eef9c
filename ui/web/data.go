package web

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/ui/web/view"
)

// jsonType is what a program asks for that wants the data of a page.
const jsonType = "application/json"

// call is the method of the API that has what a page shows, and what it is asked: the address says it all.
type call struct {
	method string            // as in the path of the API
	path   map[string]string // fields by the names of the parts of the address
	query  map[string]string // fields by the names of what is asked for
	more   func(q url.Values, into map[string]any) error
	fixed  map[string]any
}

// dataOf says for each page what its data is. With them in one table nothing else has to know of it: a page and its data have one address,
// and the API decides who may see it.
func dataOf() map[string]call {
	const api, home = "/seatrial.api.v1.", "GET /o/{org}"
	paged := map[string]string{"after": "pageToken"}
	with := func(more map[string]string) map[string]string {
		maps.Copy(more, paged)
		return more
	}
	name := map[string]string{"name": "name"}
	return map[string]call{
		home + "/catalog": {
			method: api + "WorkflowService/ListWorkflows", query: with(map[string]string{"q": "text", "owner": "team"}), more: soughtFlows,
		},
		home + "/workflows/{name}":                 {method: api + "WorkflowService/GetWorkflow", path: name},
		home + "/workflows/{name}/history":         {method: api + "CatalogService/ListRevisions", path: name, query: paged, fixed: map[string]any{"kind": "TestWorkflow"}},
		home + "/templates":                        {method: api + "WorkflowService/ListTemplates", query: paged},
		home + "/templates/{name}":                 {method: api + "WorkflowService/GetTemplate", path: name},
		home + "/templates/{name}/history":         {method: api + "CatalogService/ListRevisions", path: name, query: paged, fixed: map[string]any{"kind": "TestWorkflowTemplate"}},
		home + "/executions":                       {method: api + "ExecutionService/ListExecutions", query: with(map[string]string{"workflow": "workflow"}), more: status("status", "status")},
		home + "/executions/{id}":                  {method: api + "ExecutionService/GetExecution", path: map[string]string{"id": "id"}},
		home + "/executions/{id}/compare":          {method: api + "InsightService/CompareExecutions", path: map[string]string{"id": "executionId"}, query: map[string]string{"environment": "environment"}, more: comparedWith},
		home + "/releases":                         {method: api + "ReleaseService/ListReleases", query: with(map[string]string{"application": "application"})},
		home + "/releases/{application}/{version}": {method: api + "ReleaseService/GetRelease", path: map[string]string{"application": "application", "version": "version"}},
		home + "/tests":                            {method: api + "TestService/ListUnreliableTests", query: map[string]string{"workflow": "workflow"}},
		home + "/tests/{key}":                      {method: api + "TestService/GetTest", path: map[string]string{"key": "key"}},
		home + "/failures":                         {method: api + "InsightService/ListFailures", query: map[string]string{"workflow": "workflow", "environment": "environment", "days": "days"}},
		home + "/failures/{fingerprint}":           {method: api + "InsightService/GetFailure", path: map[string]string{"fingerprint": "fingerprint"}, query: map[string]string{"days": "days"}},
		home + "/catalog/coverage":                 {method: api + "InsightService/GetCoverage", query: map[string]string{"days": "staleDays"}, more: gaps},
		home + "/triggers":                         {method: api + "TriggerService/ListTriggers", query: paged},
		home + "/events":                           {method: api + "TriggerService/ListEvents", query: with(map[string]string{"trigger": "trigger", "subject": "subject"})},
		home + "/schedules":                        {method: api + "ScheduleService/ListSchedules", query: paged},
		home + "/schedules/{name}":                 {method: api + "ScheduleService/GetSchedule", path: name},
		home + "/clusters":                         {method: api + "ClusterService/ListClusters"},
		home + "/settings/audit":                   {method: api + "AuditService/ListAuditEntries", query: with(map[string]string{"actor": "actor", "action": "action", "object": "object", "outcome": "outcome"}), more: audited, fixed: map[string]any{"newestFirst": true}},
		home + "/settings/members":                 {method: api + "PeopleService/ListMembers"},
		home + "/settings/teams":                   {method: api + "PeopleService/ListTeams"},
		home + "/settings/tokens":                  {method: api + "IdentityService/ListTokens"},
		home + "/settings/repositories":            {method: api + "CatalogService/ListRepositories"},
		home + "/settings/webhooks":                {method: api + "WebhookService/ListWebhooks"},
		home + "/settings/webhooks/{webhook}":      {method: api + "WebhookService/GetWebhook", path: map[string]string{"webhook": "name"}},
		home + "/settings/policies":                {method: api + "ReleaseService/ListPolicies"},
		home + "/settings/snapshots":               {method: api + "ReleaseService/ListSnapshots"},
		home + "/settings/usage":                   {method: api + "PeopleService/GetUsage"},
		home + "/settings/access":                  {method: api + "AccessService/GetAccess"},
		home + "/settings/pipelines":               {method: api + "AccessService/ListTrustRules"},
	}
}

// DataPatterns lists the addresses of the pages whose data can be had as JSON.
func DataPatterns() []string { return slices.Sorted(maps.Keys(dataOf())) }

// status hands a status on as the API names it.
func status(param, field string) func(url.Values, map[string]any) error {
	return func(q url.Values, into map[string]any) error {
		if asked := q.Get(param); asked != "" {
			into[field] = "STATUS_" + strings.ToUpper(asked)
		}
		return nil
	}
}

// soughtFlows hands on what narrows the catalog.
func soughtFlows(q url.Values, into map[string]any) error {
	found, err := labels(strings.TrimSpace(q.Get("label")))
	if err != nil {
		return err
	}
	if len(found) > 0 {
		into["labels"] = found
	}
	if q.Get("last") == workflow.NeverRun {
		into["neverRan"] = true
		return nil
	}
	return status("last", "lastStatus")(q, into)
}

// comparedWith hands on which execution another is held against; none means the last green one, for the API as for the page.
func comparedWith(q url.Values, into map[string]any) error {
	if with := strings.TrimSpace(q.Get("with")); with != "" && with != "last-green" {
		into["baseId"] = with
	}
	return nil
}

// gaps hands on whether what has no gap is wanted, too.
func gaps(q url.Values, into map[string]any) error {
	into["gapsOnly"] = !q.Has("all")
	return nil
}

// audited hands on the days of a filter of the audit log, the last of which is meant as well.
func audited(q url.Values, into map[string]any) error {
	for i, field := range []string{"since", "until"} {
		at, err := day(field, strings.TrimSpace(q.Get(field)))
		if err != nil {
			return err
		}
		if !at.IsZero() {
			into[field] = at.AddDate(0, 0, i)
		}
	}
	return nil
}

// asked is the request that a call is made of.
func (c call) asked(r *http.Request) (map[string]any, error) {
	q, out := r.URL.Query(), map[string]any{}
	maps.Copy(out, c.fixed)
	for part, field := range c.path {
		out[field] = r.PathValue(part)
	}
	for param, field := range c.query {
		if value := strings.TrimSpace(q.Get(param)); value != "" {
			out[field] = value
		}
	}
	if c.more == nil {
		return out, nil
	}
	return out, c.more(q, out)
}

// hasData reports whether the page of a request has its data, too.
func (s *site) hasData(r *http.Request) bool {
	_, ok := s.data[r.Pattern]
	return ok
}

// wantsData reports whether a request is for the data of its page.
func (s *site) wantsData(r *http.Request) bool {
	return s.hasData(r) && prefersJSON(r.Header.Get("Accept"))
}

// prefersJSON reports whether JSON is wanted rather than a page, which is what a client gets that does not say.
func prefersJSON(accept string) bool {
	weight := map[string]float64{}
	for _, one := range strings.Split(accept, ",") {
		kind, params, err := mime.ParseMediaType(one)
		if err != nil {
			continue
		}
		q, err := strconv.ParseFloat(params["q"], 64)
		if err != nil {
			q = 1
		}
		weight[kind] = max(weight[kind], q)
	}
	return weight[jsonType] > weight["text/html"]
}

// orData answers with the data of a page when that is asked for.
func (s *site) orData(page memberPage) memberPage {
	return func(w http.ResponseWriter, r *http.Request, m view.Member) error {
		if !s.hasData(r) {
			return page(w, r, m)
		}
		w.Header().Add("Vary", "Accept")
		if !s.wantsData(r) {
			return page(w, r, m)
		}
		return s.sendData(w, r, m)
	}
}

// sendData asks the API as the viewer, who sees there what he sees here.
func (s *site) sendData(w http.ResponseWriter, r *http.Request, m view.Member) error {
	c := s.data[r.Pattern]
	args, err := c.asked(r)
	if err != nil {
		return err
	}
	body, err := json.Marshal(args)
	if err != nil {
		return err //nolint:wrapcheck // texts can be encoded
	}
	ask, err := http.NewRequestWithContext(r.Context(), http.MethodPost, c.method, bytes.NewReader(body))
	if err != nil {
		return err //nolint:wrapcheck // the methods are our own
	}
	ask.Header.Set("Content-Type", jsonType)
	ask.RemoteAddr = r.RemoteAddr
	ticket := cookie(r)
	if m.Renewed.Cookie != "" {
		ticket = m.Renewed.Cookie
	}
	ask.AddCookie(&http.Cookie{Name: view.SessionCookie, Value: ticket}) //nolint:gosec // G124: it is sent, not set
	s.API.ServeHTTP(&plainly{ResponseWriter: w, header: http.Header{}}, ask)
	return nil
}

// plainly takes over what the API answers, but none of its headers beside the type.
type plainly struct {
	http.ResponseWriter

	header http.Header
	begun  bool
}

// Header implements http.ResponseWriter.
func (p *plainly) Header() http.Header { return p.header }

// WriteHeader implements http.ResponseWriter.
func (p *plainly) WriteHeader(status int) {
	if p.begun {
		return
	}
	p.begun = true
	p.ResponseWriter.Header().Set("Content-Type", p.header.Get("Content-Type"))
	p.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (p *plainly) Write(text []byte) (int, error) {
	p.WriteHeader(http.StatusOK)
	return p.ResponseWriter.Write(text) //nolint:wrapcheck // transparent
}

// failData says in JSON what went wrong, as the API does.
func failData(w http.ResponseWriter, kind fault.Kind, message, hint, id string) {
	code := map[fault.Kind]string{
		fault.Invalid: "invalid_argument", fault.NotFound: "not_found", fault.Unauthenticated: "unauthenticated", fault.Forbidden: "permission_denied",
		fault.Conflict: "failed_precondition", fault.Exhausted: "resource_exhausted", fault.Unavailable: "unavailable", fault.Unsupported: "unimplemented",
	}[kind]
	text, err := json.Marshal(map[string]string{"code": or(code, "internal"), "message": strings.TrimSpace(message + " " + hint), "id": id})
	if err != nil {
		http.Error(w, "Error "+id, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(statusOf(kind))
	_, _ = io.Copy(w, bytes.NewReader(text)) // when the client has gone there is nobody to tell
}
