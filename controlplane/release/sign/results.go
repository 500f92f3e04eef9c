package sign

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/attest"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	tests "github.com/seatrial/seatrial/controlplane/results/verdict"
)

// results returns the statements on tests: one for each cell in which the release itself was tested.
func (b *bundling) results(ctx context.Context) ([]attest.Statement, error) {
	executions := map[string]string{} // by run
	for _, r := range b.in.Runs {
		executions[r.ID] = r.Execution
	}
	var all []attest.Statement
	for _, c := range b.out.Cells {
		of := map[string]bool{}
		for _, r := range c.Results {
			for _, run := range r.Runs {
				if r.SubjectOK && executions[run] != "" {
					of[executions[run]] = true
				}
			}
		}
		if len(of) == 0 {
			continue
		}
		statement, err := b.result(ctx, c, slices.Sorted(maps.Keys(of)))
		if err != nil {
			return nil, err
		}
		all = append(all, statement)
	}
	return all, nil
}

// result returns the statement on a cell. Executions are in the order in which they were created.
func (b *bundling) result(ctx context.Context, c verdict.CellResult, executions []string) (attest.Statement, error) {
	run := attest.TestRun{
		Executions: executions, Suite: c.Suite, Environment: c.Environment, TimeCreated: b.at, URL: b.page(executions[len(executions)-1]),
		// The names that a large suite leaves out are in the verdict, in the same bundle.
		Full: attest.Resource{Digest: map[string]string{attest.SHA256: attest.Digest(b.output)}},
	}
	seen := map[string]bool{}
	for _, id := range executions {
		definition, err := b.definition(ctx, id)
		if err != nil {
			return attest.Statement{}, err
		}
		if sum := definition.Digest[attest.SHA256]; !seen[sum] {
			seen[sum] = true
			run.Definitions = append(run.Definitions, definition)
		}
	}
	sort(&run, c.Results)
	return attest.NewTestResult(b.subject, run) //nolint:wrapcheck // a fault that speaks for itself
}

// page returns the address of an execution's page, none when nobody said where pages are.
func (b *bundling) page(execution string) string {
	if b.cfg.PublicURL == "" {
		return ""
	}
	return b.cfg.PublicURL + "/o/" + b.organization + "/executions/" + execution
}

// definition returns the workflow revision that an execution ran.
func (b *bundling) definition(ctx context.Context, execution string) (attest.Resource, error) {
	if known, ok := b.definitions[execution]; ok {
		return known, nil
	}
	id, err := uuid.Parse(execution)
	if err != nil {
		return attest.Resource{}, fault.Wrap(fault.Internal, err, "id of an execution")
	}
	e, err := b.cfg.Store.Execution(ctx, id)
	if err != nil {
		return attest.Resource{}, fmt.Errorf("read which workflow ran: %w", err)
	}
	b.definitions[execution] = attest.Resource{
		Name: fmt.Sprintf("%s revision %d", e.Workflow, e.Revision), Digest: map[string]string{attest.SHA256: e.Digest},
	}
	return b.definitions[execution], nil
}

// sort puts the names of tests where the verdicts on them belong. A test that nobody requires speaks only when it is bad.
func sort(run *attest.TestRun, results []verdict.TestResult) {
	var names namer
	for _, r := range results {
		bad := r.SubjectOK && (r.Verdict == tests.Failed || r.Verdict == tests.Flaky)
		if !r.Required && !bad {
			continue
		}
		list := listFor(run, r)
		*list = append(*list, names.name(r))
	}
}

// listFor returns the list that a verdict belongs in. Whatever gives no evidence on the release itself is as if it never ran.
func listFor(run *attest.TestRun, r verdict.TestResult) *[]string {
	if !r.SubjectOK {
		return &run.NeverRan
	}
	switch r.Verdict {
	case tests.Passed:
		return &run.Passed
	case tests.Failed:
		if r.Override == tests.None {
			return &run.Failed
		}
		return &run.Warned
	case tests.Flaky:
		return &run.Warned
	case tests.Skipped:
		return &run.Skipped
	case tests.Running, tests.Blocked, tests.InfraError, tests.NeverRan:
	}
	return &run.NeverRan
}

// namer gives each test of a suite a name of its own: tests of several files may be called the same.
type namer struct {
	taken map[string]bool
	next  map[string]int
}

func (n *namer) name(r verdict.TestResult) string {
	if n.taken == nil {
		n.taken, n.next = map[string]bool{}, map[string]int{}
	}
	title := cmp.Or(r.Name, r.Test, "a test without a name")
	if r.Variant != "" {
		title += " [" + r.Variant + "]"
	}
	name := title
	for n.taken[name] {
		n.next[title]++
		name = fmt.Sprintf("%s #%d", title, n.next[title]+1)
	}
	n.taken[name] = true
	return name
}
