package web

import (
	"context"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/logview"
	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/parts"
	"github.com/seatrial/seatrial/ui/web/view"
	"github.com/seatrial/seatrial/ui/web/words"
)

const (
	testsSize   = 200 // tests on a page
	tailSize    = 200 // lines of the log on the page of an execution
	excerptSize = 20  // lines of the log that explain a failed step
)

// find returns the execution in the address.
func (s *site) find(r *http.Request) (execution.Execution, error) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		return execution.Execution{}, notFound()
	}
	return s.History.Execution(r.Context(), id)
}

func (s *site) execution(w http.ResponseWriter, r *http.Request, m view.Member) error {
	e, err := s.find(r)
	if err != nil {
		return err
	}
	f := s.frame(r, e.Workflow+": "+words.Status(e.Status), parts.Executions)
	p := pages.ExecutionProps{Frame: f, Execution: e, MaySteer: m.Viewer.Allows(tenant.ScopeRun), Key: s.NewID()}
	cursor := r.URL.Query().Get("tests")
	var next string
	if p.Tests, next, err = s.History.Results(r.Context(), e.ID, testsSize, cursor); err != nil {
		return err
	}
	if p.TestsNext = following(r.URL, "tests", next); p.TestsNext != "" {
		p.TestsNext += "#tests"
	}
	p.Alike = s.othersAlike(r.Context(), p.Tests)
	if p.Files, err = s.History.Files(r.Context(), e.ID); err != nil {
		return err
	}
	p.Used, p.UsedMore = s.usage(r.Context(), e, p.Files)
	if p.Failure, err = s.failure(r.Context(), f, e, p.Tests, cursor == ""); err != nil {
		return err
	}
	if p.Log, err = s.tail(r.Context(), f, e); err != nil {
		return err
	}
	p.Events = s.events(f, e, p.Log)
	if p.Failure != nil && p.Log != nil && p.Failure.LogPath == p.Log.Path && p.Failure.Whole() && p.Events == "" {
		p.Log = nil // the failure shows all of it already
	}
	p.Version, p.Frame.Refresh = version(e), p.Events != ""
	return render(r.Context(), w, http.StatusOK, pages.Execution, p)
}

// events is the address of what the page listens to: the log that grows, which carries changes of state too, else those alone.
func (s *site) events(f parts.Frame, e execution.Execution, l *pages.ShownLog) string {
	switch {
	case pages.Over(e, s.Now()):
		return ""
	case l == nil || !l.Box.Live:
		return "/o/" + f.Org + "/executions/" + e.ID.String() + "/events"
	}
	return eventsPath(l)
}

// failure returns the first thing that went wrong. Tests are the worst ones when first is true.
func (s *site) failure(ctx context.Context, f parts.Frame, e execution.Execution, tests []execution.TestResult, first bool) (*pages.Failure, error) {
	if !first {
		var err error
		if tests, _, err = s.History.Results(ctx, e.ID, 1, ""); err != nil {
			return nil, err
		}
	}
	if len(tests) > 0 && results.Outcome(tests[0].Outcome).Bad() && !tests[0].Superseded {
		return testFailure(f, e, tests[0]), nil
	}
	for _, a := range words.Attempts(e) {
		for _, st := range a.Steps {
			if st.Failed() {
				return s.stepFailure(ctx, f, e, a, st)
			}
		}
	}
	return nil, nil //nolint:nilnil // nothing went wrong, which is no error
}

func testFailure(f parts.Frame, e execution.Execution, t execution.TestResult) *pages.Failure {
	failed := &pages.Failure{Test: &t}
	for _, a := range words.Attempts(e) {
		i := slices.IndexFunc(a.Steps, func(st execution.Step) bool { return st.Index == t.Step })
		if a.ID == t.Attempt && i >= 0 {
			failed.Step, failed.LogPath = a.Steps[i], pages.LogPath(f, e, a.ID, execution.Stream(t.Step))
		}
	}
	return failed
}

func (s *site) stepFailure(ctx context.Context, f parts.Frame, e execution.Execution, a execution.Attempt, st execution.Step) (*pages.Failure, error) {
	failed := &pages.Failure{Step: st, Run: words.CellOf(e, a.ID)}
	if st.StartedAt.IsZero() {
		return failed, nil
	}
	of := pages.OfStep(a.ID, st)
	failed.LogPath = pages.LogPath(f, e, a.ID, of.Stream)
	var err error
	failed.Excerpt, err = logview.Read(ctx, s.Logs, of.Source(), st.Log.Lines-excerptSize, excerptSize+1)
	return failed, err
}

