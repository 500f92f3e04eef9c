// Package report writes the verdict on a release as one document that stands alone: for the page of a pipeline, an e-mail, or paper.
//
// It is pure: a release and its verdict in, text out. Whatever the release and its tests are called, the document stays what it is:
// names are text in it and nothing else.
package report

import (
	"encoding/json"
	"io"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
)

// Format is how a report is written.
type Format string

// The formats.
const (
	Markdown Format = "markdown" // as GitHub and GitLab read it
	HTML     Format = "html"     // one file without scripts, images or anything else to load
	JSON     Format = "json"
)

// Schema names the form of a report in JSON.
const Schema = "https://seatrial.dev/reports/v1"

// Release is the head of a release.
type Release struct {
	Application string           `json:"application"`
	Version     string           `json:"version"`
	Commit      string           `json:"commit,omitempty"`
	Images      []verdict.Image  `json:"images,omitempty"`
	Targets     []string         `json:"targets,omitempty"` // where it is to go
	Policy      string           `json:"policy"`
	Revision    int              `json:"policyRevision"`
	Actor       string           `json:"actor,omitempty"` // who created it
	CreatedAt   time.Time        `json:"createdAt"`
	DecidedAt   time.Time        `json:"decidedAt,omitzero"` // zero before the first verdict
	URL         string           `json:"url,omitempty"`      // of its page
	Waivers     []verdict.Waiver `json:"waivers,omitempty"`
	Shared      *Shared          `json:"shared,omitempty"` // nil unless it is a snapshot
}

// Shared says of a snapshot who took it, and how long it can be read.
type Shared struct {
	By    string    `json:"by"`
	At    time.Time `json:"at"`
	Until time.Time `json:"until"`
}

// Read reads a report that was written in JSON.
func Read(text []byte) (Release, verdict.Output, error) {
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return d.Release, d.Verdict, fault.Wrap(fault.Internal, err, "read the report")
	}
	return d.Release, d.Verdict, nil
}

// Write writes a report. The error is Invalid for an unknown format, and Unavailable when the writer fails.
func Write(w io.Writer, f Format, r Release, out verdict.Output) error {
	var text []byte
	var err error
	switch f {
	case Markdown:
		text = markdown(viewOf(r, out))
	case HTML:
		text, err = page(viewOf(r, out))
	case JSON:
		text, err = encoded(r, out)
	default:
		err = fault.New(fault.Invalid, "there is no report in the format %q", f).WithField("format").WithHint("Use markdown, html or json.")
	}
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return fault.Wrap(fault.Unavailable, err, "write the report")
	}
	return nil
}

// document is a report in JSON.
type document struct {
	Schema  string         `json:"schema"`
	Release Release        `json:"release"`
	Verdict verdict.Output `json:"verdict"`
}

func encoded(r Release, out verdict.Output) ([]byte, error) {
	text, err := json.MarshalIndent(document{Schema, r, out}, "", "  ")
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "write the report")
	}
	return append(text, '\n'), nil
}
