package document

// The other kinds of documents.
const (
	ScheduleKind        = "Schedule"
	TriggerKind         = "Trigger"
	EnvironmentKind     = "Environment"
	ReadinessPolicyKind = "ReadinessPolicy"
	WebhookKind         = "Webhook"
	// TestExecutionKind exists in clusters alone: whoever creates such an object runs a workflow.
	TestExecutionKind = "TestExecution"
)

// ScheduleDocument starts workflows at times.
type ScheduleDocument struct {
	// Version of the language: seatrial.dev/v1.
	APIVersion string `json:"apiVersion" rule:"required,enum=seatrial.dev/v1"`
	// Kind of the document.
	Kind string `json:"kind" rule:"required,enum=Schedule"`
	// Name and labels.
	Metadata Metadata `json:"metadata" rule:"required"`
	// When, and what.
	Spec ScheduleSpec `json:"spec" rule:"required"`
	// Digest is the hex SHA-256 of the canonical JSON.
	Digest string `json:"-"`
}

// Seal sets the digest.
func (d *ScheduleDocument) Seal() (err error) {
	d.Digest, err = digest(d)
	return err
}

// ScheduleSpec is when and what.
type ScheduleSpec struct {
	Schedule
	Start
}

// TriggerDocument starts workflows when something happens.
type TriggerDocument struct {
	// Version of the language: seatrial.dev/v1.
	APIVersion string `json:"apiVersion" rule:"required,enum=seatrial.dev/v1"`
	// Kind of the document.
	Kind string `json:"kind" rule:"required,enum=Trigger"`
	// Name and labels.
	Metadata Metadata `json:"metadata" rule:"required"`
	// On what, and what.
	Spec TriggerSpec `json:"spec" rule:"required"`
	// Digest is the hex SHA-256 of the canonical JSON.
	Digest string `json:"-"`
}

// Seal sets the digest.
func (d *TriggerDocument) Seal() (err error) {
	d.Digest, err = digest(d)
	return err
}

// TriggerSpec is on what and what. Exactly one kind of event is set.
type TriggerSpec struct {
	// When something happens to a Kubernetes object.
	Kubernetes *KubernetesEvent `json:"kubernetes,omitempty"`
	// When something is pushed to a repository.
	Git *GitEvent `json:"git,omitempty"`
	// When another workflow ends.
	Workflow *WorkflowEvent `json:"workflow,omitempty"`
	// When a message comes to a receiver.
	Webhook *WebhookEvent `json:"webhook,omitempty"`
	// When a CloudEvent, such as one of CDEvents, comes to a receiver.
	Event *CloudEvent `json:"event,omitempty"`
	Start
}

// Start is what a schedule or trigger starts.
type Start struct {
	// What is executed.
	Workflows []StartRef `json:"workflows" rule:"required,max=100"`
	// Where; without it, where each workflow says.
	Environments *Environments `json:"environments,omitempty"`
	// Values for params of all of them. Expressions read what happened as trigger.NAME.
	Params map[string]string `json:"params,omitempty" rule:"keys=param,expr=trigger"`
	// Nothing is started while this is true.
	Suspend bool `json:"suspend,omitempty" rule:"default=false"`
}

// StartRef is a workflow by name, or all that have some labels. Exactly one is set.
type StartRef struct {
	// Name of a workflow.
	Name string `json:"name,omitempty" rule:"rule=label"`
	// Labels of workflows.
	Selector map[string]string `json:"selector,omitempty" rule:"keys=qualified,rule=labelValue"`
}

// EnvironmentDocument is a named place to test.
type EnvironmentDocument struct {
	// Version of the language: seatrial.dev/v1.
	APIVersion string `json:"apiVersion" rule:"required,enum=seatrial.dev/v1"`
	// Kind of the document.
	Kind string `json:"kind" rule:"required,enum=Environment"`
	// Name and labels, by which workflows select environments.
	Metadata Metadata `json:"metadata" rule:"required"`
	// Where it is.
	Spec EnvironmentSpec `json:"spec" rule:"required"`
	// Digest is the hex SHA-256 of the canonical JSON.
	Digest string `json:"-"`
}

// Seal sets the digest.
func (d *EnvironmentDocument) Seal() (err error) {
	d.Digest, err = digest(d)
	return err
}

