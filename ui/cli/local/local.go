// Package local runs a workflow as processes of this machine, by the runner that does it in a cluster. What a cluster would bring, such
// as images, services and secrets, is the author's to have here.
package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seatrial/seatrial/agent/runner/plan"
	"github.com/seatrial/seatrial/controlplane/runplan"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// deliverWithin is how long a runner tries to tell this process what it has.
const deliverWithin = 10 * time.Second

// Options say how to run a plan.
type Options struct {
	Doc       *workflow.Document
	Inputs    workflow.Inputs
	Workspace string            // directory of the author's; a new one when empty
	Output    string            // directory that gets reports and artifacts; none when empty
	Keep      bool              // a new workspace stays
	Program   []string          // command line that runs the runner; its own arguments follow
	Env       []string          // of the steps
	Secrets   map[string]string // values by "secret/key" and "config map/key"
	// Resume asks a person whether a step that waits may go on, until ctx ends; empty means no.
	Resume func(ctx context.Context, question string) (by string)
	View   View
}

// View shows what happens. Its methods are called one after the other, step by step; those of a group come together.
type View interface {
	// Begins says where, which steps there are, and what of the workflow does not hold on this machine.
	Begins(workspace string, steps []workflow.PlanStep, notes []string)
	// Step is told of each change of a step's state, of its end once and when all of its log was shown.
	Step(s *runnerv1.StepState)
	// Log is given what a step writes, in order; a gap says how many bytes are missing.
	Log(step int, text []byte, gap int64)
	// File is told of each file that was kept, and where it is: "" when it is not.
	File(h *runnerv1.FileHeader, path string)
	// Note is a sentence about what could not be done.
	Note(text string)
}

// Result is how it ended.
type Result struct {
	Status  runnerv1.StepStatus
	Reason  string
	Reports []Report // that were written
}

// Report is a report of a step.
type Report struct {
	Name   string // path in the workspace
	File   string // where it is
	Format string
	Step   int
	Exit   *int // exit code of its step, nil when that passed: it is one that was expected then
}

// ErrInput means that the author has to do something first.
var ErrInput = errors.New("the workflow cannot be run here")

// Run runs a plan and returns how it ended. Reports stay readable until done is called. Once ctx is cancelled, the steps are stopped as
// in a cluster: politely first, and the teardown is run.
func Run(ctx context.Context, o Options) (result Result, done func(), err error) {
	dir, err := os.MkdirTemp("", "seatrial-local-")
	if err != nil {
		return result, func() {}, fmt.Errorf("make a folder: %w", err)
	}
	done = func() { _ = os.RemoveAll(dir) }
	s := &session{Options: o, dir: dir, attempt: uuid.NewString()}
	notes, err := s.prepare()
	if err != nil {
		done()
		return result, func() {}, err
	}
	o.View.Begins(s.Workspace, s.compiled.Steps, notes)
	result, err = s.run(ctx)
	return result, done, err
}

// session is one run.
type session struct {
	Options

	dir      string // what is the session's own
	attempt  string
	compiled *workflow.Plan
	plan     *runnerv1.Plan
	given    []string        // variables of the containers
	hidden   map[string]bool // variables of the author's that only the steps get that name them
}

// prepare makes the workspace and the plan, and returns what does not hold on this machine.
func (s *session) prepare() (notes []string, err error) {
	if s.compiled, notes, err = s.compile(); err != nil {
		return nil, err
	}
	if s.given, err = s.values(s.compiled); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(s.Output, 0o750); s.Output != "" && err != nil {
		return nil, fmt.Errorf("%w: the folder for files: %w", ErrInput, err)
	}
	if s.Workspace == "" {
		if s.Workspace, err = s.newWorkspace(); err != nil {
			return nil, err
		}
		s.redirect()
	}
	s.plan = runplan.Of(s.attempt, s.compiled)
	s.plan.SecretDirs = nil                                // nothing is mounted
	s.plan.UploadAllowance = durationpb.New(deliverWithin) // there is no network in between
	for _, step := range s.plan.GetSteps() {
		step.Metrics = false // the steps share this machine with whatever else it does
		if a := step.GetArtifacts(); a != nil {
			a.Compress = false // files go from one folder to another
		}
	}
	for _, dir := range []string{"shared", "files"} {
		if err := os.Mkdir(filepath.Join(s.dir, dir), 0o700); err != nil {
			return nil, fmt.Errorf("make a folder: %w", err)
		}
	}
	text, err := plan.Encode(s.plan)
	if err != nil {
		return nil, err //nolint:wrapcheck // says what it is
	}
	if err := os.WriteFile(s.planFile(), []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("write the plan: %w", err)
	}
	return append(missing(s.compiled), notes...), nil
}

