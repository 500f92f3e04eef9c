package cmd

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	flow "github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/testkube"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
	"github.com/seatrial/seatrial/ui/cli/render"
)

func (a *app) importing() *cobra.Command {
	c := &cobra.Command{Use: "import", Short: "Convert workflows of other systems, without a control plane"}
	c.AddCommand(a.importTestkube())
	return c
}

func (a *app) importTestkube() *cobra.Command {
	var files []string
	var strict bool
	c := &cobra.Command{
		Use:   "testkube FILE|DIR|-…",
		Short: "Convert TestWorkflow and TestWorkflowTemplate documents of " + testkube.APIVersion,
		Long: "Convert TestWorkflow and TestWorkflowTemplate documents of " + testkube.APIVersion + ". The documents are written to\n" +
			"standard output; what could not be carried over is a warning that names the field.",
	}
	c.Flags().StringSliceVarP(&files, "file", "f", nil, "the same as an argument")
	c.Flags().BoolVar(&strict, "strict", false, "exit with 2 when there are warnings")
	c.RunE = func(_ *cobra.Command, args []string) error {
		if files = append(files, args...); len(files) == 0 {
			return errors.New("nothing to import: give a file, a folder or -")
		}
		docs, err := a.documents(files)
		if err != nil {
			return err
		}
		return a.convertAll(docs, strict)
	}
	return c
}

// convertAll goes on after a document that is none of theirs, so that one run shows all of them.
func (a *app) convertAll(docs []document, strict bool) error {
	bad, warned, written := 0, 0, 0
	for _, d := range docs {
		doc, warnings, err := testkube.Convert([]byte(d.text))
		if err != nil {
			bad++
			a.say("%s:%d: %s", d.file, d.line+1, render.Line(err.Error()))
			continue
		}
		warned += len(warnings)
		for _, w := range warnings {
			a.converted(d, w)
		}
		text, err := flow.YAML(doc)
		if err != nil {
			return fmt.Errorf("%s: %w", d.file, err)
		}
		if written++; written > 1 {
			text = append([]byte("---\n"), text...)
		}
		if _, err := a.Out.Write(text); err != nil {
			return err
		}
	}
	if bad > 0 {
		return coded(exitcode.Usage, fmt.Errorf("%d of %d documents were not converted", bad, len(docs)))
	}
	if strict && warned > 0 {
		return coded(exitcode.Usage, fmt.Errorf("there are %d warnings", warned))
	}
	return nil
}

func (a *app) converted(d document, w testkube.Warning) {
	at := d.file
	if w.Line > 0 {
		at = fmt.Sprintf("%s:%d:%d", d.file, w.Line+int(d.line), w.Column)
	}
	field := render.Line(w.Field)
	if field != "" {
		field += ": "
	}
	a.say("%s: warning: %s%s", at, field, render.Line(w.Message))
}
