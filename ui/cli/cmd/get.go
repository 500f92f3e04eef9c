package cmd

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/render"
)

func (a *app) get() *cobra.Command {
	c := &cobra.Command{Use: "get", Short: "Show workflows, templates, policies, executions, tests, files, metrics, clusters, environments, usage"}
	c.AddCommand(
		a.getter("workflows", []string{"wf"}, 0, a.getWorkflows),
		a.getter("workflow NAME", nil, 1, a.getWorkflow),
		a.getter("templates", nil, 0, a.getTemplates),
		a.getter("template NAME", nil, 1, a.getTemplate),
		a.getter("policies", []string{"policy"}, 0, a.getPolicies),
		a.getter("executions", []string{"ex"}, 0, a.getExecutions),
		a.getter("execution ID", nil, 1, a.getExecution),
		a.getter("tests EXECUTION", []string{"test", "results"}, 1, a.getTests),
		a.getter("files EXECUTION", []string{"file", "artifacts"}, 1, a.getFiles),
		a.metricsGetter(),
		a.getter("clusters", []string{"cluster"}, 0, a.getClusters),
		a.getter("usage", []string{"quotas"}, 0, a.getUsage),
		a.getter("environments", []string{"environment", "env"}, 0, a.getEnvironments),
	)
	return c
}

// table is an answer in both forms.
type table struct {
	message proto.Message
	header  []string
	rows    [][]string
	text    string // instead of a table
	sheet   *sheet // instead of the table as CSV
}

// sheet is a table as a spreadsheet wants it: with numbers and not words for people.
type sheet struct {
	header []string
	rows   [][]string
}

type fetch func(ctx context.Context, cl clients, arg string) (table, error)

func (a *app) getter(use string, aliases []string, args int, f fetch) *cobra.Command {
	return &cobra.Command{Use: use, Aliases: aliases, Args: cobra.ExactArgs(args), RunE: func(c *cobra.Command, args []string) error {
		cl, err := a.connect()
		if err != nil {
			return err
		}
		t, err := f(c.Context(), cl, strings.Join(args, ""))
		if err != nil {
			return err
		}
		switch {
		case a.format == render.CSV && t.sheet != nil:
			return render.Sheet(a.Out, t.sheet.header, t.sheet.rows)
		case a.format == render.CSV && t.text != "":
			return fmt.Errorf("get %s has no rows: use table, json or yaml", c.Name())
		case a.format == render.CSV:
			return render.Sheet(a.Out, t.header, t.rows)
		case a.format != render.Table:
			return render.Message(a.Out, a.format, t.message)
		case t.text != "":
			return a.print("%s", t.text)
		case len(t.rows) == 0:
			a.say("None yet.")
			return nil
		}
		return render.Rows(a.Out, t.header, t.rows)
	}}
}

func (a *app) getWorkflows(ctx context.Context, cl clients, _ string) (table, error) {
	all := &apiv1.ListWorkflowsResponse{}
	t := table{message: all, header: []string{"NAME", "TEAM", "REVISION", "UPDATED", "KEPT IN", "DESCRIPTION"}}
	for page := ""; ; {
		res, err := cl.workflows.ListWorkflows(ctx, &apiv1.ListWorkflowsRequest{PageSize: 500, PageToken: page})
		if err != nil {
			return t, err
		}
		all.Workflows = append(all.Workflows, res.GetWorkflows()...)
		if page = res.GetNextPageToken(); page == "" {
			break
		}
	}
	for _, w := range all.GetWorkflows() {
		t.rows = append(t.rows, []string{w.GetName(), w.GetTeam(), strconv.Itoa(int(w.GetRevision())), render.Time(w.GetUpdatedAt()), w.GetOrigin(), w.GetDescription()})
	}
	return t, nil
}

func (a *app) getWorkflow(ctx context.Context, cl clients, name string) (table, error) {
	res, err := cl.workflows.GetWorkflow(ctx, &apiv1.GetWorkflowRequest{Name: name})
	if err != nil {
		return table{}, err
	}
	return table{message: res.GetWorkflow(), text: strings.TrimRight(res.GetWorkflow().GetSource(), "\n")}, nil
}

