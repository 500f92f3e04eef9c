package cmd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/attest/key"
	"github.com/seatrial/seatrial/controlplane/specify"
	"github.com/seatrial/seatrial/controlplane/workflow"
	documents "github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
	"github.com/seatrial/seatrial/proto/runspec"
	"github.com/seatrial/seatrial/ui/cli/config"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
	"github.com/seatrial/seatrial/ui/cli/render"
)

// signing is what the commands about signatures are told.
type signing struct {
	key, organization string
	namespaces        []string
	expires           time.Duration
	show              bool
	now               func() time.Time
}

func (a *app) sign() *cobra.Command {
	s := signing{now: a.Now}
	c := &cobra.Command{
		Use: "sign FILE|DIR|-…", Short: "Sign what workflows may do, for clusters that run nothing else",
		Long: "Sign what workflows may do: images, commands, scripts, variables, files, sources, secrets, volumes and security contexts of all their runs,\n" +
			"with the templates that they use, which have to be among the files. It needs no control plane, and the key stays where it is. The signature\n" +
			"is written into the document, as the annotation " + runspec.Annotation + ".\n\n" +
			"What the control plane brings when an execution starts (params, trigger, release, environment) may be the value of an environment variable, and\n" +
			"nothing else; its parameter's type, enum, bounds and pattern are signed. Sign again when the workflow or a template changes, and when a new version of\n" +
			"Seatrial reads it differently: agents say so.",
		Example: "  openssl genpkey -algorithm ed25519 -out key.pem\n  openssl pkey -in key.pem -pubout -out key.pub.pem  # runSpecifications.publicKeys of the agent's chart\n" +
			"  seatrial workflow sign tests/ --key key.pem --organization acme --expires 2160h",
	}
	c.Flags().StringVar(&s.key, "key", "", "Ed25519 key in PEM (PKCS#8)")
	a.organizationFlag(c, &s)
	c.Flags().StringSliceVar(&s.namespaces, "namespace", nil, "only there may it run; several are allowed, none means wherever an agent allows it")
	c.Flags().DurationVar(&s.expires, "expires", 0, "how long the signature holds, such as 2160h; 0 for ever")
	c.Flags().BoolVar(&s.show, "show", false, "print what would be signed, and sign nothing")
	c.RunE = func(_ *cobra.Command, args []string) error {
		docs, err := a.documents(args)
		if err != nil {
			return err
		}
		return a.signAll(docs, s)
	}
	return c
}

func (a *app) organizationFlag(c *cobra.Command, s *signing) {
	c.Flags().StringVar(&s.organization, "organization", "", "whose clusters may run it; the organization of the context unless given")
}

// subject is a workflow among documents, with what its runs may do.
type subject struct {
	document

	doc   *workflow.Document
	notes []string
	all   []specify.Specification
}

// subjects returns the workflows among documents; what is wrong with one is printed.
func (a *app) subjects(docs []document) (list []subject, bad int) {
	library := a.library(docs)
	for _, d := range docs {
		if kind := parse.Read([]byte(d.text)).Kind; kind != documents.Workflow && slices.Contains(parse.Kinds(), kind) {
			continue
		}
		loaded, err := workflow.Load(d.file, []byte(d.text))
		one := subject{document: d}
		if err == nil {
			err = one.specify(loaded, library)
		}
		if err != nil {
			bad++
			a.wrong(d, loaded, err)
			continue
		}
		list = append(list, one)
	}
	return list, bad
}

func (s *subject) specify(loaded *workflow.Loaded, library workflow.Library) (err error) {
	if s.doc, _, err = workflow.Resolve(loaded, library); err != nil {
		return err
	}
	specifier, err := specify.New(s.doc)
	if err != nil {
		return err
	}
	s.notes = specifier.Notes()
	s.all, err = specifier.All()
	return err
}

// library are the templates among documents.
func (a *app) library(docs []document) workflow.Library {
	known := map[string]string{}
	for _, d := range docs {
		if l, err := workflow.Load(d.file, []byte(d.text)); err == nil && l.IsTemplate() {
			known[l.Metadata.Name] = d.text
		}
	}
	return func(names []string) ([]workflow.Record, error) {
		out := make([]workflow.Record, 0, len(names))
		for _, name := range names {
			text, ok := known[name]
			if !ok {
				return nil, fault.New(fault.Invalid, "the template %s is not among the files: give it as well, as what it brings is signed, too", name).
					WithField("spec.use")
			}
			out = append(out, workflow.Record{Name: name, Source: text})
		}
		return out, nil
	}
}

// wrong prints what is wrong with a document, with the places where it is written.
func (a *app) wrong(d document, loaded *workflow.Loaded, err error) {
	var f *fault.Error
	if !errors.As(err, &f) || len(f.Places) == 0 {
		a.say("%s:%d: %s", d.file, d.line+1, render.Line(err.Error()))
		return
	}
	places := f.Places
	for i := range places {
		if loaded != nil && places[i].Line == 0 && len(loaded.Spec.Use) == 0 {
			at := loaded.At(places[i].Field)
			places[i].Line, places[i].Column = at.Line, at.Column
		}
	}
	a.places(d, "", places)
}

