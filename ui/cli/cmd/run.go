package cmd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
	"github.com/seatrial/seatrial/ui/cli/render"
)

func (a *app) run() *cobra.Command {
	var params, reports []string
	var release string
	var how waiting
	req := &apiv1.RunWorkflowRequest{}
	c := &cobra.Command{Use: "run NAME", Short: "Start a workflow", Args: cobra.ExactArgs(1)}
	c.Flags().StringArrayVarP(&params, "param", "p", nil, "parameter as name=value; several are allowed")
	c.Flags().StringSliceVar(&req.Environments, "env", nil, "environment to run in, instead of those that the workflow names; several are allowed")
	c.Flags().StringVar(&req.IdempotencyKey, "idempotency-key", "", "the same key never starts twice; of more than 200 bytes its SHA-256 is taken, as names of builds grow long")
	c.Flags().StringVar(&req.Commit, "commit", "", "commit of the application under test")
	c.Flags().StringVar(&release, "release", "", "release that it is evidence for, as APPLICATION@VERSION")
	c.Flags().BoolVar(&how.wait, "wait", false, "wait for the end; the exit code is the outcome")
	c.Flags().BoolVar(&how.follow, "follow", false, "show the log until the end; implies --wait")
	c.Flags().DurationVar(&how.timeout, "timeout", 0, "with --wait: stop waiting after this long with exit code 4; the execution goes on")
	c.Flags().StringArrayVar(&reports, "report", nil, "with --wait: write what came of it, as junit=FILE or markdown=FILE, which is added to the file; several are allowed")
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		req.Workflow = args[0]
		if req.Params, err = pairs(params); err != nil {
			return err
		}
		if req.Release, err = releaseName(release); err != nil {
			return err
		}
		how.wait = how.wait || how.follow
		if err := errors.Join(how.check(c.Flags().Changed("timeout")), how.reports.parse(reports, how.wait)); err != nil {
			return err
		}
		cl, err := a.connect()
		if err != nil {
			return err
		}
		if err := how.reports.clear(); err != nil {
			return err
		}
		req.IdempotencyKey = shortKey(req.IdempotencyKey)
		res, err := cl.executions.RunWorkflow(c.Context(), req)
		if err != nil {
			return err
		}
		return a.started(c.Context(), cl, res, how)
	}
	return c
}

// maxKey is how many bytes of an idempotency key the control plane takes.
const maxKey = 200

