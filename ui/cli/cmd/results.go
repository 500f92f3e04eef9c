package cmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/format"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
	"github.com/seatrial/seatrial/ui/cli/render"
)

const shownTests = 100 // of one report, those that did not simply pass

func (a *app) results() *cobra.Command {
	c := &cobra.Command{Use: "results", Short: "Look at what test tools reported"}
	c.AddCommand(a.inspect())
	return c
}

func (a *app) inspect() *cobra.Command {
	var o inspection
	c := &cobra.Command{
		Use: "inspect FILE...", Short: "Read reports and say how far each can be trusted",
		Long: "Reads reports of test tools on this machine, without a control plane: what each declares, what it lists, and how far it can be\n" +
			"trusted. A contradictory report hides failures. Every report that could be opened is graded, also one that cannot be read;\n" +
			"--check makes the exit code speak of what was found.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, files []string) error {
			if c.Flags().Changed("exit-code") {
				o.exit = &o.code
			}
			return a.inspectAll(files, o)
		},
	}
	c.Flags().IntVar(&o.code, "exit-code", 0, "exit code of the tool that wrote the reports")
	c.Flags().StringVar(&o.format, "format", string(format.Auto), "format of the reports; auto decides by their content")
	c.Flags().BoolVar(&o.check, "check", false, "exit with 1 if a test failed or a report is contradictory")
	return c
}

// inspection are the flags of inspect.
type inspection struct {
	code   int
	exit   *int
	format string
	check  bool
}

// inspected is what is known of one report. Its JSON is part of the interface.
type inspected struct {
	File     string         `json:"file,omitempty"` // of one of several
	Format   string         `json:"format"`
	Declared declaredCounts `json:"declared"`
	Observed observedCounts `json:"observed"`
	Grade    results.Grade  `json:"grade"`
	Reasons  []string       `json:"reasons"`

	step    int  // of several of a run; 0 when nobody knows
	exit    *int // of what wrote it; nil when that is not known
	summary results.Summary
	err     error          // that it could not be read
	shown   []results.Case // that did not simply pass
	hidden  int            // more of them
}

type declaredCounts struct {
	Tests int `json:"tests"`
	Bad   int `json:"bad"`
}

type observedCounts struct {
	Tests   int `json:"tests"`
	Passed  int `json:"passed"`
	Failed  int `json:"failed"`
	Errored int `json:"errored"`
	Skipped int `json:"skipped"`
}

func (a *app) inspectAll(files []string, o inspection) error {
	if known := append(format.Names(), format.Auto); !slices.Contains(known, format.Name(o.format)) {
		return fmt.Errorf("unknown format %q: use one of %v", o.format, known)
	}
	all := make([]inspected, 0, len(files))
	for _, name := range files {
		one, err := a.readReport(name, format.Name(o.format))
		if err != nil {
			return err
		}
		one.exit = o.exit
		all = append(all, one)
	}
	wrong := judgeAll(all)
	if err := a.printInspected(all); err != nil {
		return err
	}
	if o.check && wrong {
		return coded(exitcode.Failed, &toldError{"the reports do not show that all tests passed"})
	}
	return nil
}

// judgeAll grades reports, and reports whether they show that something is wrong. An exit code speaks of a report only when no other
// one of its step lists a failure.
func judgeAll(all []inspected) (wrong bool) {
	bad := map[int]int{}
	for _, one := range all {
		bad[one.step] += one.summary.Listed.Bad
	}
	for i := range all {
		one := &all[i]
		if bad[one.step] > one.summary.Listed.Bad {
			one.exit = nil
		}
		one.judge(one.exit)
		wrong = wrong || one.summary.Listed.Bad > 0 || one.Grade == results.Contradictory
	}
	return wrong
}

// readReport reads one file, or standard input for "-".
func (a *app) readReport(name string, as format.Name) (inspected, error) {
	in := a.In
	if name != "-" {
		f, err := os.Open(name) //nolint:gosec // the user names the file
		if err != nil {
			return inspected{}, fmt.Errorf("open report: %w", err)
		}
		defer f.Close() //nolint:errcheck // it was only read
		in = f
	}
	one := inspected{File: name}
	found, summary, err := format.Parse(as, in, func(c results.Case) error {
		one.show(c)
		return nil
	})
	if err != nil && !errors.Is(err, results.ErrUnreadable) {
		return inspected{}, fmt.Errorf("read %s: %w", name, err)
	}
	one.Format, one.summary, one.err = string(found), summary, err
	if found == "" {
		one.Format = "unknown"
	}
	return one, nil
}