func (a *app) signAll(docs []document, s signing) error {
	var secret key.Private
	var err error
	if !s.show {
		if secret, s.organization, err = a.signer(s); err != nil {
			return err
		}
	}
	subjects, bad := a.subjects(docs)
	if bad > 0 {
		return coded(exitcode.Usage, fmt.Errorf("%d of %d workflows cannot be signed, and none was", bad, bad+len(subjects)))
	}
	if len(subjects) == 0 {
		return errors.New("no workflow among the documents: nothing to sign")
	}
	written := map[string][]byte{}
	for i := len(subjects) - 1; i >= 0; i-- { // from the end, so that the lines before stay where they are
		if s.show {
			break
		}
		if err := a.signOne(subjects[i], s, secret, written); err != nil {
			return err
		}
	}
	for _, one := range subjects {
		for _, note := range one.notes {
			a.say("%s: note: %s", one.file, render.Line(note))
		}
		if err := a.signed(one, s, secret); err != nil {
			return err
		}
	}
	return a.write(written)
}

// signer reads the key, and whose clusters it is for.
func (a *app) signer(s signing) (key.Private, string, error) {
	if s.key == "" {
		return key.Private{}, "", errors.New("--key is not set: give the file of an Ed25519 key; openssl genpkey -algorithm ed25519 -out key.pem makes one")
	}
	organization := s.organization
	if organization == "" {
		if c, err := config.Load(config.Path(a.Env)); err == nil {
			name := a.context
			if name == "" {
				name = c.Current
			}
			organization = c.Contexts[name].Organization
		}
	}
	if organization == "" {
		return key.Private{}, "", errors.New("--organization is not set: name the organization whose clusters may run it")
	}
	text, err := os.ReadFile(s.key)
	if err != nil {
		return key.Private{}, "", err
	}
	secret, err := key.ParsePrivate(text)
	if err != nil {
		return key.Private{}, "", fmt.Errorf("--key %s: %w", s.key, err)
	}
	return secret, organization, nil
}

// signOne puts the signature into the text of the file, which may hold more than one document.
func (a *app) signOne(one subject, s signing, secret key.Private, written map[string][]byte) error {
	statement := runspec.Statement{
		Organization: s.organization, Workflow: one.doc.Metadata.Name, SignedAt: s.now().Truncate(time.Second), Namespaces: s.namespaces,
	}
	if s.expires > 0 {
		statement.ExpiresAt = statement.SignedAt.Add(s.expires)
	}
	for _, of := range one.all {
		statement.Specifications = append(statement.Specifications, runspec.Digest(of.JSON))
	}
	envelope, err := runspec.Sign(statement, secret.Public().ID(), secret.Sign)
	if err != nil {
		return fmt.Errorf("%s: %w", one.file, err)
	}
	text, err := specify.Annotate([]byte(one.text), string(envelope))
	if err != nil {
		return fmt.Errorf("%s: %w", one.file, err)
	}
	raw, known := written[one.file]
	if !known {
		if raw, err = a.again(one.document); err != nil {
			return err
		}
	}
	lines := bytes.SplitAfter(raw, []byte("\n"))
	before, after := lines[:one.line], lines[int(one.line)+strings.Count(one.text, "\n"):]
	if !strings.HasSuffix(one.text, "\n") {
		after = nil // it was the last line
	}
	written[one.file] = bytes.Join([][]byte{bytes.Join(before, nil), text, bytes.Join(after, nil)}, nil)
	return nil
}

// again reads the file of a document; of standard input there is nothing but that.
func (a *app) again(d document) ([]byte, error) {
	if d.file == "-" {
		return []byte(strings.Repeat("\n", int(d.line)) + d.text), nil
	}
	return os.ReadFile(d.file)
}

func (a *app) write(written map[string][]byte) error {
	for file, text := range written {
		if file == "-" {
			if _, err := a.Out.Write(text); err != nil {
				return err
			}
			continue
		}
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, text, info.Mode().Perm()); err != nil {
			return err
		}
	}
	return nil
}

// signed prints what was signed, or what would be.
func (a *app) signed(one subject, s signing, secret key.Private) error {
	name := render.Line(one.doc.Metadata.Name)
	if !s.show {
		if one.file == "-" {
			return nil // the document itself goes there
		}
		return a.print("%s: workflow %s is signed for %s with key %s", one.file, name, render.Line(s.organization), secret.Public().ID())
	}
	for _, of := range one.all {
		var out bytes.Buffer
		if err := json.Indent(&out, of.JSON, "", "  "); err != nil {
			return err
		}
		runs := strings.Join(of.Runs, "; ")
		if runs == "" {
			runs = "every run"
		}
		a.say("%s: workflow %s, %s (%s):", one.file, name, render.Line(runs), short(runspec.Digest(of.JSON)))
		if err := a.print("%s", out.String()); err != nil {
			return err
		}
	}
	return nil
}