// shortKey returns a key that the control plane takes, the same for the same key.
func shortKey(key string) string {
	if len(key) <= maxKey {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// waiting is how a command waits for the end of what it started.
type waiting struct {
	wait, follow bool
	timeout      time.Duration // 0 for no limit
	reports      reports
}

func (w waiting) check(limited bool) error {
	switch {
	case limited && !w.wait:
		return errors.New("--timeout limits the waiting: use it with --wait or --follow")
	case limited && w.timeout <= 0:
		return fmt.Errorf("--timeout %s: write a duration such as 30m", w.timeout)
	}
	return nil
}

func pairs(list []string) (map[string]string, error) {
	out := make(map[string]string, len(list))
	for _, p := range list {
		k, v, ok := strings.Cut(p, "=")
		if !ok || k == "" {
			return nil, fmt.Errorf("--param %q: write it as name=value", p)
		}
		out[k] = v
	}
	return out, nil
}

func (a *app) started(ctx context.Context, cl clients, m *apiv1.RunWorkflowResponse, how waiting) error {
	id := m.GetExecution().GetId()
	if !how.wait && a.format != render.Table {
		return render.Message(a.Out, a.format, m)
	}
	word := "Started"
	if m.GetExisted() {
		word = "Already started"
	}
	a.say("%s %s as %s", word, render.Line(m.GetExecution().GetWorkflow()), id)
	if m.GetUrl() != "" {
		a.say("%s", m.GetUrl())
	}
	if !how.wait {
		return a.print("%s", id)
	}
	watching, stop := ctx, func() {}
	if how.timeout > 0 {
		watching, stop = context.WithTimeout(ctx, how.timeout)
	}
	defer stop()
	e, err := a.await(watching, cl, id, how.follow)
	if err != nil {
		if !over(watching, err) {
			return err
		}
		return left(id, how.timeout, ctx.Err() == nil)
	}
	// The outcome is known; it must not change because no report of it can be written.
	if err := how.reports.write(ctx, a, cl, e, m.GetUrl()); err != nil {
		a.say("A report could not be written: %s", reason(err))
	}
	return a.ended(ctx, cl, e, m.GetUrl())
}

// left says what becomes of the execution when it is no longer watched.
func left(id string, after time.Duration, expired bool) error {
	why := "no longer watching"
	if expired {
		why = fmt.Sprintf("no end within %s", after)
	}
	return coded(exitcode.Stopped, fmt.Errorf("%s; the execution goes on. To watch it: seatrial logs %s --follow. To stop it: seatrial cancel %s",
		why, id, id))
}

// await watches until the end, with the log when follow is set.
func (a *app) await(ctx context.Context, cl clients, id string, follow bool) (*apiv1.Execution, error) {
	if !follow {
		p := &progress{app: a}
		defer p.done()
		return a.watch(ctx, cl, id, p.show)
	}
	return a.follow(ctx, cl, id)
}

// progress tells of changes of state: one line that is rewritten on a terminal, a line for each change elsewhere.
type progress struct {
	*app
	last string
}

// show leaves the end to the summary.
func (p *progress) show(e *apiv1.Execution) {
	if terminal(e.GetStatus()) {
		return
	}
	line := sentence(e)
	if line == p.last {
		return
	}
	p.last = line
	if p.Terminal {
		p.tell("\r\x1b[K%s", line)
		return
	}
	p.say("%s", line)
}

func (p *progress) done() {
	if p.Terminal && p.last != "" {
		p.say("")
	}
}

// sentence says in one line how an execution stands.
func sentence(e *apiv1.Execution) string {
	s := fmt.Sprintf("%s %s", render.Line(e.GetWorkflow()), words(e.GetStatus()))
	if len(e.GetRuns()) > 1 && !terminal(e.GetStatus()) {
		return s + ": " + tally(e)
	}
	if e.GetStatus() == apiv1.Status_STATUS_PAUSED {
		return s + ": " + asked(e) + " (seatrial resume " + e.GetId() + ")"
	}
	if m := e.GetMessage(); m != "" {
		return s + ": " + render.Line(m)
	}
	for _, r := range e.GetRuns() {
		if n := len(r.GetAttempts()); n > 0 && !terminal(e.GetStatus()) && r.GetAttempts()[n-1].GetMessage() != "" {
			return s + ": " + render.Line(r.GetAttempts()[n-1].GetMessage())
		}
	}
	return s
}

// asked is what a paused execution waits for, and why that may take longer.
func asked(e *apiv1.Execution) string {
	text := render.Line(e.GetMessage())
	for _, r := range e.GetRuns() {
		if n := len(r.GetAttempts()); n > 0 {
			if m := render.Line(r.GetAttempts()[n-1].GetMessage()); m != "" && m != text {
				text += " — " + m
			}
		}
	}
	return text
}

// words is a status as people say it.
func words(s apiv1.Status) string { return strings.ReplaceAll(render.Status(s), "_", " ") }

// ended prints the summary and returns the outcome as an exit code.
func (a *app) ended(ctx context.Context, cl clients, e *apiv1.Execution, link string) error {
	code := exitcode.OfStatus(e.GetStatus())
	a.say("%s", sentence(e))
	if a.format != render.Table {
		if err := render.Message(a.Out, a.format, e); err != nil {
			return err
		}
	} else {
		a.badRuns(e)
		a.say("%s", render.Counts(e.GetTests()))
		if err := a.failures(ctx, cl, e); err != nil {
			// The outcome is known; it must not change because its details cannot be read.
			a.say("The failures could not be listed: %s", reason(err))
		}
		if link != "" {
			a.say("%s", link)
		}
	}
	if code == exitcode.Passed {
		return nil
	}
	return coded(code, &toldError{sentence(e)})
}

func (a *app) failures(ctx context.Context, cl clients, e *apiv1.Execution) error {
	if e.GetTests().GetFailed()+e.GetTests().GetErrored() == 0 {
		return nil
	}
	res, err := cl.executions.ListTestResults(ctx, &apiv1.ListTestResultsRequest{
		ExecutionId: e.GetId(), Outcomes: []string{"failed", "errored", "timed_out"}, PageSize: 20,
	})
	if err != nil {
		return err
	}
	for _, t := range res.GetResults() {
		if t.GetSuperseded() {
			return nil // they come last, and count no more
		}
		where := ""
		if cell := cellsOf(e)[t.GetAttemptId()]; cell != "" {
			where = " (" + cell + ")"
		}
		a.say("  ✕ %s %s%s: %s", render.Line(t.GetSuite()), render.Line(t.GetName()), where, render.Line(t.GetMessage()))
	}
	if res.GetNextPageToken() != "" {
		a.say("  … and more: seatrial get tests %s", e.GetId())
	}
	return nil
}

func (a *app) cancel() *cobra.Command {
	var reason string
	c := &cobra.Command{Use: "cancel EXECUTION", Short: "Stop an execution", Args: cobra.ExactArgs(1)}
	c.Flags().StringVar(&reason, "reason", "", "why, for the record")
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := a.connect()
		if err != nil {
			return err
		}
		res, err := cl.executions.CancelExecution(c.Context(), &apiv1.CancelExecutionRequest{Id: args[0], Reason: reason})
		if err != nil {
			return err
		}
		if a.format != render.Table {
			return render.Message(a.Out, a.format, res)
		}
		if terminal(res.GetExecution().GetStatus()) { // nobody had to be asked
			return a.print("Stopped: %s", sentence(res.GetExecution()))
		}
		return a.print("Asked to stop: %s", sentence(res.GetExecution()))
	}
	return c
}
