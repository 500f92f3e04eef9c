package cmd

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/controlplane/workflow/diff"
	documents "github.com/seatrial/seatrial/controlplane/workflow/document"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/render"
)

func (a *app) workflow() *cobra.Command {
	c := &cobra.Command{Use: "workflow", Aliases: []string{"wf"}, Short: "Workflows and templates: how they were before, what has changed, who has signed them"}
	c.AddCommand(a.getter("list", nil, 0, a.getWorkflows), a.history(), a.diff(), a.validate(), a.sign(), a.verifySigned())
	return c
}

// kindFlag lets a command be about a template.
func kindFlag(c *cobra.Command, template *bool) {
	c.Flags().BoolVar(template, "template", false, "it is a template")
}

func kindOf(template bool) string {
	if template {
		return documents.TemplateKind
	}
	return documents.Workflow
}

func (a *app) history() *cobra.Command {
	template := false
	c := a.getter("history NAME", []string{"revisions"}, 1, func(ctx context.Context, cl clients, name string) (table, error) {
		all := &apiv1.ListRevisionsResponse{}
		t := table{message: all, header: []string{"REVISION", "APPLIED", "DIGEST"}}
		for page := ""; ; {
			res, err := cl.catalog.ListRevisions(ctx, &apiv1.ListRevisionsRequest{Kind: kindOf(template), Name: name, PageSize: 500, PageToken: page})
			if err != nil {
				return t, err
			}
			all.Revisions = append(all.Revisions, res.GetRevisions()...)
			if page = res.GetNextPageToken(); page == "" {
				break
			}
		}
		for _, r := range all.GetRevisions() {
			number := strconv.Itoa(int(r.GetNumber()))
			if r.GetCurrent() {
				number += " (current)"
			}
			t.rows = append(t.rows, []string{number, render.Time(r.GetCreatedAt()), short(r.GetDigest())})
		}
		return t, nil
	})
	c.Short = "List the revisions of a workflow"
	kindFlag(c, &template)
	return c
}

// short is enough of a digest to tell it from others.
func short(digest string) string { return digest[:min(12, len(digest))] }

func (a *app) diff() *cobra.Command {
	template, file := false, ""
	c := &cobra.Command{
		Use: "diff NAME [FROM [TO]]", Short: "Show what has changed between two revisions of a workflow", Args: cobra.RangeArgs(1, 3),
		Long: "Show what has changed between two revisions: by default the current one and the one before it; with FROM, that one and the current one.\n" +
			"With --file, what applying a file would change. The exit code is 0 whether something has changed or not.",
	}
	kindFlag(c, &template)
	c.Flags().StringVarP(&file, "file", "f", "", "compare the current revision with this file")
	c.RunE = func(c *cobra.Command, args []string) error {
		numbers := make([]int32, 0, 2)
		for _, arg := range args[1:] {
			n, err := strconv.ParseInt(arg, 10, 32)
			if err != nil || n < 1 {
				return fmt.Errorf("%q is not the number of a revision", arg)
			}
			numbers = append(numbers, int32(n))
		}
		if file != "" && len(numbers) > 1 {
			return fmt.Errorf("--file is compared with one revision, not with two")
		}
		cl, err := a.connect()
		if err != nil {
			return err
		}
		before, after, err := a.versions(c.Context(), cl, kindOf(template), args[0], file, numbers)
		if err != nil {
			return err
		}
		hunks, err := diff.Lines(before.text, after.text)
		if err != nil {
			return err
		}
		if len(hunks) == 0 {
			a.say("%s and %s are the same.", before.name, after.name)
			return nil
		}
		return a.print("%s", strings.TrimRight(diff.Unified(before.name, after.name, hunks), "\n"))
	}
	return c
}

// edition is a version of a document under the name that people are shown.
type edition struct{ name, text string }

// versions returns the two versions to compare.
func (a *app) versions(ctx context.Context, cl clients, kind, name, file string, numbers []int32) (before, after edition, err error) {
	get := func(number int32) (edition, int32, error) {
		res, err := cl.catalog.GetRevision(ctx, &apiv1.GetRevisionRequest{Kind: kind, Name: name, Number: number})
		r := res.GetRevision()
		return edition{fmt.Sprintf("%s revision %d", name, r.GetNumber()), r.GetSource()}, r.GetNumber(), err
	}
	number := func(i int) int32 {
		if i < len(numbers) {
			return numbers[i]
		}
		return 0
	}
	if file != "" {
		text, err := os.ReadFile(file) //nolint:gosec // the user names it
		if err != nil {
			return before, after, fmt.Errorf("read the file: %w", err)
		}
		before, _, err = get(number(0))
		return before, edition{file, string(text)}, err
	}
	after, newest, err := get(number(1))
	if err != nil {
		return before, after, err
	}
	from := number(0)
	if from == 0 {
		if from = newest - 1; from == 0 {
			return edition{"nothing", ""}, after, nil
		}
	}
	before, _, err = get(from)
	return before, after, err
}
