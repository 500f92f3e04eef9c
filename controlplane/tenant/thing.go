package tenant

// The kinds of what a team owns.
const (
	Workflow    = "workflow"
	Template    = "template"
	Policy      = "policy"
	Environment = "environment"
	Release     = "release"
	Schedule    = "schedule"
	Trigger     = "trigger"
	Webhook     = "webhook"
	Receiver    = "receiver"
)

// Kinds lists the kinds of what a team owns.
func Kinds() []string {
	return []string{Workflow, Template, Policy, Environment, Release, Schedule, Trigger, Webhook, Receiver}
}

// Thing names something that a team owns. Version is a release's, whose name is the application's.
type Thing struct{ Kind, Name, Version string }

// String is the name with its kind.
func (t Thing) String() string {
	if t.Kind == Release {
		return t.Kind + " " + t.Name + " " + t.Version
	}
	return t.Kind + " " + t.Name
}
