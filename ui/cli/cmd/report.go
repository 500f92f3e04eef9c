package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/summary"
)

func (a *app) report() *cobra.Command {
	var format string
	var to target
	c := &cobra.Command{
		Use: "report EXECUTION", Short: "Write what came of an execution for the page of a pipeline", Args: cobra.ExactArgs(1),
		Long: "Write what came of an execution for the page of a pipeline: Markdown, or JUnit XML with every test. What ended badly without a failed test, " +
			"such as a script with an exit code, is a case of its own in JUnit XML. seatrial run --wait --report writes the same at the end.",
		Example: "  seatrial report EXECUTION >> \"$GITHUB_STEP_SUMMARY\"\n  seatrial report EXECUTION --format junit --out seatrial.xml",
	}
	c.Flags().StringVar(&format, "format", string(summary.Markdown), "markdown or junit")
	to.flags(c, "file to write; standard output when not given")
	c.RunE = func(c *cobra.Command, args []string) error {
		f, err := formatNamed(format)
		if err != nil {
			return err
		}
		if to.file == "" {
			to.file = stdio
		}
		if err := to.check(); err != nil {
			return err
		}
		cl, err := a.connect()
		if err != nil {
			return err
		}
		res, err := cl.executions.GetExecution(c.Context(), &apiv1.GetExecutionRequest{Id: args[0]})
		if err != nil {
			return err
		}
		e, err := a.summarized(c.Context(), cl, res.GetExecution(), "")
		if err != nil {
			return err
		}
		var text bytes.Buffer
		if err := summary.Write(&text, f, e); err != nil {
			return err
		}
		return a.save(to, text.Bytes())
	}
	return c
}

func formatNamed(s string) (summary.Format, error) {
	switch f := summary.Format(s); f {
	case summary.Markdown, summary.JUnit:
		return f, nil
	}
	return "", fmt.Errorf("%q is no format of a report: it is markdown or junit", s)
}

// summarized reads what a summary needs. Without the address of its page it is made up from the control plane's.
func (a *app) summarized(ctx context.Context, cl clients, e *apiv1.Execution, link string) (summary.Execution, error) {
	out := summary.Execution{Record: e, URL: link}
	for page := ""; ; {
		res, err := cl.executions.ListTestResults(ctx, &apiv1.ListTestResultsRequest{ExecutionId: e.GetId(), PageSize: 1000, PageToken: page})
		if err != nil {
			return out, err
		}
		out.Tests = append(out.Tests, res.GetResults()...)
		if page = res.GetNextPageToken(); page == "" {
			break
		}
	}
	if link == "" {
		if who, err := cl.identity.WhoAmI(ctx, &apiv1.WhoAmIRequest{}); err == nil { // a summary without a link is one, too
			out.URL = strings.TrimRight(a.target.Server, "/") + "/o/" + who.GetOrganization() + "/executions/" + e.GetId()
		}
	}
	return out, nil
}

// reports are what a command writes once what it waits for has ended.
type reports []struct {
	format summary.Format
	file   string
}

// parse reads FORMAT=FILE.
func (r *reports) parse(list []string, waits bool) error {
	if len(list) > 0 && !waits {
		return errors.New("--report is of the end: use it with --wait or --follow")
	}
	for _, text := range list {
		name, file, ok := strings.Cut(text, "=")
		f, err := formatNamed(name)
		if err != nil || !ok || file == "" {
			return fmt.Errorf("--report %q: write it as junit=FILE or markdown=FILE", text)
		}
		*r = append(*r, struct {
			format summary.Format
			file   string
		}{f, file})
	}
	return nil
}

// clear removes what write would replace: a run that does not get that far must not leave the results of an earlier one behind.
func (r reports) clear() error {
	for _, one := range r {
		if one.format != summary.JUnit {
			continue
		}
		// A link may be standard output, which is somebody else's to make and to remove.
		if info, err := os.Lstat(one.file); err != nil || !info.Mode().IsRegular() {
			continue // nothing of an earlier run
		}
		// What is mounted or stands in a folder of others cannot be removed; it is emptied.
		if err := os.Remove(one.file); err != nil && os.Truncate(one.file, 0) != nil {
			return err
		}
	}
	return nil
}

// write writes them. Markdown is added to what a file has, as the pages of pipelines want it.
func (r reports) write(ctx context.Context, a *app, cl clients, e *apiv1.Execution, link string) error {
	if len(r) == 0 {
		return nil
	}
	s, err := a.summarized(ctx, cl, e, link)
	if err != nil {
		return err
	}
	for _, one := range r {
		var text bytes.Buffer
		if err := summary.Write(&text, one.format, s); err != nil {
			return err
		}
		how := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
		if one.format == summary.Markdown {
			how = os.O_CREATE | os.O_WRONLY | os.O_APPEND
		}
		f, err := os.OpenFile(one.file, how, 0o644) //nolint:gosec // G302, G304: the caller's own file, which other steps of a pipeline read
		if err != nil {
			return err
		}
		_, err = f.Write(text.Bytes())
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
		a.say("Wrote %s (%s, %d bytes)", one.file, one.format, text.Len())
	}
	return nil
}
