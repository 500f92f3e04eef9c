package cmd

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow/schema"
)

func (a *app) explainField() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "explain [FIELD]",
		Short: "Say what a field of a document means, such as spec.steps.retry",
		Long: "Say what a field of a document means: its type, default, allowed values and the fields below it.\n" +
			"A path begins at the document, such as spec.steps.retry; put a kind in front for another than TestWorkflow, such as Schedule.spec.cron.",
		Args: cobra.MaximumNArgs(1),
	}
	c.Flags().BoolVar(&all, "json-schema", false, "print the JSON Schema of all documents, for editors and other tools")
	c.RunE = func(_ *cobra.Command, args []string) error {
		if all {
			return a.jsonSchema(args)
		}
		e, err := schema.Explain(strings.Join(args, ""))
		var f *fault.Error
		if errors.As(err, &f) && f.Hint != "" {
			return fmt.Errorf("%s\n%s", f.Message, f.Hint)
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(a.Out, explanation(e))
		return err
	}
	return c
}

func (a *app) jsonSchema(args []string) error {
	if len(args) > 0 {
		return errors.New("--json-schema is for all documents: leave out the field")
	}
	text, err := schema.JSON()
	if err != nil {
		return err
	}
	_, err = a.Out.Write(text)
	return err
}

func explanation(e schema.Explanation) string {
	var b strings.Builder
	fact := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-12s %s\n", name+":", value)
		}
	}
	fact("kind", e.Kind)
	fact("field", e.Path)
	fact("type", e.Type)
	if e.Required {
		fact("required", "yes")
	}
	fact("default", e.Default)
	fact("allowed", strings.Join(e.Allowed, ", "))
	if strings.HasPrefix(e.Type, "list") || strings.HasPrefix(e.Type, "mapping of") {
		fact("at most", e.Max)
	} else {
		fact("from", e.Min)
		fact("to", e.Max)
	}
	fact("expressions", e.Expressions)
	if e.Doc != "" {
		fmt.Fprintf(&b, "\n%s\n", wrapped(e.Doc, "", 100))
	}
	if len(e.Fields) == 0 {
		return b.String()
	}
	b.WriteString("\nfields:\n")
	for _, f := range e.Fields {
		kind := f.Type
		if f.Required {
			kind += ", required"
		}
		fmt.Fprintf(&b, "  %s (%s)\n%s\n", f.Path, kind, wrapped(f.Doc, "    ", 100))
	}
	return b.String()
}

// wrapped breaks a text into lines.
func wrapped(text, indent string, width int) string {
	var lines []string
	line := indent
	for word := range strings.FieldsSeq(text) {
		if len(line) > len(indent) && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = indent
		}
		if len(line) > len(indent) {
			line += " "
		}
		line += word
	}
	return strings.Join(append(lines, line), "\n")
}
