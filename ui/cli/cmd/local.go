package cmd

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/results/format"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/expand"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
	"github.com/seatrial/seatrial/ui/cli/local"
)

// here is what expressions call the place where a workflow runs locally.
const here = "local"

func (a *app) local() *cobra.Command {
	c := &cobra.Command{Use: "local", Short: "Try workflows on this machine, without a cluster"}
	c.AddCommand(a.localRun(), a.localRunner())
	return c
}

// localRunner is the runner, in a process of its own for each container.
func (a *app) localRunner() *cobra.Command {
	return &cobra.Command{
		Use: "runner", Hidden: true, DisableFlagParsing: true,
		RunE: func(c *cobra.Command, args []string) error {
			// It hears of signals itself, and stops its steps politely.
			code, err := local.Runner(context.WithoutCancel(c.Context()), args, programVersion())
			if code == 0 && err == nil {
				return nil
			}
			return coded(code, cmp.Or(err, fmt.Errorf("exit code %d", code)))
		},
	}
}

// trial are the flags of local run.
type trial struct {
	params, secrets            []string
	name, workspace, keepFiles string
	keep, resume               bool
}

func (a *app) localRun() *cobra.Command {
	var t trial
	c := &cobra.Command{
		Use: "run FILE", Short: "Run a workflow as processes of this machine", Args: cobra.ExactArgs(1),
		Long: "Run a workflow as processes of this machine, by the same runner that does it in a cluster: conditions, retries, time limits,\n" +
			"teardown, outputs, reports and artifacts are what they are there. Images are not used, services are not started, and other\n" +
			"workflows are not executed; it says so.\n\n" +
			"A variable that comes from a secret or a config map takes its value from --secret, or from a variable of the same name here.\n" +
			"The exit code is the outcome, as with run --wait.",
	}
	c.Flags().StringArrayVarP(&t.params, "param", "p", nil, "parameter as name=value; several are allowed")
	c.Flags().StringArrayVar(&t.secrets, "secret", nil, "value of a secret or config map as name/key=value; several are allowed")
	c.Flags().StringVar(&t.name, "run", "", "of a matrix or shards only this run, such as \"browser=firefox, shard 1/4\"")
	c.Flags().StringVarP(&t.workspace, "workspace", "w", "", "folder to run in, as it is, in place of a new one with the source")
	c.Flags().BoolVar(&t.keep, "keep", false, "keep the new workspace")
	c.Flags().StringVar(&t.keepFiles, "files", "", "folder for reports and artifacts")
	c.Flags().BoolVar(&t.resume, "resume", false, "steps that wait for a person go on at once")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := local.Supported(); err != nil {
			return coded(exitcode.Errored, err)
		}
		doc, err := a.workflowIn(args[0])
		if err != nil {
			return err
		}
		return a.try(c.Context(), doc, t)
	}
	return c
}

// workflowIn returns the one workflow of a file, merged with the templates that are beside it.
func (a *app) workflowIn(file string) (*workflow.Document, error) {
	docs, err := a.documents([]string{file})
	if err != nil {
		return nil, err
	}
	var found *workflow.Loaded
	var of document
	var templates []workflow.Record
	for _, d := range docs {
		l, err := workflow.Load(d.file, []byte(d.text))
		switch {
		case err != nil:
			return nil, a.refused(d, err)
		case l.IsTemplate():
			templates = append(templates, workflow.Record{Name: l.Metadata.Name, Source: d.text})
		case found != nil:
			return nil, fmt.Errorf("%s holds several workflows: give one at a time", file)
		default:
			found, of = l, d
		}
	}
	if found == nil {
		return nil, fmt.Errorf("%s holds no workflow", file)
	}
	doc, _, err := workflow.Resolve(found, func(names []string) ([]workflow.Record, error) {
		return slices.DeleteFunc(slices.Clone(templates), func(t workflow.Record) bool { return !slices.Contains(names, t.Name) }), nil
	})
	return doc, a.refused(of, err)
}

// refused prints every fault of a document with its place; other errors stay as they are.
func (a *app) refused(d document, err error) error {
	var f *fault.Error
	if !errors.As(err, &f) || len(f.Places) == 0 {
		return err
	}
	a.places(d, "", f.Places)
	return coded(exitcode.Usage, fmt.Errorf("%s cannot be run", d.file))
}

