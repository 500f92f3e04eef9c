package jmeter

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/format/xmlread"
)

func (t *tally) xml(b *bufio.Reader) error {
	x, err := xmlread.New(b, xmlread.Depth)
	if err != nil {
		return err
	}
	root, err := x.Root()
	if err != nil {
		return err
	}
	if root.Name.Local != "testResults" {
		return fmt.Errorf("%w: the root element is <%s>, not <testResults>", results.ErrUnreadable, results.Cut(root.Name.Local, 64))
	}
	if err := x.Children(func(e xml.StartElement) error { return t.sample(x, e, "") }); err != nil {
		return err
	}
	return x.End()
}

// sample takes one sample and those inside of it.
func (t *tally) sample(x *xmlread.Reader, e xml.StartElement, parent string) error {
	if e.Name.Local != "httpSample" && !strings.HasSuffix(e.Name.Local, "ample") { // "sample", and those of plug-ins
		return nil
	}
	ms, _ := strconv.ParseFloat(xmlread.Attr(e, "t"), 64) // what makes no sense is zero
	s := sample{
		label: label{parent: parent, name: xmlread.Attr(e, "lb")}, ok: xmlread.Attr(e, "s") == "true",
		elapsed: milliseconds(ms), message: strings.TrimSpace(xmlread.Attr(e, "rc") + " " + xmlread.Attr(e, "rm")),
	}
	asserted := ""
	err := x.Children(func(child xml.StartElement) (err error) {
		if child.Name.Local != "assertionResult" {
			return t.sample(x, child, s.name)
		}
		said, err := failedAssertion(x)
		if asserted == "" {
			asserted = said
		}
		return err
	})
	if asserted != "" {
		s.message = asserted
	}
	t.add(s)
	return err
}

// failedAssertion returns the message of an assertion that did not hold.
func failedAssertion(x *xmlread.Reader) (string, error) {
	name, message, bad := "", "", false
	err := x.Children(func(e xml.StartElement) error {
		text, err := x.Text(results.MaxName)
		switch e.Name.Local {
		case "name":
			name = text
		case "failureMessage":
			message = text
		case "failure", "error":
			bad = bad || strings.TrimSpace(text) == "true"
		}
		return err
	})
	if !bad {
		return "", err
	}
	return results.FirstLine(message, name), err
}