// compile compiles what this machine can do of the document. In a workspace of the author's nothing is fetched, and files of the
// document are written only where there is none.
func (s *session) compile() (p *workflow.Plan, notes []string, err error) {
	doc := *s.Doc
	source := doc.Spec.Source
	switch {
	case s.Workspace != "":
		if s.Workspace, err = filepath.Abs(s.Workspace); err != nil {
			return nil, nil, fmt.Errorf("find the workspace: %w", err)
		}
		if info, err := os.Stat(s.Workspace); err != nil || !info.IsDir() {
			return nil, nil, fmt.Errorf("%w: %s is not a folder", ErrInput, s.Workspace)
		}
		if source.Fetched() {
			notes = append(notes, "the source is not fetched: your workspace is used as it is")
		}
		doc.Spec.Source = document.Source{}
		for _, f := range source.Files {
			if _, err := os.Lstat(filepath.Join(s.Workspace, f.Path)); err == nil {
				notes = append(notes, f.Path+" of your workspace is used, not the one of the workflow")
				continue
			}
			doc.Spec.Source.Files = append(doc.Spec.Source.Files, f)
		}
	case source.ConfigMap != nil:
		return nil, nil, fmt.Errorf("%w: its source is a config map, which only a cluster has: run in a folder that has the files, with --workspace", ErrInput)
	case source.Fetched():
		if err := s.canFetch(); err != nil {
			return nil, nil, err
		}
	}
	p, err = workflow.Compile(&doc, s.Inputs)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	return p, notes, nil
}

// canFetch demands the program that fetches the source, where the runner looks for it: beside itself.
func (s *session) canFetch() error {
	dir := filepath.Dir(s.Program[0])
	if _, err := os.Stat(filepath.Join(dir, "seatrial-source")); err != nil {
		return fmt.Errorf("%w: its source is fetched by the program seatrial-source, which is not in %s: put it there, or run in your own checkout "+
			"with --workspace", ErrInput, dir)
	}
	return nil
}

// redirect has the source step write to the workspace, which is elsewhere in a cluster.
func (s *session) redirect() {
	if !s.Doc.Spec.Source.Fetched() {
		return
	}
	command := s.compiled.Steps[0].Command
	for i, arg := range command {
		if arg == "--dest="+workflow.Workspace {
			command[i] = expr.Escape("--dest=" + s.Workspace)
		}
	}
}

func (s *session) planFile() string { return filepath.Join(s.dir, "plan") }

func (s *session) newWorkspace() (string, error) {
	if !s.Keep {
		dir := filepath.Join(s.dir, "workspace")
		if err := os.Mkdir(dir, 0o700); err != nil {
			return "", fmt.Errorf("make the workspace: %w", err)
		}
		return dir, nil
	}
	dir, err := os.MkdirTemp("", "seatrial-workspace-")
	if err != nil {
		return "", fmt.Errorf("make the workspace: %w", err)
	}
	return dir, nil
}

// values returns the variables that Kubernetes would fill from secrets and config maps: from what the author gave, else from a variable
// of the author's that has the name by which a step knows it.
func (s *session) values(p *workflow.Plan) ([]string, error) {
	names := map[string]string{} // of the steps' variables by those of the containers
	for _, step := range p.Steps {
		for _, v := range step.Env {
			if v.From != "" && names[v.From] == "" {
				names[v.From] = v.Name
			}
		}
	}
	var out, absent []string
	s.hidden = map[string]bool{}
	for _, box := range p.Containers {
		for _, ref := range box.Env {
			name, used := names[ref.Name]
			if !used {
				continue
			}
			value, from, found := s.value(ref, name)
			if s.hidden[name] = true; found {
				out = append(out, ref.Name+"="+value)
			} else if from != "" {
				absent = append(absent, fmt.Sprintf("%s comes from %s: set it in your environment, or give it with --secret", name, from))
			}
		}
	}
	if len(absent) > 0 {
		slices.Sort(absent)
		return nil, fmt.Errorf("%w: %s", ErrInput, strings.Join(slices.Compact(absent), "; "))
	}
	return out, nil
}

// value looks a reference up; from says where a cluster would have it, empty when it may do without.
func (s *session) value(ref workflow.PlanRef, name string) (value, from string, found bool) {
	key, kind := ref.Secret, "secret"
	if key == nil {
		key, kind = ref.ConfigMap, "config map"
	}
	if value, found = s.Secrets[key.Name+"/"+key.Key]; found {
		return value, "", true
	}
	for _, kv := range slices.Backward(s.Env) {
		if k, v, _ := strings.Cut(kv, "="); k == name {
			return v, "", true
		}
	}
	if key.Optional {
		return "", "", false
	}
	return "", fmt.Sprintf("key %s of %s %s", key.Key, kind, key.Name), false
}

// missing says what of a plan only a cluster has.
func missing(p *workflow.Plan) (notes []string) {
	var images, services, volumes []string
	for _, c := range p.Containers {
		if c.Image != "" && !slices.Contains(images, c.Image) {
			images = append(images, c.Image)
		}
	}
	for _, service := range p.Services {
		services = append(services, service.Name)
	}
	for _, v := range p.Pod.Volumes {
		volumes = append(volumes, v.MountPath)
	}
	if len(images) > 0 {
		notes = append(notes, "images are not used, but the programs of this machine: "+strings.Join(images, ", "))
	}
	if len(services) > 0 {
		notes = append(notes, "services are not started; have them at 127.0.0.1: "+strings.Join(services, ", "))
	}
	if len(volumes) > 0 {
		notes = append(notes, "volumes are not mounted: "+strings.Join(volumes, ", "))
	}
	return notes
}
