package workflow

import (
	"encoding/json"
	"time"

	"github.com/seatrial/seatrial/controlplane/workflow/expr"
)

// What a document of this package says of itself.
const (
	APIVersion = "seatrial.dev/v1"
	Kind       = "TestWorkflow"
)

// Document is a parsed and checked workflow. Its JSON is canonical: equal documents have equal bytes, however they were written.
type Document struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   Metadata `json:"metadata"`
	Spec       Spec     `json:"spec"`
	// Digest is the hex SHA-256 of the canonical JSON.
	Digest string `json:"-"`
}

// Metadata names and labels a workflow.
type Metadata struct {
	Name        string            `json:"name"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Spec is what a workflow does.
type Spec struct {
	Description string    `json:"description,omitempty"`
	Params      Params    `json:"params,omitempty"`
	Source      Source    `json:"source,omitzero"`
	Container   Container `json:"container,omitzero"`
	Pod         Pod       `json:"pod,omitzero"`
	Timeout     Duration  `json:"timeout,omitempty"`
	Steps       []Step    `json:"steps"`
}

// Params are the declared parameters in the order of the document. In JSON they are an object, because their order means nothing.
type Params []Param

// MarshalJSON returns an object with sorted keys.
func (p Params) MarshalJSON() ([]byte, error) {
	byName := make(map[string]Param, len(p))
	for _, param := range p {
		byName[param.Name] = param
	}
	return json.Marshal(byName)
}

// Param is a typed input. Default and Enum hold string, int64, float64 or bool, as Type says.
type Param struct {
	Name        string    `json:"-"`
	Type        expr.Type `json:"type"`
	Description string    `json:"description,omitempty"`
	Default     any       `json:"default,omitempty"`
	Enum        []any     `json:"enum,omitempty"`
	Minimum     *float64  `json:"minimum,omitempty"`
	Maximum     *float64  `json:"maximum,omitempty"`
	Pattern     string    `json:"pattern,omitempty"` // RE2; it may match anywhere, as in JSON Schema
	Required    *bool     `json:"required,omitempty"`
}

// Source is what lands in the workspace before the first step.
type Source struct {
	Files []File `json:"files,omitempty"`
	Git   *Git   `json:"git,omitempty"`
}

// File is written to the workspace. Its content is taken as it is: expressions are not resolved in it.
type File struct {
	Path    string `json:"path"`
	Content string `json:"content"`
	Mode    uint32 `json:"mode,omitempty"` // permission bits; 0 means 0644
}

// Git is a repository to fetch.
type Git struct {
	URL       string   `json:"url"`
	Ref       string   `json:"ref,omitempty"` // branch, tag or commit; empty means the default branch
	Paths     []string `json:"paths,omitempty"`
	Depth     int64    `json:"depth,omitempty"` // commits to fetch; 0 means 1
	SecretRef string   `json:"secretRef,omitempty"`
}

// Container is the default for every step.
type Container struct {
	Image           string    `json:"image,omitempty"`
	ImagePullPolicy string    `json:"imagePullPolicy,omitempty"`
	WorkingDir      string    `json:"workingDir,omitempty"`
	Env             []EnvVar  `json:"env,omitempty"`
	Resources       Resources `json:"resources,omitzero"`
}

// Resources are Kubernetes quantities by resource name.
type Resources struct {
	Requests map[string]string `json:"requests,omitempty"`
	Limits   map[string]string `json:"limits,omitempty"`
}

// EnvVar is an environment variable: a literal, or a key of a secret or config map of the run namespace. A literal is stored and
// shown with the workflow, whatever its name is: what is secret belongs into a secret.
type EnvVar struct {
	Name      string  `json:"name"`
	Value     string  `json:"value,omitempty"`
	Secret    *KeyRef `json:"secret,omitempty"`
	ConfigMap *KeyRef `json:"configMap,omitempty"`
}

// KeyRef names a key of a secret or config map.
type KeyRef struct {
	Name     string `json:"name"`
	Key      string `json:"key"`
	Optional bool   `json:"optional,omitempty"`
}

// Pod is how the pod of an attempt runs.
type Pod struct {
	ServiceAccountName string            `json:"serviceAccountName,omitempty"`
	NodeSelector       map[string]string `json:"nodeSelector,omitempty"`
	Tolerations        []Toleration      `json:"tolerations,omitempty"`
	ImagePullSecrets   []string          `json:"imagePullSecrets,omitempty"`
	Security           Security          `json:"securityContext,omitzero"`
	Labels             map[string]string `json:"labels,omitempty"`
	Annotations        map[string]string `json:"annotations,omitempty"`
}

// Toleration is a Kubernetes toleration.
type Toleration struct {
	Key      string `json:"key,omitempty"`
	Operator string `json:"operator,omitempty"`
	Value    string `json:"value,omitempty"`
	Effect   string `json:"effect,omitempty"`
	Seconds  *int64 `json:"tolerationSeconds,omitempty"`
}

// Security is the security context of the pod and its containers; nil leaves a setting to the cluster.
type Security struct {
	RunAsUser              *int64 `json:"runAsUser,omitempty"`
	RunAsGroup             *int64 `json:"runAsGroup,omitempty"`
	RunAsNonRoot           *bool  `json:"runAsNonRoot,omitempty"`
	FSGroup                *int64 `json:"fsGroup,omitempty"`
	ReadOnlyRootFilesystem *bool  `json:"readOnlyRootFilesystem,omitempty"`
}

// Step is one command. Exactly one of Run and Command is set.
type Step struct {
	Name       string    `json:"name"`
	Run        string    `json:"run,omitempty"` // script for /bin/sh -e
	Command    []string  `json:"command,omitempty"`
	Args       []string  `json:"args,omitempty"`
	Image      string    `json:"image,omitempty"`
	WorkingDir string    `json:"workingDir,omitempty"`
	Env        []EnvVar  `json:"env,omitempty"`
	Timeout    Duration  `json:"timeout,omitempty"`
	Reports    []Report  `json:"reports,omitempty"`
	Artifacts  Artifacts `json:"artifacts,omitzero"`
}

// Report says where a step leaves result files.
type Report struct {
	Format string   `json:"format"`
	Paths  []string `json:"paths"`
}

// Artifacts says which files of a step to keep.
type Artifacts struct {
	Paths []string `json:"paths,omitempty"`
}

// Duration is a time.Duration that is written as text.
type Duration time.Duration

// MarshalText returns the duration as Go writes it, such as "30m0s".
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }
