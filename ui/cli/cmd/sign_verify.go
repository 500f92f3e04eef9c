package cmd

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/specify"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/proto/runspec"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
	"github.com/seatrial/seatrial/ui/cli/render"
)

func (a *app) verifySigned() *cobra.Command {
	s := signing{now: a.Now}
	c := &cobra.Command{
		Use: "verify FILE|DIR|-…", Short: "Tell whether the signatures of workflows hold, as agents would",
		Long: "Tell whether the signatures of workflows hold: by whom, for which organization, until when, and whether they are over what the workflows say now,\n" +
			"with the templates that they use, which have to be among the files. Exit code 1 says that one does not hold.",
		Example: "  seatrial workflow verify tests/ --key key.pub.pem",
	}
	c.Flags().StringVar(&s.key, "key", "", "Ed25519 public keys in PEM")
	a.organizationFlag(c, &s)
	c.RunE = func(_ *cobra.Command, args []string) error {
		docs, err := a.documents(args)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(s.key)
		if s.key == "" {
			err = errors.New("is not set: give the public keys that agents trust")
		}
		if err != nil {
			return fmt.Errorf("--key: %w", err)
		}
		keys, err := runspec.ParseKeys(string(text))
		if err != nil {
			return fmt.Errorf("--key %s: %w", s.key, err)
		}
		return a.verifyAll(docs, keys, s)
	}
	return c
}

func (a *app) verifyAll(docs []document, keys []runspec.Key, s signing) error {
	subjects, bad := a.subjects(docs)
	all := bad + len(subjects)
	if all == 0 {
		return errors.New("no workflow among the documents: nothing to verify")
	}
	for _, one := range subjects {
		says, err := holds(one, keys, s)
		if err != nil {
			bad++
			a.say("%s: workflow %s: %s", one.file, render.Line(one.doc.Metadata.Name), render.Line(err.Error()))
			continue
		}
		if err := a.print("%s: workflow %s is %s", one.file, render.Line(one.doc.Metadata.Name), render.Line(says)); err != nil {
			return err
		}
	}
	if bad > 0 {
		return coded(exitcode.Failed, fmt.Errorf("%d of %d workflows are not signed as they are now", bad, all))
	}
	return nil
}

// stale warns of a signature that does not cover what a workflow does by now, where that can be told: with the templates at hand. Whether it
// is of a key that somebody trusts is not asked.
func (a *app) stale(d document, docs []document) {
	loaded, err := workflow.Load(d.file, []byte(d.text))
	if err != nil || specify.Envelope(loaded.Document) == "" {
		return
	}
	one := subject{document: d}
	err = one.specify(loaded, a.library(docs))
	statement, wrong := runspec.Peek([]byte(specify.Envelope(loaded.Document)))
	var f *fault.Error
	switch {
	case wrong != nil:
		err = fmt.Errorf("its signature cannot be read: %w", wrong)
	case errors.As(err, &f) && f.Field == "spec.use":
		return // with templates that are not here
	case err == nil && covers(statement, one):
		return
	case err == nil:
		err = errors.New("what it does has changed since it was signed: sign it again with seatrial workflow sign")
	}
	a.say("%s: clusters that demand signatures refuse workflow %s: %s", d.file, render.Line(loaded.Metadata.Name), render.Line(err.Error()))
}

// covers reports whether a statement has every run of a workflow.
func covers(s runspec.Statement, of subject) bool {
	return s.Workflow == of.doc.Metadata.Name && !slices.ContainsFunc(of.all, func(one specify.Specification) bool {
		return !slices.Contains(s.Specifications, runspec.Digest(one.JSON))
	})
}

// holds says by whom and for what a workflow is signed.
func holds(one subject, keys []runspec.Key, s signing) (string, error) {
	envelope := specify.Envelope(one.doc)
	if envelope == "" {
		return "", errors.New("carries no signature")
	}
	statement, by, err := runspec.Open([]byte(envelope), keys)
	if err != nil {
		return "", fmt.Errorf("the signature does not hold: %w", err)
	}
	switch {
	case statement.Workflow != one.doc.Metadata.Name:
		return "", fmt.Errorf("the signature is of the workflow %s", statement.Workflow)
	case s.organization != "" && statement.Organization != s.organization:
		return "", fmt.Errorf("the signature is for the organization %s", statement.Organization)
	case !statement.ExpiresAt.IsZero() && !s.now().Before(statement.ExpiresAt):
		return "", fmt.Errorf("the signature expired at %s", statement.ExpiresAt.Format(time.RFC3339))
	}
	if !covers(statement, one) {
		return "", errors.New("what it does has changed since it was signed: sign it again with seatrial workflow sign")
	}
	out := fmt.Sprintf("signed for %s with key %s at %s", statement.Organization, by.ID(), statement.SignedAt.Format(time.RFC3339))
	if !statement.ExpiresAt.IsZero() {
		out += ", until " + statement.ExpiresAt.Format(time.RFC3339)
	}
	if len(statement.Namespaces) > 0 {
		out += ", in the namespaces " + strings.Join(statement.Namespaces, ", ")
	}
	return out, nil
}