func (a *app) getTemplates(ctx context.Context, cl clients, _ string) (table, error) {
	all := &apiv1.ListTemplatesResponse{}
	t := table{message: all, header: []string{"NAME", "TEAM", "REVISION", "UPDATED", "DESCRIPTION"}}
	for page := ""; ; {
		res, err := cl.workflows.ListTemplates(ctx, &apiv1.ListTemplatesRequest{PageSize: 500, PageToken: page})
		if err != nil {
			return t, err
		}
		all.Templates = append(all.Templates, res.GetTemplates()...)
		if page = res.GetNextPageToken(); page == "" {
			break
		}
	}
	for _, w := range all.GetTemplates() {
		t.rows = append(t.rows, []string{w.GetName(), w.GetTeam(), strconv.Itoa(int(w.GetRevision())), render.Time(w.GetUpdatedAt()), w.GetDescription()})
	}
	return t, nil
}

// getTemplate prints the source; what uses it follows on the other stream, so that the source can be kept in a file.
func (a *app) getTemplate(ctx context.Context, cl clients, name string) (table, error) {
	res, err := cl.workflows.GetTemplate(ctx, &apiv1.GetTemplateRequest{Name: name})
	if err != nil {
		return table{}, err
	}
	t := res.GetTemplate()
	if a.format == render.Table {
		if users := t.GetWorkflows(); len(users) > 0 {
			a.say("Used by the workflows %s.", render.Line(strings.Join(users, ", ")))
		} else {
			a.say("No workflow uses it.")
		}
	}
	return table{message: t, text: strings.TrimRight(t.GetSource(), "\n")}, nil
}

func (a *app) getPolicies(ctx context.Context, cl clients, _ string) (table, error) {
	res, err := cl.releases.ListPolicies(ctx, &apiv1.ListPoliciesRequest{})
	if err != nil {
		return table{}, err
	}
	t := table{message: res, header: []string{"NAME", "TEAM", "REVISION", "UPDATED", "DESCRIPTION"}}
	for _, p := range res.GetPolicies() {
		t.rows = append(t.rows, []string{p.GetName(), p.GetTeam(), strconv.Itoa(int(p.GetRevision())), render.Time(p.GetUpdatedAt()), p.GetDescription()})
	}
	return t, nil
}

func (a *app) getExecutions(ctx context.Context, cl clients, _ string) (table, error) {
	res, err := cl.executions.ListExecutions(ctx, &apiv1.ListExecutionsRequest{PageSize: 50})
	if err != nil {
		return table{}, err
	}
	t := table{message: res, header: []string{"ID", "WORKFLOW", "STATUS", "TESTS", "CREATED", "TOOK"}}
	for _, e := range res.GetExecutions() {
		t.rows = append(t.rows, []string{
			e.GetId(), e.GetWorkflow(), render.Status(e.GetStatus()),
			strconv.Itoa(int(e.GetTests().GetPassed())) + "/" + strconv.Itoa(int(e.GetTests().GetTotal())),
			render.Time(e.GetCreatedAt()), render.Span(e.GetStartedAt(), e.GetFinishedAt()),
		})
	}
	return t, nil
}

func (a *app) getExecution(ctx context.Context, cl clients, id string) (table, error) {
	res, err := cl.executions.GetExecution(ctx, &apiv1.GetExecutionRequest{Id: id})
	if err != nil {
		return table{}, err
	}
	e := res.GetExecution()
	var b strings.Builder
	b.WriteString(sentence(e) + "\n" + render.Counts(e.GetTests()) + "\n" + startedBy(e) + builtUpon(e))
	for _, r := range e.GetRuns() {
		b.WriteString("\n")
		if cell := cellOf(e, r); cell != "" {
			b.WriteString(cell + " " + words(r.GetStatus()) + ", in ")
		}
		b.WriteString(render.Line(r.GetEnvironment()) + " on " + render.Line(r.GetCluster()) + "\n")
		var rows [][]string
		for _, at := range r.GetAttempts() {
			for _, s := range at.GetSteps() {
				rows = append(rows, []string{
					strconv.Itoa(int(at.GetNumber())), strconv.Itoa(int(s.GetIndex())), s.GetName(),
					render.Status(s.GetStatus()), render.Span(s.GetStartedAt(), s.GetFinishedAt()), s.GetReason(),
				})
			}
		}
		if err := render.Rows(&b, []string{"ATTEMPT", "STEP", "NAME", "STATUS", "TOOK", "REASON"}, rows); err != nil {
			return table{}, err
		}
		if err := services(&b, r); err != nil {
			return table{}, err
		}
		b.WriteString(usedBy(r))
		if err := calls(&b, r); err != nil {
			return table{}, err
		}
	}
	return table{message: e, text: strings.TrimRight(b.String(), "\n")}, nil
}

