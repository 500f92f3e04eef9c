package cmd

import (
	"bytes"
	"errors"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/controlplane/release/report"
)

func (a *app) releaseReport() *cobra.Command {
	var format string
	var to target
	c := &cobra.Command{
		Use: "report APPLICATION VERSION", Short: "Write the verdict with all of its reasons as one document", Args: cobra.ExactArgs(2),
		Long: "Write the verdict with all of its reasons as one document that stands alone: Markdown for the page of a pipeline, HTML to read, " +
			"to send and to print, or JSON.",
		Example: "  seatrial release report shop 1.42.0 >> \"$GITHUB_STEP_SUMMARY\"\n  seatrial release report shop 1.42.0 --format html --out report.html",
	}
	c.Flags().StringVar(&format, "format", string(report.Markdown), "markdown, html or json")
	to.flags(c, "file to write; standard output when not given")
	c.RunE = func(c *cobra.Command, args []string) error {
		switch report.Format(format) {
		case report.Markdown, report.HTML, report.JSON:
		default:
			return errors.New("--format is markdown, html or json")
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
		r, err := releaseNamed(c.Context(), cl, args[0], args[1])
		if err != nil {
			return err
		}
		var text bytes.Buffer
		if err := report.Write(&text, report.Format(format), headOf(r), verdictOf(r)); err != nil {
			return err
		}
		return a.save(to, text.Bytes())
	}
	return c
}
