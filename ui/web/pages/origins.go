package pages

import (
	"fmt"
	"strconv"

	"github.com/seatrial/seatrial/controlplane/origin"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/diff"
	"github.com/seatrial/seatrial/ui/web/parts"
	"github.com/seatrial/seatrial/ui/web/words"
)

// HistoryProps are what the page of the revisions of a document shows.
type HistoryProps struct {
	Frame     parts.Frame
	Name      string
	Template  bool
	Revisions []workflow.Revision // a page of them, the newest first
	Next      string
	Paged     bool
	From, To  int // that are compared; From is 0 for nothing, To when there is none
	Hunks     []diff.Hunk
}

func (p HistoryProps) document() string {
	if p.Template {
		return templatePath(p.Frame, p.Name)
	}
	return workflowPath(p.Frame, p.Name)
}

func (p HistoryProps) change(to int) string {
	return p.document() + "/history?to=" + strconv.Itoa(to) + "#change"
}

// title says what is compared.
func (p HistoryProps) title() string {
	if p.From == 0 {
		return fmt.Sprintf("Revision %d, the first", p.To)
	}
	return fmt.Sprintf("What changed from revision %d to %d", p.From, p.To)
}

// changes counts the lines that changed.
func (p HistoryProps) changes() string {
	added, removed := 0, 0
	for _, h := range p.Hunks {
		for _, l := range h.Lines {
			switch l.Kind {
			case diff.Added:
				added++
			case diff.Removed:
				removed++
			case diff.Same:
			}
		}
	}
	return words.Count(int64(added), "line") + " added, " + words.Count(int64(removed), "line") + " removed"
}

// mark is the class and the sign of a line.
func mark(k diff.Kind) (class, sign, word string) {
	switch k {
	case diff.Added:
		return "added", "+", "added"
	case diff.Removed:
		return "removed", "−", "removed"
	case diff.Same:
	}
	return "", " ", ""
}

func lineClass(k diff.Kind) string { c, _, _ := mark(k); return c }
func lineSign(k diff.Kind) string  { _, s, _ := mark(k); return s }
func lineWord(k diff.Kind) string  { _, _, w := mark(k); return w }

func lineNumber(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// RepositoryForm is what somebody has filled in, but secrets.
type RepositoryForm struct {
	Name, URL, Branch, Path, Team string
	All                           bool
}

// RepositoriesProps are what the page of repositories shows.
type RepositoriesProps struct {
	SettingsProps

	Repositories []origin.Repository
	Waiting      []origin.Claim // documents that the catalog does not have as they are
	Teams        []tenant.Team
	MayChange    bool
	Viewer       tenant.Viewer
	Form         RepositoryForm
}

// repositoryState is a class of the style sheet and a word for how a repository is.
func repositoryState(r origin.Repository) (class, word string) {
	switch {
	case r.Failure != "":
		return "failed", "unreadable"
	case r.SyncedAt.IsZero():
		return "queued", "new"
	case len(r.Problems) > 0:
		return "flaky", words.Count(int64(len(r.Problems)), "problem")
	}
	return "passed", "in the catalog"
}

func repositoryClass(r origin.Repository) string { c, _ := repositoryState(r); return c }
func repositoryWord(r origin.Repository) string  { _, w := repositoryState(r); return w }

// problemAt is the file and line of a problem.
func problemAt(p origin.Problem) string {
	if p.Line == 0 {
		return p.File
	}
	return p.File + ":" + strconv.Itoa(p.Line)
}

// branchOf says which branch and folder a repository is read at.
func branchOf(r origin.Repository) string {
	out := "default branch"
	if r.Branch != "" {
		out = r.Branch
	}
	if r.Path != "" {
		out += " · " + r.Path
	}
	return out
}

const repositoryHint = "Workflows and templates in its YAML files are applied now and with every new commit. What is taken out there leaves the catalog; its executions stay."
