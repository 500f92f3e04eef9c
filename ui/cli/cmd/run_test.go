package cmd_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
)

func life(last apiv1.Status, message string) []*apiv1.Execution {
	return then(execution(apiv1.Status_STATUS_QUEUED, ""), execution(apiv1.Status_STATUS_RUNNING, ""), execution(last, message))
}

// TestRun_Wait prints how each end looks, and with which code the command returns.
func TestRun_Wait(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status  apiv1.Status
		message string
		code    int
	}{
		"passed": {apiv1.Status_STATUS_PASSED, "", exitcode.Passed}, "skipped": {apiv1.Status_STATUS_SKIPPED, "", exitcode.Passed},
		"failed": {apiv1.Status_STATUS_FAILED, "", exitcode.Failed}, "errored": {apiv1.Status_STATUS_ERRORED, "the image does not exist", exitcode.Errored},
		"timed-out": {apiv1.Status_STATUS_TIMED_OUT, "", exitcode.Stopped}, "cancelled": {apiv1.Status_STATUS_CANCELLED, "by ada\x1b[2J", exitcode.Stopped},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			s.runs.states = life(tc.status, tc.message)
			got := s.run(t, "run", "smoke", "--wait")
			if got.code != tc.code {
				t.Errorf("code %d, want %d", got.code, tc.code)
			}
			if word := "smoke " + strings.ReplaceAll(name, "-", " "); strings.Count(got.err, word) != 1 {
				t.Errorf("%q must be said once: %s", word, got.err)
			}
			golden(t, "run-wait-"+name, got)
		})
	}
}

func TestRun_Forms(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"run": {"run", "smoke"}, "run-json": {"run", "smoke", "-o", "json"}, "run-wait-json": {"run", "smoke", "--wait", "-o", "json"},
		"run-wait-yaml": {"run", "smoke", "--wait", "-o", "yaml"}, "run-follow": {"run", "smoke", "--follow"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			s.runs.states, s.runs.log = life(apiv1.Status_STATUS_PASSED, ""), []byte("one\ntwo\nthree\n")
			golden(t, name, s.run(t, args...))
		})
	}
}

func TestRun_Terminal(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.term = true
	s.runs.states = life(apiv1.Status_STATUS_PASSED, "")
	golden(t, "run-wait-terminal", s.run(t, "run", "smoke", "--wait"))
}

func TestRun_Request(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var asked *apiv1.RunWorkflowRequest
	s.runs.started = func(m *apiv1.RunWorkflowRequest) (*apiv1.RunWorkflowResponse, error) {
		asked = m
		return &apiv1.RunWorkflowResponse{Execution: execution(apiv1.Status_STATUS_QUEUED, ""), Existed: true}, nil
	}
	got := s.run(t, "run", "smoke", "-p", "a=1", "-p", "b=x=y", "--env", "staging", "--env", "canary", "--idempotency-key", "k")
	if got.code != exitcode.Passed || got.out != "ex-1\n" || !strings.Contains(got.err, "Already started") {
		t.Errorf("%+v", got)
	}
	if asked.GetWorkflow() != "smoke" || asked.GetParams()["b"] != "x=y" || strings.Join(asked.GetEnvironments(), " ") != "staging canary" || asked.GetIdempotencyKey() != "k" {
		t.Errorf("asked for %v", asked)
	}
}

// matrix is an execution of three runs.
func matrix(of apiv1.Status, runs ...apiv1.Status) *apiv1.Execution {
	e := execution(of, "")
	one := e.GetRuns()[0]
	e.Runs = nil
	for i, s := range runs {
		r := proto.CloneOf(one)
		r.Status, r.Name = s, []string{"browser=firefox", "browser=chromium", "browser=webkit"}[i]
		at := r.GetAttempts()[0]
		at.Id, at.Status, at.GetSteps()[0].Status = "at-"+strconv.Itoa(i+1), s, s
		if s == apiv1.Status_STATUS_FAILED {
			at.Message = "Step test ended with exit code 1."
		}
		e.Runs = append(e.Runs, r)
	}
	return e
}