// EnvironmentSpec is where an environment is.
type EnvironmentSpec struct {
	// What the environment is for.
	Description string `json:"description,omitempty"`
	// Name of an enrolled cluster. An environment that moves to another one takes new executions there.
	Cluster string `json:"cluster" rule:"required,rule=label"`
	// Namespace in which tests run and whose workloads are under test: one in which the agent of the cluster may create Jobs.
	Namespace string `json:"namespace" rule:"required,rule=label"`
	// How near to production it is, such as staging. Workflows select by it as by a label tier.
	Tier string `json:"tier,omitempty" rule:"rule=label"`
}

// ReadinessPolicyDocument says what makes a release ready.
type ReadinessPolicyDocument struct {
	// Version of the language: seatrial.dev/v1.
	APIVersion string `json:"apiVersion" rule:"required,enum=seatrial.dev/v1"`
	// Kind of the document.
	Kind string `json:"kind" rule:"required,enum=ReadinessPolicy"`
	// Name and labels.
	Metadata Metadata `json:"metadata" rule:"required"`
	// What is required.
	Spec ReadinessPolicySpec `json:"spec" rule:"required"`
	// Digest is the hex SHA-256 of the canonical JSON.
	Digest string `json:"-"`
}

// Seal sets the digest.
func (d *ReadinessPolicyDocument) Seal() (err error) {
	d.Digest, err = digest(d)
	return err
}

// ReadinessPolicySpec is what is required of a release.
type ReadinessPolicySpec struct {
	// What the policy is for.
	Description string `json:"description,omitempty"`
	// Releases that the policy is for.
	AppliesTo AppliesTo `json:"appliesTo" rule:"required"`
	// What has to be tested where; frozen with the release.
	Require []Requirement `json:"require" rule:"required,max=100"`
	// Rules, each of which has to hold in every cell. Without any, the default rules apply: complete evidence of the release itself, not
	// older than a day, no failure, few flaky and few skipped tests.
	Rules []Rule `json:"rules,omitempty" rule:"max=100"`
	// Who may approve exceptions. Without it there are none.
	Waivers *Waivers `json:"waivers,omitempty"`
}

// AppliesTo selects releases.
type AppliesTo struct {
	// Applications, as patterns: * stops at a slash, ** does not.
	Applications []string `json:"applications" rule:"required,rule=glob,max=100"`
	// Only releases that are to go to these targets, such as production, and nowhere else. Without it, releases for whatever target; but a
	// target that any policy for the application names is no matter of those without: a release is held to one policy for all its targets.
	Targets []string `json:"targets,omitempty" rule:"rule=label,max=100"`
}

// Requirement is tests in environments. Exactly one of suites and selector is set.
type Requirement struct {
	// Workflows, by their names or by the values of their label suite.
	Suites []string `json:"suites,omitempty" rule:"rule=suite,max=100"`
	// CEL over the labels of workflows by their names, such as tier == "critical". A label that a workflow lacks is "".
	Selector string `json:"selector,omitempty" rule:"rule=notBlank"`
	// Environments by name, as patterns: * is any.
	Environments []string `json:"environments" rule:"required,rule=glob,max=100"`
}

// Rule is a condition on what is known of a release.
type Rule struct {
	// Name of the rule, by which waivers call it.
	ID string `json:"id" rule:"required,rule=label"`
	// What a broken rule means: negative is bad evidence, missing is no evidence.
	Kind string `json:"kind" rule:"required,enum=negative|missing"`
	// Whether an exception may be approved. Missing evidence cannot be waived.
	Waivable bool `json:"waivable,omitempty" rule:"default=false"`
	// CEL over cell, release and now that has to be true of every cell, such as cell.never_ran == 0.
	Expr string `json:"expr" rule:"required,rule=notBlank"`
	// What the rule is for, for whoever sees it broken.
	Description string `json:"description,omitempty"`
}

// Waivers says who may approve exceptions.
type Waivers struct {
	// Team or person, such as team:release-managers.
	Approvers string `json:"approvers" rule:"required,rule=notBlank"`
	// How many have to approve.
	MinApprovers int64 `json:"minApprovers,omitempty" rule:"min=1,max=10,default=1"`
	// Whether who asks may approve.
	SelfApproval bool `json:"selfApproval,omitempty" rule:"default=false"`
	// How long an exception holds at most.
	MaxAge Duration `json:"maxAge,omitempty" rule:"max=8760h,default=72h"`
	// What an exception is bound to: to one failure by its fingerprint, or to a test however it fails.
	BindTo string `json:"bindTo,omitempty" rule:"enum=fingerprint|test,default=fingerprint"`
}

