package workflow

import (
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

// The types of documents that others handle.
type (
	Document = document.Document
	Pod      = document.Pod
	File     = document.File
	KeyRef   = document.KeyRef
	Params   = document.Params
	Param    = document.Param
	Values   = document.Values
	Report   = document.Report
	Ready    = document.Ready

	StepRetry = document.StepRetry
	Expect    = document.Expect
)

// MaxSource is the largest document in bytes.
const MaxSource = parse.MaxSource

// Text returns a parameter's value as people write it, "" for nil.
func Text(value any) string { return document.Text(value) }

// Parse reads a workflow that the system is to execute. The error is a *fault.Error with every fault of the document in Places:
// Invalid, or Unsupported when the document is right but uses what this version cannot do yet. The name of the file is for messages
// only. The templates that it uses are not looked at: see Resolve.
func Parse(file string, src []byte) (*Document, error) {
	l, err := Load(file, src)
	if err != nil {
		return nil, err
	}
	if l.IsTemplate() {
		return nil, fault.New(fault.Invalid, "%s is a %s, not a %s", file, document.TemplateKind, document.Workflow).WithField("kind")
	}
	return l.Document, nil
}