// TestRun_SeveralRuns shows how an execution of a matrix is told of while it runs and afterwards.
func TestRun_SeveralRuns(t *testing.T) {
	t.Parallel()
	const queued, running, passed, failed = apiv1.Status_STATUS_QUEUED, apiv1.Status_STATUS_RUNNING, apiv1.Status_STATUS_PASSED, apiv1.Status_STATUS_FAILED
	states := []*apiv1.Execution{
		matrix(queued, queued, queued, queued), matrix(running, running, queued, queued), matrix(running, passed, running, queued),
		matrix(running, passed, failed, running), matrix(failed, passed, failed, passed),
	}
	for name, args := range map[string][]string{
		"runs-wait": {"run", "smoke", "--wait"}, "runs-logs": {"logs", "ex-1"}, "runs-logs-one": {"logs", "ex-1", "--run", "browser=chromium"},
		"runs-logs-none": {"logs", "ex-1", "--run", "browser=edge"}, "runs-get": {"get", "execution", "ex-1"}, "runs-tests": {"get", "tests", "ex-1"},
		"runs-files": {"get", "files", "ex-1"}, "runs-follow": {"run", "smoke", "--follow"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			s.runs.states, s.runs.perAttempt = states, true
			golden(t, name, s.run(t, args...))
		})
	}
}

// TestRun_FailuresCannotBeListed proves that the outcome stands although its details cannot be read.
func TestRun_FailuresCannotBeListed(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.runs.states, s.runs.listErr = life(apiv1.Status_STATUS_FAILED, ""), connect.NewError(connect.CodeInternal, textError("broken"))
	if got := s.run(t, "run", "smoke", "--wait"); got.code != exitcode.Failed || !strings.Contains(got.err, "could not be listed: broken") {
		t.Errorf("%+v", got)
	}
}

// TestRun_Interrupted proves that Ctrl-C stops the watching and not the execution.
func TestRun_Interrupted(t *testing.T) {
	t.Parallel()
	for name, flag := range map[string]string{"Wait": "--wait", "Follow": "--follow"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			ctx, interrupt := context.WithCancel(t.Context())
			s.runs.states, s.runs.watching = then(execution(apiv1.Status_STATUS_RUNNING, "")), interrupt
			got := s.runIn(ctx, "run", "smoke", flag)
			if got.code != exitcode.Stopped || !strings.Contains(got.err, "seatrial cancel ex-1") || len(s.runs.cancelled) > 0 {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestRun_Timeout proves that the waiting ends, and that the message says how to go on.
func TestRun_Timeout(t *testing.T) {
	t.Parallel()
	for name, flag := range map[string]string{"Wait": "--wait", "Follow": "--follow"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			s.runs.states, s.runs.watching = then(execution(apiv1.Status_STATUS_RUNNING, "")), func() {}
			got := s.run(t, "run", "smoke", flag, "--timeout", "50ms")
			if got.code != exitcode.Stopped || len(s.runs.cancelled) > 0 {
				t.Errorf("%+v", got)
			}
			for _, says := range []string{"within 50ms", "goes on", "seatrial logs ex-1 --follow", "seatrial cancel ex-1"} {
				if !strings.Contains(got.err, says) {
					t.Errorf("%q is not said: %s", says, got.err)
				}
			}
		})
	}
}

// TestWatch_CutStreams cuts the stream after every state, in good order and by errors: every state is seen once.
func TestWatch_CutStreams(t *testing.T) {
	t.Parallel()
	for name, cause := range map[string]error{
		"Clean": errClean, "Unavailable": connect.NewError(connect.CodeUnavailable, textError("restarting")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			s.runs.states = then(execution(apiv1.Status_STATUS_QUEUED, ""), execution(apiv1.Status_STATUS_PENDING, ""),
				execution(apiv1.Status_STATUS_RUNNING, ""), execution(apiv1.Status_STATUS_FAILED, ""))
			sent := 0
			s.runs.cutWatch = func(int) error {
				if sent++; sent > 20 || sent%2 == 0 {
					return nil
				}
				return cause
			}
			got := s.run(t, "run", "smoke", "--wait")
			if got.code != exitcode.Failed || s.runs.watches < 3 {
				t.Errorf("code %d after %d watches: %s", got.code, s.runs.watches, got.err)
			}
			for _, state := range []string{"queued", "pending", "running", "failed"} {
				if strings.Count(got.err, "smoke "+state+"\n") != 1 {
					t.Errorf("%q must be said once: %s", state, got.err)
				}
			}
		})
	}
}

