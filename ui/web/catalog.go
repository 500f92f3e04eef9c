package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/parts"
	"github.com/seatrial/seatrial/ui/web/view"
)

// catalog lists the workflows that match what the address says, and below all of them the templates.
func (s *site) catalog(w http.ResponseWriter, r *http.Request, _ view.Member) (err error) {
	q := r.URL.Query()
	p := pages.CatalogProps{Frame: s.frame(r, "Catalog", parts.Catalog), Paged: q.Has("after"), Server: s.address(r), Labels: strings.TrimSpace(q.Get("label"))}
	p.Filter = workflow.Filter{Text: strings.TrimSpace(q.Get("q")), Team: q.Get("owner"), Last: q.Get("last")}
	if p.Teams, err = s.People.Teams(r.Context()); err != nil {
		return err
	}
	if p.Filter.Labels, err = labels(p.Labels); err == nil {
		err = s.catalogPage(r, &p)
	}
	status := http.StatusOK
	if err != nil {
		wrong, ok := correctable(err)
		if !ok {
			return err
		}
		p.Wrong, status = wrong, statusOf(fault.KindOf(err))
	}
	return render(r.Context(), w, status, pages.Catalog, p)
}

// catalogPage reads what the page shows.
func (s *site) catalogPage(r *http.Request, p *pages.CatalogProps) error {
	if len(p.Filter.Text) > maxSought {
		return fault.New(fault.Invalid, "the text is longer than %d bytes", maxSought).WithField("q")
	}
	if last := p.Filter.Last; last != "" && last != workflow.NeverRun && !execution.Status(last).Valid() {
		return fault.New(fault.Invalid, "there is no state %q", last).WithField("last").WithHint("Choose one of the list.")
	}
	var next string
	var err error
	if p.Workflows, next, err = s.Catalog.Workflows(r.Context(), p.Filter, pageSize, r.URL.Query().Get("after")); err != nil {
		return err
	}
	p.Next = following(r.URL, "after", next)
	names := make([]string, len(p.Workflows))
	for i, flow := range p.Workflows {
		names[i] = flow.Name
	}
	if p.Last, err = s.History.LastExecutions(r.Context(), names); err != nil || p.Paged || p.Filter.Narrow() {
		return err
	}
	p.Templates, next, err = s.Catalog.Templates(r.Context(), fewTemplates, "")
	p.MoreTemplates = next != ""
	return err
}

// labels reads labels as people write them: key=value, several apart by commas or spaces.
func labels(text string) (map[string]string, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // there are none
	}
	out := map[string]string{}
	for _, one := range slices.DeleteFunc(strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }), func(s string) bool { return s == "" }) {
		key, value, ok := strings.Cut(one, "=")
		if !ok || key == "" {
			return nil, fault.New(fault.Invalid, "%q is no label", one).WithField("label").WithHint("Write it as app=shop; several apart by commas.")
		}
		out[key] = value
	}
	return out, nil
}
