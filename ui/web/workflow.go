package web

import (
	"net/http"
	"strings"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/parts"
	"github.com/seatrial/seatrial/ui/web/view"
)

func (s *site) workflow(w http.ResponseWriter, r *http.Request, m view.Member) error {
	flow, err := s.Catalog.Workflow(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	return s.showWorkflow(w, r, m, http.StatusOK, flow, pages.RunForm{Key: s.NewID()})
}

func (s *site) showWorkflow(w http.ResponseWriter, r *http.Request, m view.Member, status int, flow view.Workflow, form pages.RunForm) error {
	runs, _, err := s.History.Executions(r.Context(), view.ExecutionQuery{Workflow: flow.Record.Name, Size: fewRuns})
	if err != nil {
		return err
	}
	places, err := s.Fleet.Environments(r.Context())
	if err != nil {
		return err
	}
	standing, err := s.Tests.Standing(r.Context(), flow.Record.Name)
	if err != nil {
		return err
	}
	p := pages.WorkflowProps{
		Frame: s.frame(r, flow.Record.Name, parts.Catalog), Workflow: flow, Runs: runs, Tests: standing, Environments: places,
		MayRun: m.Viewer.Allows(tenant.ScopeRun), Role: string(m.Viewer.Role), Form: form,
	}
	if p.MayChange = m.Viewer.Allows(tenant.ScopeCatalog) && m.Viewer.Acts(flow.Record.TeamID); p.MayChange {
		if p.Teams, err = s.People.Teams(r.Context()); err != nil {
			return err
		}
	}
	return render(r.Context(), w, status, pages.Workflow, p)
}

// run starts an execution from the form. A form with a fault is shown again as it was filled in.
func (s *site) run(w http.ResponseWriter, r *http.Request, m view.Member) error {
	if err := parse(r); err != nil {
		return err
	}
	if err := may(m, tenant.ScopeRun, "start executions"); err != nil {
		return err
	}
	flow, err := s.Catalog.Workflow(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	form := filled(r, flow.Params)
	id, err := s.Launcher.Run(r.Context(), execution.Request{
		Workflow: flow.Record.Name, Params: given(form.Values, flow.Params), Environments: chosen(form.Environment),
		IdempotencyKey: form.Key, Trigger: "web", Actor: m.Viewer.Name,
	})
	if err == nil {
		http.Redirect(w, r, "/o/"+m.Organization+"/executions/"+id.String(), http.StatusSeeOther)
		return nil
	}
	wrong, ok := correctable(err)
	if !ok {
		return err
	}
	if name, found := strings.CutPrefix(wrong.Field, "params."); found {
		wrong.Field = pages.ParamField(name)
	}
	// The key stays the same unless it was taken: then the form could never be sent again.
	if form.Wrong = wrong; fault.Is(err, fault.Conflict) {
		form.Key = s.NewID()
	}
	return s.showWorkflow(w, r, m, statusOf(fault.KindOf(err)), flow, form)
}

// filled reads the form.
func filled(r *http.Request, params []view.Param) pages.RunForm {
	form := pages.RunForm{Environment: r.PostForm.Get("environment"), Key: r.PostForm.Get("key"), Values: map[string]string{}}
	for _, p := range params {
		if field := pages.ParamField(p.Name); r.PostForm.Has(field) {
			form.Values[p.Name] = r.PostForm.Get(field)
		}
	}
	return form
}

// chosen is the environment of the form; none leaves it to the workflow.
func chosen(environment string) []string {
	if environment == "" {
		return nil
	}
	return []string{environment}
}

// given leaves out what was left empty; only a text can be meant to be empty.
func given(values map[string]string, params []view.Param) map[string]string {
	out := map[string]string{}
	for _, p := range params {
		v, ok := values[p.Name]
		text := p.Type == "" || p.Type == "string"
		if ok && (v != "" || (text && p.Default != "" && p.Enum == nil)) {
			out[p.Name] = v
		}
	}
	return out
}

// may checks a right before anything is done with it.
func may(m view.Member, scope tenant.Scope, what string) error {
	if m.Viewer.Allows(scope) {
		return nil
	}
	return fault.New(fault.Forbidden, "your role, %s, does not allow you to %s", m.Viewer.Role, what).
		WithHint("Ask an admin of %s for another role.", m.Organization)
}
