package cmd

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/policy"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
	"github.com/seatrial/seatrial/ui/cli/render"
)

func (a *app) validate() *cobra.Command {
	var files []string
	var strict bool
	c := &cobra.Command{
		Use:   "validate FILE|DIR|-…",
		Short: "Check documents without a control plane: every fault at once, with its place",
		Long: "Check documents without a control plane. Every fault is printed as file:line:column: path: message.\n" +
			"Workflows that use templates are checked with them when the templates are among the files.",
	}
	c.Flags().StringSliceVarP(&files, "file", "f", nil, "the same as an argument")
	c.Flags().BoolVar(&strict, "strict", false, "warnings are faults")
	c.RunE = func(_ *cobra.Command, args []string) error {
		if files = append(files, args...); len(files) == 0 {
			return errors.New("nothing to validate: give a file, a folder or -")
		}
		docs, err := a.documents(files)
		if err != nil {
			return err
		}
		return a.validateAll(docs, strict)
	}
	return c
}

func (a *app) validateAll(docs []document, strict bool) error {
	sources := make([]workflow.Source, len(docs))
	for i, d := range docs {
		sources[i] = workflow.Source{File: d.file, Text: []byte(d.text)}
	}
	bad := 0
	for i, checked := range workflow.Check(sources, policy.Check) {
		a.places(docs[i], "", checked.Faults)
		a.places(docs[i], "warning: ", checked.Warnings)
		if len(checked.Faults) > 0 || strict && len(checked.Warnings) > 0 {
			bad++
			continue
		}
		name := checked.Kind
		if checked.Name != "" {
			name += " " + checked.Name
		}
		if err := a.print("%s: %s is valid", docs[i].file, render.Line(name)); err != nil {
			return err
		}
	}
	if bad > 0 {
		return coded(exitcode.Usage, fmt.Errorf("%d of %d documents are not valid", bad, len(docs)))
	}
	return nil
}

// places prints where something is wrong, as compilers do.
func (a *app) places(d document, what string, places []fault.Place) {
	for _, p := range places {
		at := d.file
		if p.Line > 0 {
			at = fmt.Sprintf("%s:%d:%d", d.file, p.Line+int(d.line), max(p.Column, 1))
		}
		field := ""
		if p.Field != "" {
			field = render.Line(p.Field) + ": "
		}
		a.say("%s: %s%s%s", at, what, field, render.Line(p.Message))
	}
}