// WebhookDocument tells others what happens.
type WebhookDocument struct {
	// Version of the language: seatrial.dev/v1.
	APIVersion string `json:"apiVersion" rule:"required,enum=seatrial.dev/v1"`
	// Kind of the document.
	Kind string `json:"kind" rule:"required,enum=Webhook"`
	// Name and labels.
	Metadata Metadata `json:"metadata" rule:"required"`
	// Whom to tell what.
	Spec WebhookSpec `json:"spec" rule:"required"`
	// Digest is the hex SHA-256 of the canonical JSON.
	Digest string `json:"-"`
}

// Seal sets the digest.
func (d *WebhookDocument) Seal() (err error) {
	d.Digest, err = digest(d)
	return err
}

// WebhookSpec is whom to tell what. It holds no secret: tokens, and addresses that are secrets, are set in the control plane with seatrial
// webhook set NAME, and the secret that signs is made there and shown with seatrial webhook rotate-secret NAME.
type WebhookSpec struct {
	// Form of what the receiver is sent: standard is signed as Standard Webhooks says; github, github-check and gitlab are the status of the
	// commit.
	Format string `json:"format,omitempty" rule:"enum=standard|slack|teams|alertmanager|github|github-check|gitlab|email,default=standard"`
	// Address of the receiver; of an e-mail, mailto:qa@example.test. Those of slack and teams are secrets and are not written here.
	URL string `json:"url,omitempty" rule:"rule=receiver"`
	// What is told; without it, all but execution.finished.
	Events []string `json:"events,omitempty" rule:"enum=execution.finished|execution.failed|execution.fixed|tests.flaky|release.verdict,max=5"`
	// Only of workflows with such names, as patterns.
	Workflows []string `json:"workflows,omitempty" rule:"rule=glob,max=50"`
	// Only of workflows with these labels.
	Selector map[string]string `json:"selector,omitempty" rule:"keys=qualified,rule=labelValue"`
	// Only of what happens in environments with such names, as patterns.
	Environments []string `json:"environments,omitempty" rule:"rule=glob,max=50"`
	// Text for people, such as ${{ execution.workflow }} is ${{ execution.status }}; without it, one line about what has happened.
	Template string `json:"template,omitempty" rule:"rule=notBlank"`
	// Nothing is told while this is true, nor later of what happens meanwhile.
	Suspend bool `json:"suspend,omitempty" rule:"default=false"`
}

// TestExecutionDocument runs a workflow once. It is an object of a cluster, not an entry of the catalog.
type TestExecutionDocument struct {
	// Version of the language: seatrial.dev/v1.
	APIVersion string `json:"apiVersion" rule:"required,enum=seatrial.dev/v1"`
	// Kind of the document.
	Kind string `json:"kind" rule:"required,enum=TestExecution"`
	// Name and labels.
	Metadata Metadata `json:"metadata" rule:"required"`
	// What is run.
	Spec TestExecutionSpec `json:"spec" rule:"required"`
	// Digest is the hex SHA-256 of the canonical JSON.
	Digest string `json:"-"`
}

// Seal sets the digest.
func (d *TestExecutionDocument) Seal() (err error) {
	d.Digest, err = digest(d)
	return err
}

// TestExecutionSpec is what is run.
type TestExecutionSpec struct {
	// Name of the workflow in the catalog.
	Workflow string `json:"workflow" rule:"required,rule=label"`
	// Names of the environments to run in; without any, where the workflow says.
	Environments []string `json:"environments,omitempty" rule:"rule=label,max=100"`
	// Values for params of the workflow: texts, numbers and booleans.
	Params map[string]any `json:"params,omitempty" rule:"keys=param,max=100"`
	// Commit of the application under test.
	Commit string `json:"commit,omitempty" rule:"rule=notBlank"`
	// Release that the result is evidence for.
	Release *ReleaseRef `json:"release,omitempty"`
}

// ReleaseRef names a release.
type ReleaseRef struct {
	// Name of the application.
	Application string `json:"application" rule:"required,rule=notBlank"`
	// Version of the application.
	Version string `json:"version" rule:"required,rule=notBlank"`
}
