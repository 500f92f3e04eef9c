package document

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// What a document says of itself.
const (
	APIVersion   = "seatrial.dev/v1"
	Workflow     = "TestWorkflow"
	TemplateKind = "TestWorkflowTemplate"
)

// Document is a parsed and checked workflow, or a template of one. Its JSON is canonical: equal documents have equal bytes, however
// they were written.
type Document struct {
	// Version of the language: seatrial.dev/v1.
	APIVersion string `json:"apiVersion" rule:"required,enum=seatrial.dev/v1"`
	// Kind of the document: TestWorkflow, or TestWorkflowTemplate for what other workflows use.
	Kind string `json:"kind" rule:"required,enum=TestWorkflow|TestWorkflowTemplate"`
	// Name and labels.
	Metadata Metadata `json:"metadata" rule:"required"`
	// What the workflow does. A template may leave out the steps.
	Spec Spec `json:"spec" rule:"required"`
	// Digest is the hex SHA-256 of the canonical JSON.
	Digest string `json:"-"`
}

// IsTemplate reports whether the document is a template.
func (d *Document) IsTemplate() bool { return d.Kind == TemplateKind }

// Seal sets the digest.
func (d *Document) Seal() (err error) {
	d.Digest, err = digest(d)
	return err
}

func digest(doc any) (string, error) {
	canonical, err := json.Marshal(doc)
	if err != nil {
		return "", fmt.Errorf("encode the document: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), nil
}

// Metadata names and labels a document.
type Metadata struct {
	// Name in the catalog: at most 63 lower-case letters, digits and dashes.
	Name string `json:"name" rule:"required,rule=label"`
	// Labels, by which suites, schedules and policies select.
	Labels map[string]string `json:"labels,omitempty" rule:"keys=qualified,rule=labelValue"`
	// Annotations for people and tools.
	Annotations map[string]string `json:"annotations,omitempty" rule:"keys=qualified"`
}

// Spec is what a workflow does.
type Spec struct {
	// What the workflow is for.
	Description string `json:"description,omitempty" merge:"own"`
	// Typed inputs, checked when an execution is triggered. Expressions read them as params.NAME.
	Params Params `json:"params,omitempty" merge:"own"`
	// What starts the workflow, versioned with it.
	Triggers []Trigger `json:"triggers,omitempty" rule:"max=50" merge:"append"`
	// Where the workflow runs. Without it, whoever starts an execution names one environment.
	Environments *Environments `json:"environments,omitempty" merge:"whole"`
	// Executions that must not run at the same time.
	Concurrency *Concurrency `json:"concurrency,omitempty" merge:"whole"`
	// Order among what waits for a cluster; the higher goes first.
	Priority *int64 `json:"priority,omitempty" rule:"min=0,max=100,default=50"`
	// How long the steps of one attempt may take; teardown and the upload of results come after it. Time in which a step waits for a
	// person does not count.
	Timeout Duration `json:"timeout,omitempty" rule:"default=1h"`
	// New attempts of a run.
	Retry *RunRetry `json:"retry,omitempty"`
	// What lands in /workspace before the first step.
	Source Source `json:"source,omitzero"`
	// Defaults for every step.
	Container Container `json:"container,omitzero"`
	// How the pod of an attempt runs.
	Pod Pod `json:"pod,omitzero"`
	// Dependencies next to the test by name, ready before the first step; their logs are kept. They start one after another in the
	// order of their names, each once the one before is ready.
	Services map[string]Service `json:"services,omitempty" rule:"keys=service,max=20"`
	// One run for each combination of values. Expressions read them as matrix.NAME.
	Matrix Matrix `json:"matrix,omitzero"`
	// Splits every run into several, numbered shard.index of shard.count.
	Shards *Shards `json:"shards,omitempty" merge:"whole"`
	// Cancel the other runs of an execution when one fails.
	FailFast *bool `json:"failFast,omitempty" rule:"default=false"`
	// How many runs of an execution are active at once.
	MaxParallel int64 `json:"maxParallel,omitempty" rule:"min=1,max=1000"`
	// Templates that the workflow builds upon, in order; the workflow itself wins over them.
	Use []Use `json:"use,omitempty" rule:"max=20" merge:"own"`
	// What is done, in order. After a failure the rest is skipped unless its if says otherwise.
	Steps []Step `json:"steps,omitempty" rule:"max=100" merge:"append"`
	// What is done after the steps, always: also after a failure, a timeout or a cancel.
	Teardown []Step `json:"teardown,omitempty" rule:"max=20" merge:"prepend"`
}

// Environments says where a workflow runs.
type Environments struct {
	// Labels of the environments to run in, as they are when the execution is started: every one that has all of these.
	Select map[string]string `json:"select,omitempty" rule:"keys=qualified,rule=labelValue"`
	// Names of the environments to run in.
	Names []string `json:"names,omitempty" rule:"rule=label,max=100"`
	// Every run in each of them, or in any: in the one whose cluster has the least to do then, of those whose agents are connected.
	Mode string `json:"mode,omitempty" rule:"enum=each|any,default=each"`
}

// Concurrency keeps executions apart.
type Concurrency struct {
	// Name of the group; runs whose groups have the same text count together.
	Group string `json:"group" rule:"required,expr=here,rule=group"`
	// How many runs of the group are active at once.
	Limit int64 `json:"limit,omitempty" rule:"min=1,max=1000,default=1"`
	// What happens to a run that finds the group full: it waits, the oldest is cancelled for it, or it is skipped.
	OnConflict string `json:"onConflict,omitempty" rule:"enum=queue|cancel|skip,default=queue"`
}

// RunRetry allows new attempts.
type RunRetry struct {
	// How many new attempts follow an eviction, a lost node or a lost agent. A failed test is never repeated by it.
	Infrastructure int64 `json:"infrastructure,omitempty" rule:"min=0,max=10,default=0"`
}

// Use builds upon a template.
type Use struct {
	// Name of a TestWorkflowTemplate.
	Template string `json:"template" rule:"required,rule=label"`
	// Values for its params: texts, numbers and booleans; texts may hold expressions of this workflow.
	With map[string]any `json:"with,omitempty" rule:"keys=param,expr=pod"`
}

// Shards splits runs.
type Shards struct {
	// How many parts: a whole number, or an expression that gives one.
	Count IntOrExpr `json:"count" rule:"required,min=1,max=100,expr=count"`
	// How the files are shared out: by how long their tests took before, the longest first to the shard with the least to do, or by
	// number, in the order of their names.
	Balance string `json:"balance,omitempty" rule:"enum=duration|count,default=count"`
	// Test files that are shared out, as patterns below the workspace. A step finds those of its shard in $SEATRIAL_SHARD_FILES, and one
	// in a line in the file $SEATRIAL_SHARD_LIST, relative to its working directory; steps of a shard that has none are skipped. Each pod
	// looks for itself: name a commit in source.git.ref where a branch may move meanwhile. Without patterns it is for the tool to share
	// out its tests, by shard.index and shard.count.
	Files []string `json:"files,omitempty" rule:"rule=pattern,max=100"`
}

// YAML returns the document as people write it.
func YAML(doc any) ([]byte, error) {
	raw, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(raw, &root); err != nil { // JSON is YAML; this way the order of the fields is kept
		return nil, fmt.Errorf("decode: %w", err)
	}
	plain(&root)
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(&root); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return out.Bytes(), nil
}

// plain takes away the style of JSON.
func plain(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" && len(n.Value) > 0 && n.Value[len(n.Value)-1] == '\n' {
		n.Style = yaml.LiteralStyle
	} else {
		n.Style = 0
	}
	for _, c := range n.Content {
		plain(c)
	}
}
