package document

// Step is one command, or what stands in for one: exactly one of run, command, pause, execute and parallel is set.
type Step struct {
	// Name of the step; step-N when absent, TEMPLATE-step-N in a template. Expressions of later steps read steps.NAME.
	Name string `json:"name,omitempty" rule:"rule=label"`
	// Script for /bin/sh -e. It needs a shell in the image.
	Run string `json:"run,omitempty" rule:"expr=pod,rule=notBlank"`
	// Command that is started as it is, without a shell. The entrypoint of the image is never used.
	Command []string `json:"command,omitempty" rule:"expr=pod,max=1000"`
	// Arguments of command.
	Args []string `json:"args,omitempty" rule:"expr=pod,max=1000"`
	// Image of this step.
	Image string `json:"image,omitempty" rule:"expr=here,rule=image"`
	// Folder of this step: absolute, or below the workspace.
	WorkingDir string `json:"workingDir,omitempty" rule:"expr=here,rule=workingDir"`
	// Environment variables of this step; they win over those of spec.container.
	Env []EnvVar `json:"env,omitempty" rule:"max=500"`
	// Whether the step runs. A condition without always(), failed(), passed() or cancelled() holds only when nothing before failed.
	If string `json:"if,omitempty" rule:"expr=if"`
	// How long one try of the step may take; with parallel, how long one try of each of its steps may. A pause has its own.
	Timeout Duration `json:"timeout,omitempty"`
	// Tries the step again when it does not end as expected.
	Retry *StepRetry `json:"retry,omitempty"`
	// The next steps run and the attempt can pass even when this one fails.
	ContinueOnError bool `json:"continueOnError,omitempty" rule:"default=false"`
	// How the command has to end.
	Expect *Expect `json:"expect,omitempty" rule:"default=success"`
	// Names of the outputs, which the command writes as key=value lines to the file $SEATRIAL_OUTPUT.
	Outputs []string `json:"outputs,omitempty" rule:"rule=output,max=100"`
	// Result files of test tools.
	Reports []Report `json:"reports,omitempty" rule:"max=50"`
	// Files that are kept.
	Artifacts Artifacts `json:"artifacts,omitzero"`
	// Record CPU, memory and I/O of the step once a second.
	Metrics *bool `json:"metrics,omitempty" rule:"default=true"`
	// Waits until somebody resumes the execution, by the command, the API or the page. The time does not count as part of spec.timeout,
	// and the run keeps its place among maxParallel.
	Pause *Pause `json:"pause,omitempty"`
	// Executes other workflows.
	Execute *Execute `json:"execute,omitempty"`
	// Steps that run at the same time, each in a container of its own in the same pod. They do not see each other's status and
	// outputs. The group's if, timeout and continueOnError hold for each of them.
	Parallel []Step `json:"parallel,omitempty" rule:"max=20"`
}

// StepRetry tries a step again.
type StepRetry struct {
	// How many tries there are, the first one included.
	Attempts int64 `json:"attempts" rule:"required,min=1,max=20"`
	// Pause before the second try.
	Delay Duration `json:"delay,omitempty" rule:"min=0s,max=1h,default=0s"`
	// The pause grows by this factor with every try.
	Backoff float64 `json:"backoff,omitempty" rule:"min=1,max=10,default=1"`
}

// Report says where a step leaves result files.
type Report struct {
	// Format of the files; auto looks into each of them.
	Format string `json:"format" rule:"required,enum=auto|junit|playwright|ctrf|gotest|k6|newman|jtl|tap|nunit|xunit|trx|robot|cucumber|mocha|jest"`
	// Files, as patterns below the workspace.
	Paths []string `json:"paths" rule:"required,expr=here,rule=pattern,max=50"`
}

// Artifacts says which files of a step to keep.
type Artifacts struct {
	// Files, as patterns below the workspace.
	Paths []string `json:"paths,omitempty" rule:"required,expr=here,rule=pattern,max=100"`
	// Compress files on the way and in the store, where that helps. Whoever downloads them gets them as the test wrote them.
	Compress *bool `json:"compress,omitempty" rule:"default=true"`
	// When files are kept.
	When string `json:"when,omitempty" rule:"enum=always|passed|failed,default=always"`
	// How much a step may keep in all, counted before files are compressed.
	MaxSize Quantity `json:"maxSize,omitempty"`
}

// Pause waits for a person.
type Pause struct {
	// What the person is asked.
	Message string `json:"message,omitempty" rule:"expr=pod"`
	// How long is waited at most; the step fails after it.
	Timeout Duration `json:"timeout,omitempty" rule:"default=1h"`
}

// Execute starts other workflows.
type Execute struct {
	// What is executed.
	Workflows []WorkflowRef `json:"workflows" rule:"required,max=100"`
	// How many executions are active at once; all of them when absent. It means nothing with wait: false.
	Parallelism int64 `json:"parallelism,omitempty" rule:"min=1,max=100"`
	// Wait for their end, and fail when one of them does not pass.
	Wait *bool `json:"wait,omitempty" rule:"default=true"`
	// Values for params of all of them.
	Params map[string]string `json:"params,omitempty" rule:"keys=param,expr=pod"`
}

// WorkflowRef is a workflow by name, or all that have some labels. Exactly one is set.
type WorkflowRef struct {
	// Name of a workflow.
	Name string `json:"name,omitempty" rule:"rule=label"`
	// Labels of workflows.
	Selector map[string]string `json:"selector,omitempty" rule:"keys=qualified,rule=labelValue"`
	// Values for params of these only.
	Params map[string]string `json:"params,omitempty" rule:"keys=param,expr=pod"`
}
