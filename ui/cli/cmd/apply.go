package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/controlplane/workflow"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
	"github.com/seatrial/seatrial/ui/cli/render"
)

// document is one document of a file; line is how many lines of the file precede it.
type document struct {
	file string
	line int32
	text string
}

func (a *app) apply() *cobra.Command {
	var files []string
	var team string
	var dry bool
	c := &cobra.Command{
		Use: "apply -f FILE|DIR|-", Short: "Store workflows, templates, readiness policies and environments", Args: cobra.NoArgs,
		Long: "Store workflows, templates, readiness policies and environments. Templates are stored before what uses them, in whatever order they are given.\n" +
			"A template that would break a workflow which uses it is refused, unless that workflow changes in the same command.",
	}
	c.Flags().StringSliceVarP(&files, "file", "f", nil, "file, folder, or - for standard input; several are allowed")
	c.Flags().StringVar(&team, "team", "", "owner of what is new")
	c.Flags().BoolVar(&dry, "dry-run", false, "check only")
	c.RunE = func(c *cobra.Command, _ []string) error {
		docs, err := a.documents(files)
		if err != nil {
			return err
		}
		cl, err := a.connect()
		if err != nil {
			return err
		}
		return a.applyAll(c.Context(), cl, docs, team, dry)
	}
	return c
}

// applyAll goes on after a bad document, so that one run shows every fault.
func (a *app) applyAll(ctx context.Context, cl clients, docs []document, team string, dry bool) error {
	docs = inOrder(docs)
	bad := 0
	for i, d := range docs {
		others := docs[i+1:] // those before are stored already
		if dry {
			others = slices.Concat(docs[:i], others)
		}
		res, err := cl.workflows.ApplyWorkflow(ctx, &apiv1.ApplyWorkflowRequest{
			Source: d.text, File: d.file, Team: team, DryRun: dry, Along: along(d, others),
		})
		var wire *connect.Error
		if errors.As(err, &wire) && exitcode.Of(err) == exitcode.Usage {
			bad++
			a.faults(d, wire)
			continue
		}
		if err != nil {
			return err
		}
		if err := a.applied(res); err != nil {
			return err
		}
		a.stale(d, docs)
	}
	if bad > 0 {
		return coded(exitcode.Usage, fmt.Errorf("%d of %d documents were not applied", bad, len(docs)))
	}
	return nil
}

// inOrder puts templates before what uses them.
func inOrder(docs []document) []document {
	sources := make([]workflow.Source, len(docs))
	for i, d := range docs {
		sources[i] = workflow.Source{File: d.file, Text: []byte(d.text)}
	}
	out := make([]document, 0, len(docs))
	for _, i := range workflow.Order(sources) {
		out = append(out, docs[i])
	}
	return out
}

// What of the other documents goes along with one. It has to fit into a request; without the rest, a template may be refused that
// would be fine with it.
const (
	maxAlong      = 500
	maxAlongBytes = 900 << 10
)

// along returns those of the other documents that count when one is checked: templates, and what uses them.
func along(d document, others []document) []string {
	if !workflow.Templated([]byte(d.text)) {
		return nil
	}
	var out []string
	size := 0
	for _, o := range others {
		if size += len(o.text); len(out) == maxAlong || size > maxAlongBytes {
			break
		}
		if workflow.Templated([]byte(o.text)) {
			out = append(out, o.text)
		} else {
			size -= len(o.text)
		}
	}
	return out
}

func (a *app) applied(m *apiv1.ApplyWorkflowResponse) error {
	if a.format != render.Table {
		return render.Message(a.Out, a.format, m)
	}
	what, name, revision := "workflow", m.GetWorkflow().GetName(), m.GetWorkflow().GetRevision()
	if t := m.GetTemplate(); t != nil {
		what, name, revision = "template", t.GetName(), t.GetRevision()
	}
	if p := m.GetPolicy(); p != nil {
		what, name, revision = "policy", p.GetName(), p.GetRevision()
	}
	if s := m.GetSchedule(); s != nil {
		what, name, revision = "schedule", s.GetName(), s.GetRevision()
	}
	if t := m.GetTrigger(); t != nil {
		what, name, revision = "trigger", t.GetName(), t.GetRevision()
	}
	if w := m.GetWebhook(); w != nil {
		what, name, revision = "webhook", w.GetName(), w.GetRevision()
	}
	word := strings.ToLower(strings.TrimPrefix(m.GetOutcome().String(), "APPLY_OUTCOME_"))
	if e := m.GetEnvironment(); e != nil {
		return a.print("environment %s %s (%s on %s)", render.Line(e.GetName()), word, render.Line(e.GetNamespace()), render.Line(e.GetCluster()))
	}
	if err := a.print("%s %s %s (revision %d)", what, render.Line(name), word, revision); err != nil {
		return err
	}
	if m.GetMissing() != "" {
		a.say("%s", render.Line(m.GetMissing()))
	}
	return nil
}

func (a *app) faults(d document, err *connect.Error) {
	info := detail(err)
	for _, f := range info.GetFaults() {
		a.say("%s:%d:%d: %s: %s", d.file, f.GetLine()+d.line, f.GetColumn(), render.Line(f.GetField()), render.Line(f.GetMessage()))
	}
	if len(info.GetFaults()) == 0 {
		a.say("%s:%d: %s", d.file, d.line+1, render.Line(err.Message()))
	}
	if info.GetHint() != "" {
		a.say("%s", render.Line(info.GetHint()))
	}
}

// documents reads every file named and splits it.
func (a *app) documents(names []string) ([]document, error) {
	if len(names) == 0 {
		return nil, errors.New("nothing to apply: give -f FILE, -f FOLDER or -f -")
	}
	var docs []document
	for _, name := range names {
		paths, err := filesIn(name)
		if err != nil {
			return nil, err
		}
		for _, p := range paths {
			raw, err := a.read(p)
			if err != nil {
				return nil, err
			}
			docs = append(docs, split(p, raw)...)
		}
	}
	if len(docs) == 0 {
		return nil, fmt.Errorf("no document in %s", strings.Join(names, ", "))
	}
	return docs, nil
}

func (a *app) read(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(a.In)
	}
	return os.ReadFile(path) //nolint:gosec // the person named the file
}

// filesIn lists the YAML and JSON files of a folder in order; a file is itself.
func filesIn(name string) ([]string, error) {
	if name == "-" {
		return []string{name}, nil
	}
	info, err := os.Stat(name)
	if err != nil || !info.IsDir() {
		return []string{name}, err
	}
	var paths []string
	err = filepath.WalkDir(name, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(p)) {
			paths = append(paths, p)
		}
		return err
	})
	return paths, err
}

// split cuts a file at its document markers and drops documents without content.
func split(file string, raw []byte) []document {
	var docs []document
	var text strings.Builder
	start, content := int32(0), false
	flush := func(next int32) {
		if content {
			docs = append(docs, document{file: file, line: start, text: text.String()})
		}
		text.Reset()
		start, content = next, false
	}
	line := int32(0)
	for l := range bytes.Lines(raw) {
		line++
		trimmed := strings.TrimRight(string(l), " \t\r\n")
		if trimmed == "---" || strings.HasPrefix(trimmed, "--- #") {
			flush(line)
			continue
		}
		text.Write(l)
		content = content || (trimmed != "" && !strings.HasPrefix(strings.TrimSpace(trimmed), "#"))
	}
	flush(line)
	return docs
}
