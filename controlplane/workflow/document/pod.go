package document

// Container is the default for every step.
type Container struct {
	// Image in which steps run.
	Image string `json:"image,omitempty" rule:"expr=here,rule=image"`
	// When images are pulled.
	ImagePullPolicy string `json:"imagePullPolicy,omitempty" rule:"enum=Always|IfNotPresent|Never"`
	// Folder in which steps run: absolute, or below the workspace.
	WorkingDir string `json:"workingDir,omitempty" rule:"expr=here,rule=workingDir"`
	// Environment variables of every step.
	Env []EnvVar `json:"env,omitempty" rule:"max=500" merge:"by=name"`
	// What the pod asks of its node and what its containers are held to.
	Resources Resources `json:"resources,omitzero"`
}

// Resources are Kubernetes quantities by resource name.
type Resources struct {
	// What is set aside for the pod, by resource: once, as steps run one after another, or for each step of the largest parallel group.
	Requests map[string]Quantity `json:"requests,omitempty" rule:"keys=qualified"`
	// What a container may use at most, by resource.
	Limits map[string]Quantity `json:"limits,omitempty" rule:"keys=qualified"`
}

// EnvVar is an environment variable: a literal, or a key of a secret or config map of the run namespace. A literal is stored and
// shown with the workflow, whatever its name is: what is secret belongs into a secret.
type EnvVar struct {
	// Name of the variable.
	Name string `json:"name" rule:"required,rule=envName"`
	// Its value.
	Value string `json:"value,omitempty" rule:"expr=pod"`
	// Where its value comes from.
	ValueFrom *EnvFrom `json:"valueFrom,omitempty"`
}

// EnvFrom is where a value comes from. Exactly one is set.
type EnvFrom struct {
	// A key of a secret; its value is redacted from all output.
	Secret *KeyRef `json:"secretKeyRef,omitempty"`
	// A key of a config map.
	ConfigMap *KeyRef `json:"configMapKeyRef,omitempty"`
}

// KeyRef names a key of a secret or config map.
type KeyRef struct {
	// Name of the object.
	Name string `json:"name" rule:"required,rule=object"`
	// Key in it.
	Key string `json:"key" rule:"required,rule=key"`
	// The variable is left out when there is no such key.
	Optional bool `json:"optional,omitempty" rule:"default=false"`
}

// Pod is how the pod of an attempt runs.
type Pod struct {
	// Service account of the run namespace.
	ServiceAccountName string `json:"serviceAccountName,omitempty" rule:"rule=object"`
	// Labels that the node must have.
	NodeSelector map[string]string `json:"nodeSelector,omitempty" rule:"keys=qualified,rule=labelValue"`
	// Taints that are tolerated.
	Tolerations []Toleration `json:"tolerations,omitempty" rule:"max=50" merge:"append"`
	// Secrets with which images are pulled.
	ImagePullSecrets []NameRef `json:"imagePullSecrets,omitempty" rule:"max=20" merge:"by=name"`
	// Under whom the pod runs.
	Security Security `json:"securityContext,omitzero"`
	// Volumes for all steps and services.
	Volumes []Volume `json:"volumes,omitempty" rule:"max=50" merge:"by=name"`
	// Labels of the pod.
	Labels map[string]string `json:"labels,omitempty" rule:"keys=podKey,rule=labelValue"`
	// Annotations of the pod.
	Annotations map[string]string `json:"annotations,omitempty" rule:"keys=podKey"`
}

// Toleration is a Kubernetes toleration.
type Toleration struct {
	// Key of the taint; all of them when absent and operator is Exists.
	Key string `json:"key,omitempty" rule:"rule=qualified"`
	// How the value is compared.
	Operator string `json:"operator,omitempty" rule:"enum=Equal|Exists,default=Equal"`
	// Value of the taint.
	Value string `json:"value,omitempty" rule:"rule=labelValue"`
	// Effect of the taint; all of them when absent.
	Effect string `json:"effect,omitempty" rule:"enum=NoSchedule|PreferNoSchedule|NoExecute"`
	// How long NoExecute is tolerated.
	Seconds *int64 `json:"tolerationSeconds,omitempty" rule:"min=0,max=2147483647"`
}

// Security is the security context of the pod and its containers; what is absent is left to the cluster.
type Security struct {
	// Numeric user.
	RunAsUser *int64 `json:"runAsUser,omitempty" rule:"min=0,max=2147483647"`
	// Numeric group.
	RunAsGroup *int64 `json:"runAsGroup,omitempty" rule:"min=0,max=2147483647"`
	// Refuse to run as root.
	RunAsNonRoot *bool `json:"runAsNonRoot,omitempty"`
	// Numeric group that owns the volumes.
	FSGroup *int64 `json:"fsGroup,omitempty" rule:"min=0,max=2147483647"`
	// Only volumes can be written to.
	ReadOnlyRootFilesystem *bool `json:"readOnlyRootFilesystem,omitempty"`
}

