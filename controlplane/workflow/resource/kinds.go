package resource

import "github.com/seatrial/seatrial/controlplane/workflow/document"

// Kind is a kind of custom resource.
type Kind struct {
	Name    string // as documents say: TestWorkflow
	Plural  string // lower case, as the address of the API says
	Short   string // collides with no short name of Testkube, which may run in the same cluster
	columns []column
	// immutable says that the spec never changes.
	immutable bool
	// status are the fields of the status beside those that all kinds have.
	status map[string]any
}

// Kinds lists the custom resources, in the order in which a cluster's documents are applied: what others build upon comes first.
func Kinds() []Kind {
	return []Kind{
		{Name: document.EnvironmentKind, Plural: "environments", Short: "sev", columns: []column{
			{name: "Cluster", path: ".spec.cluster"}, {name: "Namespace", path: ".spec.namespace"}, {name: "Tier", path: ".spec.tier"}, synced(),
		}},
		{Name: document.TemplateKind, Plural: "testworkflowtemplates", Short: "stwt", columns: []column{synced(), revision()}},
		{Name: document.Workflow, Plural: "testworkflows", Short: "stw", columns: []column{
			synced(), {name: "Last Result", path: ".status.lastExecution.status"}, {name: "Ran", path: ".status.lastExecution.createdAt", kind: "date"}, revision(),
		}, status: map[string]any{"lastExecution": lastExecution()}},
		{Name: document.ReadinessPolicyKind, Plural: "readinesspolicies", Short: "srp", columns: []column{synced(), revision()}},
		{Name: document.ScheduleKind, Plural: "schedules", Short: "ssc", columns: []column{
			{name: "Cron", path: ".spec.cron"}, {name: "Suspended", path: ".spec.suspend", kind: "boolean"}, synced(),
		}},
		{Name: document.TriggerKind, Plural: "triggers", Short: "strg", columns: []column{
			{name: "Suspended", path: ".spec.suspend", kind: "boolean"}, synced(), {name: "Watching", path: `.status.conditions[?(@.type=="Watching")].reason`},
		}},
		{Name: document.WebhookKind, Plural: "webhooks", Short: "swh", columns: []column{{name: "Format", path: ".spec.format"}, {name: "Suspended", path: ".spec.suspend", kind: "boolean"}, synced()}},
		{Name: document.TestExecutionKind, Plural: "testexecutions", Short: "ste", immutable: true, columns: []column{
			{name: "Workflow", path: ".spec.workflow"},
			{name: "Phase", path: ".status.phase"},
			{name: "Finished", path: ".status.finishedAt", kind: "date"},
			{name: "Page", path: ".status.url", wide: true},
		}, status: execution()},
	}
}

// column is what kubectl shows.
type column struct {
	name, path, kind string // kind is a text when empty
	wide             bool   // only with -o wide
}

func synced() column {
	return column{name: "Synced", path: `.status.conditions[?(@.type=="Synced")].status`}
}

func revision() column { return column{name: "Revision", path: ".status.revision", kind: "integer"} }

func text(said string) map[string]any { return map[string]any{"type": "string", "description": said} }

func date(said string) map[string]any {
	return map[string]any{"type": "string", "format": "date-time", "description": said}
}

func whole(said string) map[string]any {
	return map[string]any{"type": "integer", "format": "int64", "description": said}
}

func object(said string, properties map[string]any) map[string]any {
	return map[string]any{"type": "object", "description": said, "properties": properties}
}

func lastExecution() map[string]any {
	return object("The execution of the workflow that was started last, in whatever cluster.", map[string]any{
		"id": text("Id of the execution."), "status": text("How far it is, or how it ended."), "createdAt": date("When it was started."),
		"finishedAt": date("When it ended."), "url": text("Its page."),
	})
}

func execution() map[string]any {
	return map[string]any{
		"phase":      text("How far the execution is, or how it ended: queued, running, paused, passed, failed, errored, timed_out, cancelled or skipped."),
		"execution":  text("Id of the execution."),
		"message":    text("Why it ended as it did, for a person."),
		"startedAt":  date("When it began."),
		"finishedAt": date("When it ended."),
		"url":        text("Page of the execution."),
		"tests": object("Cases that its reports hold.", map[string]any{
			"passed": whole("Those that passed."), "failed": whole("Those that failed."), "errored": whole("Those that broke."), "skipped": whole("Those that were skipped."),
		}),
	}
}