// tail returns the log that says most now: of the step that runs, else of the one that failed, else of the last one. Before the first
// step, it is that of the service that is waited for.
func (s *site) tail(ctx context.Context, f parts.Frame, e execution.Execution) (*pages.ShownLog, error) {
	of, ok := speaking(e)
	if !ok {
		return nil, nil //nolint:nilnil // nothing has been said yet, which is no error
	}
	over := pages.Over(e, s.Now())
	from := of.Log.Lines - tailSize
	window, err := logview.Read(ctx, s.Logs, of.Source(), from, tailSize+1)
	if err != nil {
		return nil, err
	}
	return shownLog(f, e, of, window, !over), nil
}

// shownLog describes a box with a window of a log; more lines may come while following.
func shownLog(f parts.Frame, e execution.Execution, of pages.Origin, w logview.Window, following bool) *pages.ShownLog {
	path := pages.LogPath(f, e, of.Attempt, of.Stream)
	live := following && !w.Complete && !of.Log.Complete
	return &pages.ShownLog{
		Run: words.CellOf(e, of.Attempt), Of: of, Path: path, Key: of.Attempt.String() + "/" + of.Stream,
		Box: parts.LogProps{Of: of.Kind + " " + of.Name, Base: pages.LineBase(path), Window: w, Live: live, Why: of.Silence},
	}
}

func speaking(e execution.Execution) (best pages.Origin, ok bool) {
	rank := 0
	for _, a := range words.Attempts(e) {
		for _, st := range a.Steps {
			if r := loudness(st); r > 0 && r >= rank && (r > rank || r < 3) {
				best, rank = pages.OfStep(a.ID, st), r
			}
		}
	}
	if rank > 0 {
		return best, true
	}
	for _, a := range words.Attempts(e) {
		for _, sv := range a.Services {
			if !sv.LogWithheld && (sv.Status == execution.ServiceStarting || sv.Status == execution.ServiceFailed) {
				return pages.OfService(a, sv), true
			}
		}
	}
	return best, false
}

// loudness orders steps by how much their log matters; of equal ones below a failure the last counts, else the first.
func loudness(st execution.Step) int {
	switch {
	case st.StartedAt.IsZero():
		return 0
	case !st.Status.Terminal():
		return 4
	case st.Status == execution.Passed || st.Status == execution.Skipped || st.Allowed:
		return 1
	}
	return 3
}

func (s *site) cancel(w http.ResponseWriter, r *http.Request, m view.Member) error {
	if err := parse(r); err != nil {
		return err
	}
	if err := may(m, tenant.ScopeRun, "cancel executions"); err != nil {
		return err
	}
	e, err := s.find(r)
	if err != nil {
		return err
	}
	reason := m.Viewer.Name
	if said := r.PostForm.Get("reason"); said != "" {
		reason += ": " + said
	}
	if err := s.Launcher.Cancel(r.Context(), e.ID, reason); err != nil {
		return err
	}
	http.Redirect(w, r, "/o/"+m.Organization+"/executions/"+e.ID.String(), http.StatusSeeOther)
	return nil
}

func (s *site) resume(w http.ResponseWriter, r *http.Request, m view.Member) error {
	if err := parse(r); err != nil {
		return err
	}
	if err := may(m, tenant.ScopeRun, "resume executions"); err != nil {
		return err
	}
	e, err := s.find(r)
	if err != nil {
		return err
	}
	which := execution.Resume{Step: r.PostForm.Get("step"), Reason: r.PostForm.Get("comment")}
	if run := r.PostForm.Get("run"); run != "" {
		if which.Run, err = uuid.Parse(run); err != nil {
			return fault.New(fault.Invalid, "%q is no run", run).WithField("run")
		}
	}
	// Somebody else may have been quicker: the page shows who.
	if _, err := s.Launcher.Resume(r.Context(), e.ID, which); err != nil && !fault.Is(err, fault.Conflict) {
		return err
	}
	http.Redirect(w, r, "/o/"+m.Organization+"/executions/"+e.ID.String(), http.StatusSeeOther)
	return nil
}

// rerun starts the runs of an execution again, or those that did not pass, and leads to the new execution.
func (s *site) rerun(w http.ResponseWriter, r *http.Request, m view.Member) error {
	if err := parse(r); err != nil {
		return err
	}
	if err := may(m, tenant.ScopeRun, "start executions"); err != nil {
		return err
	}
	e, err := s.find(r)
	if err != nil {
		return err
	}
	id, err := s.Launcher.Rerun(r.Context(), e.ID, execution.Again{
		Failed: r.PostForm.Get("runs") == "failed", IdempotencyKey: r.PostForm.Get("key"), Trigger: "web",
	})
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/o/"+m.Organization+"/executions/"+id.String(), http.StatusSeeOther)
	return nil
}