// try runs the runs of a workflow one after the other.
func (a *app) try(ctx context.Context, doc *workflow.Document, t trial) error {
	given, err := pairs(t.params)
	if err != nil {
		return err
	}
	secrets, err := secretPairs(t.secrets)
	if err != nil {
		return err
	}
	values, err := doc.Spec.Params.Resolve(given)
	if err != nil {
		return err
	}
	in := workflow.Inputs{Params: values, ExecutionID: uuid.NewString(), Environment: here, Namespace: here, Cluster: here}
	runs, err := expand.Runs(doc, expand.Input{Values: in.AtTrigger(doc), Environments: []string{here}})
	if err != nil {
		return err
	}
	if runs, err = chosen(runs, t.name); err != nil {
		return err
	}
	var worst error
	for i, r := range runs {
		if ctx.Err() != nil {
			return coded(exitcode.Stopped, fmt.Errorf("%d of %d runs were not started", len(runs)-i, len(runs)))
		}
		files := t.keepFiles
		if len(runs) > 1 {
			a.say("\n=== %s", r.Name)
			if files != "" {
				files = filepath.Join(files, strings.ReplaceAll(r.Name, "/", " of "))
			}
		}
		in.Matrix, in.Shard = r.Matrix, workflow.Shard{Index: r.Shard, Count: r.Shards}
		err := a.tryOne(ctx, doc, in, secrets, files, t)
		if errors.Is(err, local.ErrInput) {
			return err // it would be the same for the others
		}
		if err != nil && i < len(runs)-1 {
			a.say("%v", err) // the last one is said at the end
		}
		if err != nil && (worst == nil || exitcode.Of(err) > exitcode.Of(worst)) {
			worst = err
		}
	}
	return worst
}

func chosen(runs []expand.Run, name string) ([]expand.Run, error) {
	if name == "" {
		return runs, nil
	}
	var names []string
	for _, r := range runs {
		if r.Name == name {
			return []expand.Run{r}, nil
		}
		names = append(names, fmt.Sprintf("%q", r.Name))
	}
	return nil, fmt.Errorf("--run %q: there is no such run; there are %s", name, strings.Join(names, ", "))
}

func secretPairs(list []string) (map[string]string, error) {
	out := make(map[string]string, len(list))
	for _, p := range list {
		k, v, ok := strings.Cut(p, "=")
		if name, key, slash := strings.Cut(k, "/"); !ok || !slash || name == "" || key == "" {
			return nil, errors.New("--secret: write it as name/key=value")
		}
		out[k] = v
	}
	return out, nil
}

func (a *app) tryOne(ctx context.Context, doc *workflow.Document, in workflow.Inputs, secrets map[string]string, files string, t trial) error {
	v := newTrialView(a)
	program, err := a.runnerProgram()
	if err != nil {
		return err
	}
	result, done, err := local.Run(ctx, local.Options{
		Doc: doc, Inputs: in, Workspace: t.workspace, Output: files, Keep: t.keep, Program: program, Env: a.Environ, Secrets: secrets,
		Resume: func(ctx context.Context, question string) string { return a.mayGoOn(ctx, question, t.resume) }, View: v,
	})
	defer done()
	switch {
	case errors.Is(err, local.ErrInput):
		return err
	case err != nil:
		return coded(exitcode.Errored, err)
	}
	v.close()
	if err := a.tried(result); err != nil {
		return err
	}
	return outcome(result)
}

// runnerProgram is what runs the runner: this program.
func (a *app) runnerProgram() ([]string, error) {
	if len(a.Runner) > 0 {
		return a.Runner, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the runner: %w", err)
	}
	return []string{self, "local", "runner"}, nil
}

// mayGoOn asks whoever sits at the terminal, until ctx ends.
func (a *app) mayGoOn(ctx context.Context, question string, always bool) string {
	switch {
	case always:
		return "--resume"
	case !a.Terminal:
		a.say("The step waits for a person, and there is no terminal to ask at: use --resume to let it go on.")
		return ""
	}
	a.tell("%s\nPress Enter to go on, or write no: ", question)
	select {
	case line, ok := <-a.typed():
		if !ok || strings.HasPrefix(strings.ToLower(strings.TrimSpace(line)), "n") {
			return ""
		}
		return "you"
	case <-ctx.Done():
		return ""
	}
}

// typed are the lines of the input. Nothing can end the reading of a terminal, so it is done once, beside everything else.
func (a *app) typed() <-chan string {
	a.reading.Do(func() {
		a.lines = make(chan string)
		go func() {
			defer close(a.lines)
			for in := bufio.NewScanner(a.In); in.Scan(); {
				a.lines <- in.Text()
			}
		}()
	})
	return a.lines
}

// tried shows what the reports say.
func (a *app) tried(r local.Result) error {
	var all []inspected
	for _, report := range r.Reports {
		one, err := a.readReport(report.File, format.Name(report.Format))
		if err != nil {
			return err
		}
		one.File, one.step, one.exit = report.Name, report.Step, report.Exit
		all = append(all, one)
	}
	if len(all) == 0 {
		return nil
	}
	judgeAll(all)
	return a.printInspected(all)
}

// outcome is the exit code of a run.
func outcome(r local.Result) error {
	status := statusOf(r.Status)
	if code := exitcode.OfStatus(status); code != exitcode.Passed {
		return coded(code, fmt.Errorf("%s: %s", words(status), r.Reason))
	}
	return nil
}

// statusOf is the status of a step as the API has it: their names are the same.
func statusOf(s runnerv1.StepStatus) apiv1.Status {
	return apiv1.Status(apiv1.Status_value[strings.TrimPrefix(s.String(), "STEP_")])
}
