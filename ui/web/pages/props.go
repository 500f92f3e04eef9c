// Package pages holds one template for each page and what each needs to be told.
package pages

import (
	"net/url"
	"strconv"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/testcase"
	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/ui/web/parts"
	"github.com/seatrial/seatrial/ui/web/view"
)

// Wrong is what is at fault in a form that was sent. The zero value says that nothing is.
type Wrong struct {
	Field   string // name of the input; empty when it is none of them
	Message string
	Hint    string
	Places  []fault.Place // of a document, each with what is wrong there
}

// at returns the message for an input.
func (w Wrong) at(field string) string {
	if field == w.Field {
		return w.Message
	}
	return ""
}

// LoginProps are what the log-in page shows.
type LoginProps struct {
	Frame parts.Frame
	Email string
	Next  string
	Wrong Wrong

	Halfway string // the password was right: a code is asked for
}

// OverviewProps are what the page of an organization shows.
type OverviewProps struct {
	Frame     parts.Frame
	Recent    []execution.Execution
	More      bool // there are older ones
	Clusters  []cluster.Cluster
	Workflows bool // the catalog has any
	MayEnroll bool

	Releases     []release.Release // heads of the newest
	MoreReleases bool              // there are older ones
}

// CatalogProps are what the catalog shows.
type CatalogProps struct {
	Frame     parts.Frame
	Workflows []workflow.Record
	Next      string // address of the next page
	Paged     bool   // this is not the first page
	Server    string // address of the control plane, for instructions

	Filter workflow.Filter
	Labels string // of the filter, as they were written
	Wrong  Wrong  // of the filter
	Teams  []tenant.Team
	Last   map[string]execution.Execution // newest of each workflow, by its name

	Templates     []workflow.Record // only on the first page
	MoreTemplates bool              // there are others
}

// TemplatesProps are what the list of templates shows.
type TemplatesProps struct {
	Frame     parts.Frame
	Templates []workflow.Record
	Next      string // address of the next page
	Paged     bool   // this is not the first page
}

// TemplateProps are what the page of a template shows.
type TemplateProps struct {
	Frame    parts.Frame
	Template view.Template
}

// WorkflowProps are what the page of a workflow shows.
type WorkflowProps struct {
	Frame        parts.Frame
	Workflow     view.Workflow
	Runs         []execution.Execution
	Tests        testcase.Standing
	Environments []cluster.Environment
	MayRun       bool
	MayChange    bool          // the viewer maintains what its team owns
	Teams        []tenant.Team // only where it may be changed
	Role         string
	Form         RunForm
}

// RunForm is what somebody filled in.
type RunForm struct {
	Environment string
	Values      map[string]string
	Key         string // the same key never starts twice: a form sent twice starts one execution
	Wrong       Wrong
}

// ExecutionsProps are what the list of executions shows.
type ExecutionsProps struct {
	Frame    parts.Frame
	List     []execution.Execution
	Workflow string
	Status   execution.Status
	Next     string
	Paged    bool
}

// Filtered reports whether the list leaves any out.
func (p ExecutionsProps) Filtered() bool { return p.Workflow != "" || p.Status != "" }

// ClustersProps are what the page of clusters shows.
type ClustersProps struct {
	Frame        parts.Frame
	Clusters     []cluster.Cluster
	Environments []cluster.Environment
	MayEnroll    bool
	Role         string
	Asked        view.Enrollment
	Wrong        Wrong
	Enrolled     *view.Enrolled // shown once, right after the form was sent
}

// ProblemProps are what an error page shows.
type ProblemProps struct {
	Frame   parts.Frame
	Status  int
	Title   string
	Message string
	Hint    string
	ID      string // to find it in the log of the control plane
}

const nameHint = "Lower-case letters, digits and hyphens."

// home is the address of the organization.
func home(f parts.Frame) string { return "/o/" + f.Org }

// ClustersPath is where the clusters of an organization are.
func ClustersPath(org string) string { return "/o/" + org + "/clusters" }

func agentPath(p ClustersProps, c cluster.Cluster, what string) string {
	return ClustersPath(p.Frame.Org) + "/" + c.Name + "/" + what
}

func executionPath(f parts.Frame, id execution.ID) string {
	return home(f) + "/executions/" + id.String()
}

func workflowPath(f parts.Frame, name string) string {
	return home(f) + "/workflows/" + url.PathEscape(name)
}

func templatePath(f parts.Frame, name string) string {
	return home(f) + "/templates/" + url.PathEscape(name)
}

// executionsPath is the address of the list, of one workflow or of all.
func executionsPath(f parts.Frame, flow string) string {
	if flow == "" {
		return home(f) + "/executions"
	}
	return home(f) + "/executions?" + url.Values{"workflow": {flow}}.Encode()
}

// passedOf says how many of the tests passed.
func passedOf(c execution.Counts) string {
	if c.Total == 0 {
		return "–"
	}
	return strconv.Itoa(c.Passed) + " of " + strconv.Itoa(c.Total)
}
