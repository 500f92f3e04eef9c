package web

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/insight"
	"github.com/seatrial/seatrial/controlplane/insight/coverage"
	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/parts"
	"github.com/seatrial/seatrial/ui/web/view"
	"github.com/seatrial/seatrial/ui/web/words"
)

// lastGreen is what stands in the address in the place of an execution.
const lastGreen = "last-green"

// compare shows what is different between an execution and another, or the last green one. When there is none, the page says so and
// asks which to compare with.
func (s *site) compare(w http.ResponseWriter, r *http.Request, _ view.Member) error {
	e, err := s.find(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	p := pages.CompareProps{
		Frame: s.frame(r, e.Workflow+": what changed", parts.Executions), Execution: e, With: strings.TrimSpace(q.Get("with")), Environment: q.Get("environment"),
	}
	if p.With == lastGreen {
		p.With = ""
	}
	ask := insight.Question{Execution: e.ID, Environment: p.Environment}
	if p.With != "" {
		if ask.Base, err = uuid.Parse(p.With); err != nil {
			err = fault.New(fault.Invalid, "%q is no id of an execution", p.With).WithField("with").WithHint("Copy it from the page of the execution.")
		}
	}
	if err == nil {
		p.Comparison, err = s.Insight.Compare(r.Context(), ask)
	}
	status := http.StatusOK
	if err != nil {
		wrong, ok := correctable(err)
		if !ok && !fault.Is(err, fault.NotFound) {
			return err
		}
		if status = statusOf(fault.KindOf(err)); !ok {
			wrong = noBase(p.With)
		}
		p.Wrong = wrong
	}
	return render(r.Context(), w, status, pages.Compare, p)
}

// noBase says that there is nothing to compare with. The execution itself is there: the page was found.
func noBase(with string) pages.Wrong {
	if with != "" {
		return pages.Wrong{Field: "with", Message: "There is no such execution, or it is not yours to see."}
	}
	return pages.Wrong{Message: "No earlier execution of the workflow has passed wherever this one ran.", Hint: "Name one to compare it with."}
}

func (s *site) failures(w http.ResponseWriter, r *http.Request, _ view.Member) error {
	q := r.URL.Query()
	p := pages.FailuresProps{
		Frame: s.frame(r, "Failures that are alike", parts.Tests), Workflow: strings.TrimSpace(q.Get("workflow")),
		Environment: strings.TrimSpace(q.Get("environment")), Days: q.Get("days"),
	}
	days, err := lookBack(p.Days)
	if err == nil {
		p.List, err = s.Insight.Failures(r.Context(), insight.Filter{Workflow: p.Workflow, Environment: p.Environment, Days: days})
	}
	status := http.StatusOK
	if err != nil {
		wrong, ok := correctable(err)
		if !ok {
			return err
		}
		p.Wrong, status = wrong, statusOf(fault.KindOf(err))
	}
	return render(r.Context(), w, status, pages.Failures, p)
}

// lookBack reads a number of days; none is the usual one.
func lookBack(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fault.New(fault.Invalid, "%q is no number of days", text).WithField("days").WithHint("Give a whole number from 1 to %d.", insight.MaxDays)
	}
	return n, nil
}

func (s *site) alike(w http.ResponseWriter, r *http.Request, _ view.Member) error {
	days, err := lookBack(r.URL.Query().Get("days"))
	if err != nil {
		return err
	}
	p := pages.FailureProps{}
	if p.Failure, err = s.Insight.Failure(r.Context(), r.PathValue("fingerprint"), days); err != nil {
		return err
	}
	p.Frame = s.frame(r, "Failure of "+words.Count(int64(p.Failure.Tests), "test"), parts.Tests)
	return render(r.Context(), w, http.StatusOK, pages.Failing, p)
}

func (s *site) coverage(w http.ResponseWriter, r *http.Request, _ view.Member) error {
	q := r.URL.Query()
	p := pages.CoverageProps{Frame: s.frame(r, "Coverage of the catalog", parts.Catalog), Days: q.Get("days"), All: q.Has("all")}
	days, err := lookBack(p.Days)
	if err == nil {
		p.Coverage, err = s.Insight.Coverage(r.Context(), days)
	}
	status := http.StatusOK
	if err != nil {
		wrong, ok := correctable(err)
		if !ok {
			return err
		}
		p.Wrong, status = wrong, statusOf(fault.KindOf(err))
	}
	p.Shown, p.Next = part(r, r.URL.Path, p.Rows(), max(coverCells/max(len(p.Coverage.Environments), 1), 1), func(row coverage.Row) string { return row.Workflow })
	return render(r.Context(), w, status, pages.Coverage, p)
}

// othersAlike counts for each failure on a page the tests that fail alike. The page is worth more than the counts: it does without them
// when they cannot be had.
func (s *site) othersAlike(ctx context.Context, tests []execution.TestResult) map[string]int {
	var prints []string
	for _, t := range tests {
		if t.Fingerprint != "" && !slices.Contains(prints, t.Fingerprint) {
			prints = append(prints, t.Fingerprint)
		}
	}
	counts, err := s.Insight.Alike(ctx, prints)
	if err != nil && ctx.Err() == nil {
		s.Log.WarnContext(ctx, "a page does not say how many tests fail alike", "error", err)
	}
	return counts
}
