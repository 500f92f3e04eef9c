package document

// Trigger starts a workflow. Exactly one kind is set.
type Trigger struct {
	// At times.
	Schedule *Schedule `json:"schedule,omitempty"`
	// When something happens to a Kubernetes object.
	Kubernetes *KubernetesEvent `json:"kubernetes,omitempty"`
	// When something is pushed to a repository.
	Git *GitEvent `json:"git,omitempty"`
	// When another workflow ends.
	Workflow *WorkflowEvent `json:"workflow,omitempty"`
}

// Schedule is points in time.
type Schedule struct {
	// Minute, hour, day of the month, month and day of the week, with a second before them if wanted; or @hourly, @daily, @weekly,
	// @monthly, @yearly or @every DURATION. H is a value that is fixed for each schedule, so that not all are due at once.
	Cron string `json:"cron" rule:"required,rule=cron"`
	// Name of the time zone in which cron is read.
	Timezone string `json:"timezone,omitempty" rule:"rule=timezone,default=UTC"`
	// What happens to times that were missed: all are made up for, the latest is, or none. A start counts as missed when it could not
	// be made within a minute.
	CatchUp string `json:"catchUp,omitempty" rule:"enum=all|latest|none,default=latest"`
	// Every start is put off by a random time up to this, so that not everything starts at once.
	Jitter Duration `json:"jitter,omitempty" rule:"min=0s,max=24h,default=0s"`
	// How late a start may be made at most; what is later is missed for good. Without it, as late as it takes.
	StartDeadline Duration `json:"startDeadline,omitempty" rule:"min=1s,max=720h"`
}

// KubernetesEvent is a change of an object in a cluster. The agent has to be allowed to watch it: see triggers in the values of its chart.
type KubernetesEvent struct {
	// Name of the cluster; every cluster of the organization when absent.
	Cluster string `json:"cluster,omitempty" rule:"rule=label"`
	// Name of an environment instead: its cluster, and what is under test there. Unless the trigger says where, the workflows run in it.
	Environment string `json:"environment,omitempty" rule:"rule=label"`
	// What is watched, as kubectl names it: deployments, or rollouts.argoproj.io for resources of other groups.
	Resource string `json:"resource" rule:"required,rule=resource"`
	// What has to happen to it. An update is a change of what is wanted, not of its status. Rolled out means that all replicas run what
	// the object says now; condition, that the condition below is reached.
	Event string `json:"event" rule:"required,enum=created|updated|deleted|rolled-out|condition"`
	// The condition in its status.
	Condition *ObjectCondition `json:"condition,omitempty"`
	// Its namespace; every one that the agent may watch when absent.
	Namespace string `json:"namespace,omitempty" rule:"rule=label"`
	// Its name, as a pattern.
	Name string `json:"name,omitempty" rule:"rule=glob"`
	// Its labels.
	Selector map[string]string `json:"selector,omitempty" rule:"keys=qualified,rule=labelValue"`
	// CEL over event that has to be true, such as event.images.exists(i, i.container == "shop").
	Filter string `json:"filter,omitempty" rule:"rule=notBlank"`
	// Values of params that come from the event: CEL over event, such as event.images[0].digest.
	Values map[string]string `json:"values,omitempty" rule:"keys=param,rule=notBlank"`
	// How long after it the workflows start.
	Delay Duration `json:"delay,omitempty" rule:"min=0s,max=24h,default=0s"`
	// How long nothing more may happen to the object: what happens again before the workflows start takes the place of what happened
	// before.
	Debounce Duration `json:"debounce,omitempty" rule:"min=0s,max=24h,default=0s"`
	// What the agent tries before the workflows start, one after the other. When one never succeeds nothing starts.
	Probes []Probe `json:"probes,omitempty" rule:"max=10"`
}

// ObjectCondition is an entry of status.conditions.
type ObjectCondition struct {
	// Its type, such as Available.
	Type string `json:"type" rule:"required,rule=qualified"`
	// Its status.
	Status string `json:"status,omitempty" rule:"enum=True|False|Unknown,default=True"`
}