// TestLogs_CutStreams cuts the log after every few bytes: what is printed is the log, byte for byte.
func TestLogs_CutStreams(t *testing.T) {
	t.Parallel()
	for name, cause := range map[string]error{
		"Clean": errClean, "Unavailable": connect.NewError(connect.CodeUnavailable, textError("restarting")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			var want strings.Builder
			for i := range 60 {
				want.WriteString("line " + strconv.Itoa(i) + " of the log\n")
			}
			s.runs.states, s.runs.log, s.runs.chunk = life(apiv1.Status_STATUS_PASSED, ""), []byte(want.String()), 13
			var messages atomic.Int32
			s.runs.cutLog = func(int) error {
				if messages.Add(1)%3 == 0 {
					return cause
				}
				return nil
			}
			got := s.run(t, "logs", "ex-1", "-f", "--step", "test")
			if got.out != want.String() || got.code != exitcode.Passed {
				t.Errorf("code %d, %d bytes of %d: %s", got.code, len(got.out), want.Len(), got.err)
			}
			if s.runs.streams < 5 || !slices.IsSorted(s.runs.offsets) {
				t.Errorf("%d streams from %v", s.runs.streams, s.runs.offsets)
			}
		})
	}
}

// TestLogs_OverlappingChunks proves that bytes that come again are printed once.
func TestLogs_OverlappingChunks(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.runs.states, s.runs.log, s.runs.chunk = life(apiv1.Status_STATUS_PASSED, ""), []byte("0123456789abcdefghij"), 7
	s.runs.gapAt = 7
	got := s.run(t, "logs", "ex-1", "--step", "0")
	if got.out != "0123456efghij" || !strings.Contains(got.err, "[7 bytes of the log are missing here]") {
		t.Errorf("%+v", got)
	}
}

