package workflow

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

// Plan is what one attempt does: the pod, its containers and the steps in them. Texts that the runner resolves (Script, Command
// and Value) are templates for expr.ExpandEnv; everything else is resolved.
type Plan struct {
	Timeout     time.Duration    // 0 when the document sets none
	Concurrency *PlanConcurrency `json:",omitempty"` // nil without one
	Pod         Pod
	Containers  []PlanContainer
	Files       []File
	Steps       []PlanStep
	Services    []PlanService `json:",omitempty"` // in the order in which they start
	Shard       *PlanShard    `json:",omitempty"` // nil when nothing is shared out
	// TeardownAllowance is how long the steps that may run after the timeout take together at most.
	TeardownAllowance time.Duration `json:",omitzero"`
	// PauseAllowance is how long the steps that wait for a person take together at most; it is no part of Timeout.
	PauseAllowance time.Duration `json:",omitzero"`
}

// PlanConcurrency is the concurrency group of a run.
type PlanConcurrency struct {
	Name       string
	Limit      int    // how many runs of it may be active at once
	OnConflict string // queue, cancel or skip
}

// PlanContainer is a container of the pod. Steps with the same image share one.
//
// Only the container with the most steps (the first of them) carries the requests of spec.container.resources: steps run one
// after the other, so their requests must not add up. Those whose steps run at the same time carry them each. Every container of a test carries the limits; those without requests ask
// for zero of what is limited, since Kubernetes otherwise takes the limit for the request. The runner's own carries neither.
type PlanContainer struct {
	Name        string // c0, c1, … in order of first use
	Image       string // empty when RunnerImage
	PullPolicy  string
	RunnerImage bool // the agent puts its own runner image here
	Env         []PlanRef
	Requests    map[string]string
	Limits      map[string]string
	Concurrent  bool `json:",omitzero"` // its requests add up with those of others

	Volumes []document.Volume `json:",omitempty"` // beside those of the pod
}

// PlanRef is a variable of a container that Kubernetes fills from a secret or config map. The runner keeps these variables from
// the steps and hands each only those it names.
type PlanRef struct {
	Name      string // SEATRIAL_ENV_<step index>_<NAME>, or SEATRIAL_ENV_C_<NAME> for those of spec.container
	Secret    *KeyRef
	ConfigMap *KeyRef
}

// PlanStep is one command, or what stands in for one. Exactly one of Script, Command, Pause and Execute is set.
type PlanStep struct {
	Index      int
	Name       string
	Container  string
	Script     string
	Command    []string
	WorkingDir string
	Env        []PlanEnv
	Timeout    time.Duration // 0 for none
	Reports    []Report
	Artifacts  PlanArtifacts `json:",omitzero"`

	Condition       string     `json:",omitzero"` // an expression for the runner, without braces; empty: when nothing before it failed
	Retry           *StepRetry `json:",omitzero"`
	ContinueOnError bool       `json:",omitzero"`
	Expect          *Expect    `json:",omitzero"` // nil for success
	Outputs         []string   `json:",omitzero"`
	Teardown        bool       `json:",omitzero"` // runs however the steps before it ended
	Pause           *PlanPause `json:",omitzero"`
	Group           string     `json:",omitzero"` // steps of one group run at the same time

	Execute *PlanExecute `json:",omitzero"`
	Metrics bool         `json:",omitzero"` // record what it uses
}

// PlanShard says which test files are this run's.
type PlanShard struct {
	Index, Count int64
	Files        []string                 // patterns of all that are shared out
	Took         map[string]time.Duration `json:",omitempty"` // how long the tests of a file usually take, by what reports call it
}

// PlanPause waits for a person.
type PlanPause struct {
	Message string // a template that the runner resolves
	Timeout time.Duration
}

// PlanExecute starts executions of other workflows.
type PlanExecute struct {
	Calls       []PlanCall
	Parallelism int  `json:",omitzero"` // how many of them are active at once; 0 for all
	Wait        bool // for their end
}

// PlanCall is a workflow by its name, or all that have the labels of a selector.
type PlanCall struct {
	Name     string            `json:",omitzero"`
	Selector map[string]string `json:",omitzero"`
	Params   map[string]string `json:",omitzero"` // templates that the runner resolves
}

// Title says what is executed: "api-smoke", or "suite=api,tier=critical".
func (c PlanCall) Title() string {
	if c.Name != "" {
		return c.Name
	}
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(c.Selector)) {
		parts = append(parts, key+"="+c.Selector[key])
	}
	return strings.Join(parts, ",")
}

// PlanArtifacts are the files of a step that are kept.
type PlanArtifacts struct {
	Paths    []string
	When     string // always, passed or failed; empty for always
	MaxSize  int64  // bytes in all, as the test wrote them; 0 for the runner's own limit
	Compress bool   // where that helps
}

// PlanEnv is a variable of a step: a literal, or the value of a variable of the container.
type PlanEnv struct {
	Name   string
	Value  string
	From   string // name of a PlanRef; it may be unset when the reference is optional
	Secret bool   // the value is redacted
}

// PlanService is a container that runs beside all steps. Unlike that of a step, its environment is set by the kubelet: everything is
// resolved.
type PlanService struct {
	Name       string
	Image      string
	PullPolicy string
	Command    []string // the image's own when empty
	Args       []string
	WorkingDir string
	Env        []PlanServiceEnv
	Requests   map[string]string
	Limits     map[string]string
	Ready      *Ready // nil: ready once its process runs
	SecretDirs bool   `json:",omitzero"` // the pod mounts secrets, which it can read
	RunAsUser  *int64 `json:",omitempty"`
	RunAsGroup *int64 `json:",omitempty"`
}

// Secretive reports whether the service is given a secret, by a variable or as files. Nothing redacts what a service writes, so its log stays in the cluster
// then.
func (s PlanService) Secretive() bool {
	return s.SecretDirs || slices.ContainsFunc(s.Env, func(v PlanServiceEnv) bool { return v.Secret != nil })
}

// PlanServiceEnv is a variable of a service: a literal, or a key of a secret or config map.
type PlanServiceEnv struct {
	Name      string
	Value     string
	Secret    *KeyRef
	ConfigMap *KeyRef
}