func (i *inspected) show(c results.Case) {
	if c.Outcome == results.Passed && len(c.Earlier) == 0 && !c.ExpectedFail && !c.UnexpectedPass {
		return
	}
	if len(i.shown) >= shownTests {
		i.hidden++
		return
	}
	c.Detail = "" // a table has no room for it
	i.shown = append(i.shown, c)
}

// judge grades the report. That somebody names the file as a report says that there should be one.
func (i *inspected) judge(exit *int) {
	in := results.Circumstances{Exit: exit, Before: true}
	v := results.JudgeIn(i.summary, in)
	if i.err != nil {
		v = results.UnreadIn(i.err, in)
	}
	i.Declared = declaredCounts{Tests: i.summary.Declared.Tests, Bad: i.summary.Declared.Bad}
	t := i.summary.Observed
	i.Observed = observedCounts{Tests: t.Total, Passed: t.Passed, Failed: t.Failed, Errored: t.Errored, Skipped: t.Skipped}
	i.Grade, i.Reasons = v.Grade, append([]string{}, v.Reasons...) // never null
	for _, c := range v.Synthetic {
		i.show(c)
	}
}

func (a *app) printInspected(all []inspected) error {
	if a.format == render.Table {
		return a.inspectedTable(all)
	}
	var answer any = all
	if len(all) == 1 {
		all[0].File = ""
		answer = all[0]
	}
	raw, err := json.MarshalIndent(answer, "", "  ")
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	raw = append(raw, '\n')
	if a.format == render.YAML {
		if raw, err = yaml.JSONToYAML(raw); err != nil {
			return fmt.Errorf("encode: %w", err)
		}
	}
	_, err = a.Out.Write(raw)
	return err
}

func (a *app) inspectedTable(all []inspected) error {
	var rows [][]string
	for _, i := range all {
		row := []string{i.File, i.Format, string(i.Grade)}
		for _, n := range []int{i.Declared.Tests, i.Declared.Bad, i.Observed.Tests, i.Observed.Passed, i.Observed.Failed, i.Observed.Errored, i.Observed.Skipped} {
			row = append(row, strconv.Itoa(n))
		}
		rows = append(rows, row)
	}
	header := []string{"FILE", "FORMAT", "GRADE", "DECLARED", "BAD", "LISTED", "PASSED", "FAILED", "ERRORED", "SKIPPED"}
	if err := render.Rows(a.Out, header, rows); err != nil {
		return err
	}
	for _, i := range all {
		if err := a.inspectedDetails(i); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) inspectedDetails(i inspected) error {
	if len(i.Reasons)+len(i.shown) == 0 {
		return nil
	}
	if err := a.print("\n%s", render.Line(i.File)); err != nil {
		return err
	}
	for _, r := range i.Reasons {
		if err := a.print("  %s", render.Line(r)); err != nil {
			return err
		}
	}
	if len(i.shown) == 0 {
		return nil
	}
	rows := make([][]string, 0, len(i.shown))
	for _, c := range i.shown {
		rows = append(rows, []string{said(c), results.Path(c.Variant, c.Suite, c.Name, c.Params), results.Cut(c.Message, 200)})
	}
	if err := render.Rows(a.Out, []string{"OUTCOME", "TEST", "MESSAGE"}, rows); err != nil {
		return err
	}
	if i.hidden > 0 {
		return a.print("and %d more", i.hidden)
	}
	return nil
}

// said is the outcome with what a plain word would hide.
func said(c results.Case) string {
	text := string(c.Outcome)
	switch {
	case c.ExpectedFail:
		text += ", failed as expected"
	case c.UnexpectedPass:
		text += ", passed unexpectedly"
	case c.Synthetic:
		text += ", not listed as a test"
	}
	if n := len(c.Earlier); n > 0 {
		text += fmt.Sprintf(", try %d", n+1)
	}
	return text
}