// TestLogs_OfService proves that the log of a service is asked for by its name, and shown alone.
func TestLogs_OfService(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.runs.states, s.runs.log = []*apiv1.Execution{withServices(execution(apiv1.Status_STATUS_PASSED, ""))}, []byte("ready\n")
	if got := s.run(t, "logs", "ex-1", "--service", "db"); got.out != "ready\n" || !slices.Equal(s.runs.services, []string{"db"}) {
		t.Errorf("%+v, asked for %q", got, s.runs.services)
	}
	for _, args := range [][]string{{"--service", "cache"}, {"--service", "db", "--step", "test"}} {
		if got := s.run(t, append([]string{"logs", "ex-1"}, args...)...); got.code == exitcode.Passed || got.out != "" {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

func TestGet_ExecutionWithServices(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.runs.states = []*apiv1.Execution{withServices(execution(apiv1.Status_STATUS_PASSED, ""))}
	golden(t, "get-execution-services", s.run(t, "get", "execution", "ex-1"))
}

// TestGivesUp proves that a control plane that is away, or that answers without ever saying anything new, is not waited for
// without end, and that the message tells of the waiting.
func TestGivesUp(t *testing.T) {
	t.Parallel()
	always := func(err error) func(int) error { return func(int) error { return err } }
	for name, prepare := range map[string]func(*runs){
		"CutAtOnce":   func(r *runs) { r.cutWatch = always(errClean) },
		"Unavailable": func(r *runs) { r.cutWatch = always(connect.NewError(connect.CodeUnavailable, textError("restarting"))) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			s.runs.states = then(execution(apiv1.Status_STATUS_RUNNING, ""))
			prepare(s.runs)
			got := s.run(t, "run", "smoke", "--wait")
			if got.code != exitcode.Errored || !strings.Contains(got.err, "gave up after waiting 60ms for http://SERVER") {
				t.Errorf("%+v", got)
			}
			if n := strings.Count(got.err, "Connection to"); n != 1 {
				t.Errorf("the loss was told %d times: %s", n, got.err)
			}
		})
	}
}

func TestGivesUp_Log(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.runs.states, s.runs.log = life(apiv1.Status_STATUS_RUNNING, ""), []byte("some")
	s.runs.cutLog = func(int) error { return errClean }
	s.runs.chunk = 1
	s.runs.log = nil // nothing ever comes, and the stream ends each time
	got := s.run(t, "logs", "ex-1", "-f", "--step", "test")
	if got.code != exitcode.Errored || !strings.Contains(got.err, "gave up after waiting") {
		t.Errorf("%+v", got)
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	s := setup(t)
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a.yaml", "# only a comment\n---\nname: one\n---\nname: two\n")
	write("b.json", `{"name": "three"}`)
	write("c.txt", "not one")
	var sources []string
	s.plane.applied = func(r *apiv1.ApplyWorkflowRequest) (*apiv1.ApplyWorkflowResponse, error) {
		sources = append(sources, strings.TrimSpace(r.GetSource()))
		return &apiv1.ApplyWorkflowResponse{Workflow: &apiv1.Workflow{Name: "w", Revision: 2}, Outcome: apiv1.ApplyOutcome_APPLY_OUTCOME_CHANGED}, nil
	}
	got := s.run(t, "apply", "-f", dir)
	if got.code != exitcode.Passed || got.out != strings.Repeat("workflow w changed (revision 2)\n", 3) {
		t.Errorf("%+v", got)
	}
	if want := []string{"name: one", "name: two", `{"name": "three"}`}; !slices.Equal(sources, want) {
		t.Errorf("applied %q", sources)
	}
	s.in, sources = "name: four\n", nil
	if got := s.run(t, "apply", "-f", "-"); got.code != exitcode.Passed || len(sources) != 1 {
		t.Errorf("from standard input: %+v", got)
	}
}

// TestApply_Templates stores templates before what uses them, and sends along what is still to come.
func TestApply_Templates(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: seatrial.dev/v1\nkind: "
	flow := head + "TestWorkflow\nmetadata: {name: w}\nspec: {use: [{template: base}], steps: [{run: x}]}\n"
	other := head + "TestWorkflow\nmetadata: {name: other}\nspec: {steps: [{run: x, image: a}]}\n"
	base := head + "TestWorkflowTemplate\nmetadata: {name: base}\nspec: {container: {image: a}}\n"
	s := setup(t)
	var asked []*apiv1.ApplyWorkflowRequest
	s.plane.applied = func(r *apiv1.ApplyWorkflowRequest) (*apiv1.ApplyWorkflowResponse, error) {
		asked = append(asked, r)
		res := &apiv1.ApplyWorkflowResponse{Outcome: apiv1.ApplyOutcome_APPLY_OUTCOME_CREATED, Workflow: &apiv1.Workflow{Name: "w", Revision: 1}}
		if r.GetSource() == base {
			res.Workflow, res.Template = nil, &apiv1.Template{Name: "base", Revision: 1}
		}
		return res, nil
	}
	tests := map[string]struct {
		args  []string
		along []string // of the template, of both workflows
	}{
		"Apply":  {nil, []string{flow, "", ""}},
		"DryRun": {[]string{"--dry-run"}, []string{flow, base, ""}},
	}
	for name, tc := range tests {
		s.in, asked = flow+"---\n"+other+"---\n"+base, nil
		got := s.run(t, append([]string{"apply", "-f", "-"}, tc.args...)...)
		if got.code != exitcode.Passed || got.out != "template base created (revision 1)\nworkflow w created (revision 1)\nworkflow w created (revision 1)\n" {
			t.Errorf("%s: %+v", name, got)
		}
		for i, r := range asked {
			if along := strings.Join(r.GetAlong(), "\n---\n"); along != tc.along[i] {
				t.Errorf("%s: along with document %d goes %q, want %q", name, i, along, tc.along[i])
			}
		}
	}
}

// TestApply_Faults names every fault with its place in the file, and goes on with the other documents.
func TestApply_Faults(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.in = "ok: 1\n---\nbad: 1\nworse: 2\n"
	s.plane.applied = func(r *apiv1.ApplyWorkflowRequest) (*apiv1.ApplyWorkflowResponse, error) {
		if !strings.Contains(r.GetSource(), "bad") {
			return &apiv1.ApplyWorkflowResponse{Workflow: &apiv1.Workflow{Name: "w", Revision: 1}, Outcome: apiv1.ApplyOutcome_APPLY_OUTCOME_CREATED}, nil
		}
		return nil, fault(t, connect.CodeInvalidArgument, "the document has 2 faults", &apiv1.ErrorDetail{
			Kind: "invalid", Hint: "See the reference.", Faults: []*apiv1.Fault{
				{Field: "bad", Line: 1, Column: 1, Message: "unknown field"}, {Field: "worse", Line: 2, Column: 8, Message: "must be a text"},
			},
		})
	}
	golden(t, "apply-faults", s.run(t, "apply", "-f", "-"))
}

func fault(t *testing.T, code connect.Code, message string, d *apiv1.ErrorDetail) error {
	t.Helper()
	err := connect.NewError(code, textError(message))
	detail, e := connect.NewErrorDetail(d)
	if e != nil {
		t.Fatal(e)
	}
	err.AddDetail(detail)
	return err
}