// builtUpon names the templates that an execution ran with.
func builtUpon(e *apiv1.Execution) string {
	var list []string
	for _, t := range e.GetTemplates() {
		list = append(list, fmt.Sprintf("%s (revision %d)", render.Line(t.GetName()), t.GetRevision()))
	}
	if len(list) == 0 {
		return ""
	}
	return "Templates: " + strings.Join(list, ", ") + "\n"
}

// startedBy names the step that an execution was started by.
func startedBy(e *apiv1.Execution) string {
	p := e.GetParent()
	if p == nil {
		return ""
	}
	return fmt.Sprintf("Started by step %s of %s, execution %s\n", render.Line(p.GetStep()), render.Line(p.GetWorkflow()), p.GetExecutionId())
}

// calls lists the executions that the steps of a run have asked for, if any did.
func calls(b *strings.Builder, r *apiv1.Run) error {
	var rows [][]string
	for _, at := range r.GetAttempts() {
		for _, s := range at.GetSteps() {
			for _, c := range s.GetCalls() {
				rows = append(rows, []string{
					strconv.Itoa(int(at.GetNumber())), s.GetName(), c.GetWorkflow(), render.Status(c.GetStatus()), c.GetExecutionId(), c.GetMessage(),
				})
			}
		}
	}
	if len(rows) == 0 {
		return nil
	}
	b.WriteString("\n")
	return render.Rows(b, []string{"ATTEMPT", "STEP", "EXECUTES", "STATUS", "EXECUTION", "MESSAGE"}, rows)
}

// services lists what ran next to the steps of a run, if anything did.
func services(b *strings.Builder, r *apiv1.Run) error {
	var rows [][]string
	for _, at := range r.GetAttempts() {
		for _, s := range at.GetServices() {
			rows = append(rows, []string{
				strconv.Itoa(int(at.GetNumber())), s.GetName(), render.ServiceStatus(s.GetStatus()), strconv.Itoa(int(s.GetRestarts())), s.GetMessage(),
			})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	b.WriteString("\n")
	return render.Rows(b, []string{"ATTEMPT", "SERVICE", "STATUS", "RESTARTS", "MESSAGE"}, rows)
}

func (a *app) getTests(ctx context.Context, cl clients, id string) (table, error) {
	all := &apiv1.ListTestResultsResponse{}
	t := table{message: all, header: []string{"OUTCOME", "SUITE", "NAME", "TOOK", "MESSAGE"}}
	for page := ""; ; {
		res, err := cl.executions.ListTestResults(ctx, &apiv1.ListTestResultsRequest{ExecutionId: id, PageSize: 1000, PageToken: page})
		if err != nil {
			return t, err
		}
		all.Results = append(all.Results, res.GetResults()...)
		if page = res.GetNextPageToken(); page == "" {
			break
		}
	}
	runs, err := a.cells(ctx, cl, id)
	if err != nil {
		return t, err
	}
	t.header = runs.header(t.header)
	for _, r := range all.GetResults() {
		outcome := r.GetOutcome()
		if r.GetSuperseded() {
			outcome += " (superseded)"
		}
		row := []string{outcome, r.GetSuite(), r.GetName(), r.GetDuration().AsDuration().String(), r.GetMessage()}
		t.rows = append(t.rows, runs.row(row, r.GetAttemptId()))
	}
	return t, nil
}

func (a *app) getFiles(ctx context.Context, cl clients, id string) (table, error) {
	res, err := cl.executions.ListFiles(ctx, &apiv1.ListFilesRequest{ExecutionId: id})
	if err != nil {
		return table{}, err
	}
	runs, err := a.cells(ctx, cl, id)
	if err != nil {
		return table{}, err
	}
	t := table{message: res, header: runs.header([]string{"KIND", "PATH", "BYTES", "GRADE", "DOWNLOAD"})}
	for _, f := range res.GetFiles() {
		row := []string{f.GetKind(), f.GetPath(), strconv.FormatInt(f.GetSize(), 10), f.GetGrade(), strings.TrimRight(a.target.Server, "/") + f.GetDownload()}
		t.rows = append(t.rows, runs.row(row, f.GetAttemptId()))
	}
	return t, nil
}