// Volume is storage that is mounted into every step and service. Exactly one kind is set.
type Volume struct {
	// Name of the volume.
	Name string `json:"name" rule:"required,rule=volume"`
	// Absolute path in the containers.
	MountPath string `json:"mountPath" rule:"required,rule=mountPath"`
	// Path inside of the volume that is mounted instead of its root.
	SubPath string `json:"subPath,omitempty" rule:"rule=subPath"`
	// The volume cannot be written to.
	ReadOnly bool `json:"readOnly,omitempty" rule:"default=false"`
	// An empty folder that lives as long as the pod.
	EmptyDir *EmptyDir `json:"emptyDir,omitempty"`
	// The keys of a ConfigMap as files.
	ConfigMap *ObjectVolume `json:"configMap,omitempty"`
	// The keys of a secret as files. What stands in them is redacted from logs and reports: each file, each line, and the values in files
	// of name=value, name: value or JSON, from 6 characters on; keys called username, namespace, ca.crt and tls.crt are not. Services can
	// read the files as well, so in a pod with a secret volume the logs of services stay in the cluster.
	Secret *ObjectVolume `json:"secret,omitempty"`
	// A claim of the run namespace.
	PersistentVolumeClaim *Claim `json:"persistentVolumeClaim,omitempty"`
}

// EmptyDir is an empty folder.
type EmptyDir struct {
	// Memory keeps it in memory, which counts against the limits.
	Medium string `json:"medium,omitempty" rule:"enum=Memory"`
	// How much it may hold. The cluster evicts a pod that exceeds it, and what the test wrote to the workspace is lost then.
	SizeLimit Quantity `json:"sizeLimit,omitempty"`
}

// ObjectVolume is a config map or secret as files.
type ObjectVolume struct {
	// Name of the object.
	Name string `json:"name" rule:"required,rule=object"`
	// The pod starts without it.
	Optional bool `json:"optional,omitempty" rule:"default=false"`
}

// Claim names a persistent volume claim.
type Claim struct {
	// Name of the claim.
	ClaimName string `json:"claimName" rule:"required,rule=object"`
}

// Service is a dependency next to the test: a container that runs beside all steps. Steps reach it at 127.0.0.1. It shares /workspace
// with them, which is still empty when it starts, runs under the security context of the pod unless it has its own, and is started
// again when it ends. When the steps have ended it is told to (SIGTERM, or what its image says) and killed after a minute; so is
// everything in a pod with services that is evicted, whose teardown should take less.
//
// Its log is kept, unless it is given a secret or the pod mounts one: values are redacted by the runner, which is not in the container
// of a service, so the log and the messages of such a service stay in the cluster. Nothing is redacted from the logs of the others: what
// a step sends to a service, and the service writes down, is shown.
type Service struct {
	// Image of the service.
	Image string `json:"image" rule:"required,expr=here,rule=image"`
	// When the image is pulled.
	ImagePullPolicy string `json:"imagePullPolicy,omitempty" rule:"enum=Always|IfNotPresent|Never"`
	// Command; the image's own when absent.
	Command []string `json:"command,omitempty" rule:"expr=here,max=100"`
	// Arguments; the image's own when absent.
	Args []string `json:"args,omitempty" rule:"expr=here,max=100"`
	// Folder in which the command runs: absolute, or below the workspace.
	WorkingDir string `json:"workingDir,omitempty" rule:"expr=here,rule=workingDir"`
	// Environment variables. With one from a secret, its log is not kept.
	Env []ServiceEnv `json:"env,omitempty" rule:"max=500" merge:"by=name"`
	// What it asks of the node and what it is held to.
	Resources Resources `json:"resources,omitzero"`
	// When it is ready. Without it, a service counts as ready once its process runs.
	Ready *Ready `json:"ready,omitempty" merge:"whole"`
	// Under whom it runs, where that differs from the pod. Images of databases want to begin as root and change the user themselves,
	// which the pod does not allow: name the user that they change to, such as 999 for postgres.
	Security ServiceSecurity `json:"securityContext,omitzero"`
}

// ServiceSecurity is the security context of a service; what is absent is that of the pod.
type ServiceSecurity struct {
	// Numeric user.
	RunAsUser *int64 `json:"runAsUser,omitempty" rule:"min=0,max=2147483647"`
	// Numeric group.
	RunAsGroup *int64 `json:"runAsGroup,omitempty" rule:"min=0,max=2147483647"`
}

// ServiceEnv is an environment variable of a service. The kubelet sets it, not the runner: env is not known in it.
type ServiceEnv struct {
	// Name of the variable.
	Name string `json:"name" rule:"required,rule=envName"`
	// Its value.
	Value string `json:"value,omitempty" rule:"expr=here"`
	// Where its value comes from.
	ValueFrom *EnvFrom `json:"valueFrom,omitempty"`
}

// Ready is how to tell that a service is ready. Exactly one of exec, tcp and http is set.
type Ready struct {
	// A command in the service's container that ends with 0.
	Exec []string `json:"exec,omitempty" rule:"max=100"`
	// A port that takes connections at the address of the pod: listening on 127.0.0.1 alone is not enough.
	TCP *PortCheck `json:"tcp,omitempty"`
	// An address that answers with a status from 200 to 399, also at the address of the pod.
	HTTP *HTTPCheck `json:"http,omitempty"`
	// How long it may take to become ready; after that the attempt has failed for its infrastructure. Rounded up to whole intervals.
	Timeout Duration `json:"timeout,omitempty" rule:"default=2m"`
	// Time from one try to the next, in whole seconds.
	Interval Duration `json:"interval,omitempty" rule:"max=5m,default=1s"`
}

// PortCheck is a port.
type PortCheck struct {
	// Number of the port.
	Port int64 `json:"port" rule:"required,min=1,max=65535"`
}

// HTTPCheck is an address.
type HTTPCheck struct {
	// Number of the port.
	Port int64 `json:"port" rule:"required,min=1,max=65535"`
	// Path that is asked for.
	Path string `json:"path,omitempty" rule:"rule=urlPath,default=/"`
	// How it is asked.
	Scheme string `json:"scheme,omitempty" rule:"enum=http|https,default=http"`
}