// Probe is something that has to succeed. Exactly one kind is set.
type Probe struct {
	// A path of a service that answers with a status from 200 to 399.
	HTTP *HTTPProbe `json:"http,omitempty"`
	// A port of a service that takes connections.
	TCP *TCPProbe `json:"tcp,omitempty"`
	// A condition of the object.
	Condition *ObjectCondition `json:"condition,omitempty"`
	// How long it may take until it succeeds.
	Timeout Duration `json:"timeout,omitempty" rule:"min=1s,max=1h,default=60s"`
	// From one try to the next.
	Interval Duration `json:"interval,omitempty" rule:"min=1s,max=10m,default=5s"`
	// How often it is tried at most.
	Attempts int64 `json:"attempts,omitempty" rule:"min=1,max=1000,default=100"`
}

// HTTPProbe is a request to a service in the object's namespace.
type HTTPProbe struct {
	// Name of the service.
	Service string `json:"service" rule:"required,rule=label"`
	// Its port.
	Port int64 `json:"port" rule:"required,min=1,max=65535"`
	// What is asked for.
	Path string `json:"path,omitempty" rule:"rule=urlPath,default=/"`
	// Whether it speaks TLS. Its certificate is not checked.
	HTTPS bool `json:"https,omitempty" rule:"default=false"`
}

// TCPProbe is a connection to a service in the object's namespace.
type TCPProbe struct {
	// Name of the service.
	Service string `json:"service" rule:"required,rule=label"`
	// Its port.
	Port int64 `json:"port" rule:"required,min=1,max=65535"`
}

// GitEvent is a change of a repository.
type GitEvent struct {
	// Owner and name of the repository, such as acme/shop.
	Repository string `json:"repository" rule:"required,rule=repository"`
	// Branches, as patterns.
	Branches []string `json:"branches,omitempty" rule:"rule=pattern,max=50"`
	// Only when one of these files changed, as patterns.
	Paths []string `json:"paths,omitempty" rule:"rule=pattern,max=50"`
	// What has to happen.
	Events []string `json:"events,omitempty" rule:"enum=push|pull_request|tag,max=3,default=push"`
}

// WorkflowEvent is the end of an execution of another workflow.
type WorkflowEvent struct {
	// Name of the workflow.
	Name string `json:"name" rule:"required,rule=label"`
	// How it has to end.
	When []string `json:"when,omitempty" rule:"enum=passed|failed|errored|timed_out|cancelled|skipped,max=6,default=passed"`
}

// WebhookEvent is a message of any system to a receiver, an address that seatrial trigger receiver create makes.
type WebhookEvent struct {
	// Name of the receiver.
	Receiver string `json:"receiver" rule:"required,rule=label"`
	// CEL over body and headers that has to be true, such as body.action == "deployed". Names of headers are in lower case.
	Filter string `json:"filter,omitempty" rule:"rule=notBlank"`
	// Values of params that come from the message: CEL over body and headers, such as body.version.
	Values map[string]string `json:"values,omitempty" rule:"keys=param,rule=notBlank"`
}

// CloudEvent is an event as CloudEvents describes it, sent to a receiver.
type CloudEvent struct {
	// Name of the receiver.
	Receiver string `json:"receiver" rule:"required,rule=label"`
	// Types, as patterns, such as dev.cdevents.service.deployed.*.
	Types []string `json:"types" rule:"required,rule=glob,max=50"`
	// Source, as a pattern: * stops at a slash, ** does not.
	Source string `json:"source,omitempty" rule:"rule=glob"`
	// Subject, as a pattern.
	Subject string `json:"subject,omitempty" rule:"rule=glob"`
	// CEL over event that has to be true, such as event.data.subject.content.environment.id == "staging".
	Filter string `json:"filter,omitempty" rule:"rule=notBlank"`
	// Values of params that come from the event: CEL over event, such as event.data.subject.id.
	Values map[string]string `json:"values,omitempty" rule:"keys=param,rule=notBlank"`
}
