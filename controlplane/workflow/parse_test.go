package workflow_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

// source returns a document with a spec in flow style.
func source(spec string) []byte {
	return []byte("apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {name: w}\nspec: " + strings.ReplaceAll(spec, "\t", " ") + "\n")
}

func mustParse(t *testing.T, spec string) *workflow.Document {
	t.Helper()
	doc, err := workflow.Parse("w.yaml", source(spec))
	if err != nil {
		t.Fatalf("%v: %+v", err, places(err))
	}
	return doc
}

func places(err error) []fault.Place {
	var f *fault.Error
	if !errors.As(err, &f) {
		return []fault.Place{{Message: "not a fault"}}
	}
	return f.Places
}

func TestParse_Faults(t *testing.T) {
	t.Parallel()
	const ok = "steps: [{run: x, image: a}]"
	tests := map[string]struct{ spec, field, says, reason string }{
		"UnknownField":       {"{timeot: 3m, " + ok + "}", "spec.timeot", `did you mean "timeout"?`, "a typo must not be ignored"},
		"UnknownStepField":   {"{steps: [{run: x, image: a, comand: [b]}]}", "spec.steps[0].comand", `did you mean "command"?`, "a typo must not be ignored"},
		"FarOff":             {"{zebra: 1, " + ok + "}", "spec.zebra", "is not a known field", "no silly suggestion"},
		"Duplicate":          {"{timeout: 3m, timeout: 4m, " + ok + "}", "spec.timeout", "given twice", "which one would win?"},
		"NoSteps":            {"{}", "spec.steps", "missing", "nothing to run"},
		"EmptySteps":         {"{steps: []}", "spec.steps", "empty", "nothing to run"},
		"StepsNoList":        {"{steps: {run: x}}", "spec.steps", "must be a list", "wrong type"},
		"NoCommand":          {"{steps: [{image: a}]}", "spec.steps[0]", "needs run", "the entrypoint is never guessed"},
		"BothCommands":       {"{steps: [{image: a, run: x, command: [y]}]}", "spec.steps[0]", "exclude each other", "which one?"},
		"EmptyCommand":       {"{steps: [{image: a, command: []}]}", "spec.steps[0].command", "empty", "nothing to run"},
		"EmptyRun":           {"{steps: [{image: a, run: ' '}]}", "spec.steps[0].run", "empty", "nothing to run"},
		"ArgsWithoutCommand": {"{steps: [{image: a, run: x, args: [y]}]}", "spec.steps[0].args", "needs command", "they would be ignored"},
		"NoImage":            {"{steps: [{run: x}]}", "spec.steps[0]", "no image", "said with what to do"},
		"BadImage":           {"{steps: [{run: x, image: 'a b'}]}", "spec.steps[0].image", "image reference", "the kubelet would say it late"},
		"SameName":           {"{container: {image: a}, steps: [{name: a, run: x}, {name: a, run: y}]}", "spec.steps[1]", "steps[0] already", "names are addresses"},
		"NameOfDefault":      {"{container: {image: a}, steps: [{name: step-2, run: x}, {run: y}]}", "spec.steps[1]", "steps[0] already", "the second gets the name by itself"},
		"SourceName":         {"{source: {git: {url: https://g/r}}, steps: [{name: source, run: x, image: a}]}", "spec.steps[0]", "fetches the source", "taken"},
		"BadStepName":        {"{steps: [{name: 'A b', run: x, image: a}]}", "spec.steps[0].name", "not a valid name", "a label"},
		"TooManySteps":       {"{container: {image: a}, steps: [" + strings.Repeat("{run: x},", 101) + "]}", "spec.steps", "at most 100", "bounded"},
		"Timeout":            {"{timeout: 30, " + ok + "}", "spec.timeout", "must be a string", "thirty what?"},
		"TimeoutText":        {"{timeout: half an hour, " + ok + "}", "spec.timeout", `such as "90s"`, "no duration"},
		"TimeoutZero":        {"{timeout: 0s, " + ok + "}", "spec.timeout", "from 1s", "nothing could run"},
		"EnvNumber":          {"{steps: [{run: x, image: a, env: [{name: A, value: 1}]}]}", "spec.steps[0].env[0].value", "put it in quotes", "1.60 would become 1.6"},
		"EnvTwice":           {"{steps: [{run: x, image: a, env: [{name: A}, {name: A}]}]}", "spec.steps[0].env[1].name", "set twice", "which one?"},
		"EnvReserved":        {"{steps: [{run: x, image: a, env: [{name: SEATRIAL_X}]}]}", "spec.steps[0].env[0].name", "reserved", "ours"},
		"EnvName":            {"{steps: [{run: x, image: a, env: [{name: A-B}]}]}", "spec.steps[0].env[0].name", "not a valid variable name", "no shell could read it"},
		"EnvBoth":            {"{steps: [{run: x, image: a, env: [{name: A, value: b, valueFrom: {secretKeyRef: {name: n, key: k}}}]}]}", "spec.steps[0].env[0]", "exclude each other", "which one?"},
		"EnvFromNothing":     {"{steps: [{run: x, image: a, env: [{name: A, valueFrom: {}}]}]}", "spec.steps[0].env[0].valueFrom", "exactly one", "from where?"},
		"EnvNoName":          {"{steps: [{run: x, image: a, env: [{value: b}]}]}", "spec.steps[0].env[0].name", "missing", "no name"},
		"SecretNoKey":        {"{steps: [{run: x, image: a, env: [{name: A, valueFrom: {secretKeyRef: {name: n}}}]}]}", "spec.steps[0].env[0].valueFrom.secretKeyRef.key", "missing", "which key?"},
		"PullPolicy":         {"{container: {imagePullPolicy: always}, " + ok + "}", "spec.container.imagePullPolicy", `did you mean "Always"?`, "Kubernetes is strict"},
		"Quantity":           {"{container: {resources: {requests: {cpu: lots}}}, " + ok + "}", "spec.container.resources.requests.cpu", "not a quantity", "Kubernetes would say it late"},
		"WorkingDir":         {"{steps: [{run: x, image: a, workingDir: ../b}]}", "spec.steps[0].workingDir", "leave the workspace", "confined"},
		"ReportPath":         {"{steps: [{run: x, image: a, reports: [{format: junit, paths: [/etc/passwd]}]}]}", "spec.steps[0].reports[0].paths[0]", "relative", "confined"},
		"ReportPattern":      {"{steps: [{run: x, image: a, reports: [{format: junit, paths: ['a[']}]}]}", "spec.steps[0].reports[0].paths[0]", "not a valid pattern", "found now, not after the test"},
		"ReportFormat":       {"{steps: [{run: x, image: a, reports: [{format: jnit, paths: [a]}]}]}", "spec.steps[0].reports[0].format", `did you mean "junit"?`, "no such format"},
		"ReportNoPaths":      {"{steps: [{run: x, image: a, reports: [{format: junit}]}]}", "spec.steps[0].reports[0].paths", "missing", "which files?"},
		"ArtifactsNoPaths":   {"{steps: [{run: x, image: a, artifacts: {}}]}", "spec.steps[0].artifacts.paths", "missing", "which files?"},
		"FilePath":           {"{source: {files: [{path: ../a, content: x}]}, " + ok + "}", "spec.source.files[0].path", "leave the workspace", "confined"},
		"FileTwice":          {"{source: {files: [{path: a, content: x}, {path: a/b, content: y}]}, " + ok + "}", "spec.source.files[1].path", "cannot both exist", "a file and a folder"},
		"FileNoContent":      {"{source: {files: [{path: a}]}, " + ok + "}", "spec.source.files[0].content", "missing", "forgotten?"},
		"FileMode":           {"{source: {files: [{path: a, content: x, mode: 755}]}, " + ok + "}", "spec.source.files[0].mode", "leading zero", "755 is not 0755"},
		"SourceNameFiles":    {"{source: {configMap: {name: m}}, steps: [{name: source, run: x, image: a}]}", "spec.steps[0]", "fetches the source", "copied by the same step"},
		"ServiceRoot":        {"{pod: {securityContext: {runAsNonRoot: true}}, services: {db: {image: d, securityContext: {runAsUser: 0}}}, " + ok + "}", "spec.services.db.securityContext.runAsUser", "runAsNonRoot forbids", "the kubelet would say it late"},
		"VolumeOverOurs":     {"{pod: {volumes: [{name: a, mountPath: /run, configMap: {name: m}}]}, " + ok + "}", "spec.pod.volumes[0].mountPath", "only an emptyDir", "the container could not start"},
		"VolumeProc":         {"{pod: {volumes: [{name: a, mountPath: /proc/x, emptyDir: {}}]}, " + ok + "}", "spec.pod.volumes[0].mountPath", "taken by the system", "the runtime refuses it"},
		"VolumeName":         {"{pod: {volumes: [{name: " + strings.Repeat("a", 62) + ", mountPath: /a, emptyDir: {}}]}, " + ok + "}", "spec.pod.volumes[0].name", "at most 61", "it gets two letters more in the pod"},
		"VolumeSubPath":      {"{pod: {volumes: [{name: a, mountPath: /a, subPath: ../b, emptyDir: {}}]}, " + ok + "}", "spec.pod.volumes[0].subPath", "inside of the volume", "confined"},
		"SelectsAll":         {"{container: {image: a}, steps: [{execute: {workflows: [{selector: {}}]}}]}", "spec.steps[0].execute.workflows[0].selector", "would select everything", "a label was forgotten"},
		"ShardsNoFiles":      {"{shards: {count: 2, balance: duration}, " + ok + "}", "spec.shards.balance", "needs files", "what is shared out?"},
		"ShardsOutside":      {"{shards: {count: 2, files: [../a]}, " + ok + "}", "spec.shards.files[0]", "leave the workspace", "confined"},
		"HTTPNoSum":          {"{source: {http: {url: 'https://h/a.tgz'}}, " + ok + "}", "spec.source.http.sha256", "missing", "what is run has to be known"},
		"OCINoRegistry":      {"{source: {oci: {artifact: 'tests/checkout:1'}}, " + ok + "}", "spec.source.oci.artifact", "does not name its registry", "none stands in for it"},
		"OCINoName":          {"{source: {oci: {artifact: 'localhost:5000'}}, " + ok + "}", "spec.source.oci.artifact", "does not name its registry", "only a registry"},
		"GitNoURL":           {"{source: {git: {ref: a}}, " + ok + "}", "spec.source.git.url", "missing", "from where?"},
		"GitPassword":        {"{source: {git: {url: 'https://u:p@g/r'}}, " + ok + "}", "spec.source.git.url", "secretRef", "secrets stay in the cluster"},
		"GitScheme":          {"{source: {git: {url: 'file:///etc'}}, " + ok + "}", "spec.source.git.url", "not a repository URL", "reads the pod's own files"},
		"GitRef":             {"{source: {git: {url: 'https://g/r', ref: '--x'}}, " + ok + "}", "spec.source.git.ref", "not a branch", "would be an option"},
		"PodLabel":           {"{pod: {labels: {seatrial.dev/attempt: x}}, " + ok + "}", "spec.pod.labels.seatrial.dev/attempt", "reserved", "the agent finds its pods by them"},
		"Toleration":         {"{pod: {tolerations: [{value: x}]}, " + ok + "}", "spec.pod.tolerations[0]", "needs a key", "Kubernetes would refuse it"},
		"PullSecret":         {"{pod: {imagePullSecrets: [x]}, " + ok + "}", "spec.pod.imagePullSecrets[0]", "must be a mapping", "as in Kubernetes"},
		"RootNonRoot":        {"{pod: {securityContext: {runAsUser: 0, runAsNonRoot: true}}, " + ok + "}", "spec.pod.securityContext", "exclude each other", "could never start"},
		"ParamType":          {"{params: {a: {type: int}}, " + ok + "}", "spec.params.a.type", "must be one of", "no such type"},
		"ParamNoType":        {"{params: {a: {default: x}}, " + ok + "}", "spec.params.a.type", "missing", "no guessing"},
		"ParamName":          {"{params: {a-b: {type: string}}, " + ok + "}", "spec.params.a-b", "not a valid parameter name", "params.a-b is a subtraction"},
		"ParamDefault":       {"{params: {a: {type: integer, default: x}}, " + ok + "}", "spec.params.a.default", "must be an integer", "wrong type"},
		"ParamRange":         {"{params: {a: {type: integer, default: 9, maximum: 5}}, " + ok + "}", "spec.params.a.default", "more than the maximum", "its own rule"},
		"ParamEnum":          {"{params: {a: {type: string, default: fst, enum: [fast, full]}}, " + ok + "}", "spec.params.a.default", `did you mean "fast"?`, "its own rule"},
		"ParamPattern":       {"{params: {a: {type: string, pattern: '('}}, " + ok + "}", "spec.params.a.pattern", "regular expression", "not RE2"},
		"ParamMinMax":        {"{params: {a: {type: number, minimum: 2, maximum: 1}}, " + ok + "}", "spec.params.a.minimum", "more than maximum", "nothing fits"},
		"ParamMinOfString":   {"{params: {a: {type: string, minimum: 2}}, " + ok + "}", "spec.params.a.minimum", "is for type", "would be ignored"},
		"ParamRequired":      {"{params: {a: {type: string, default: x, required: true}}, " + ok + "}", "spec.params.a.required", "exclude each other", "which one?"},
		"Expression":         {"{steps: [{run: 'echo ${{ params.x }}', image: a}]}", "spec.steps[0].run", "declares no params", "found when applied"},
		"ExpressionEnv":      {"{steps: [{run: x, image: 'a:${{ env.TAG }}'}]}", "spec.steps[0].image", "in the pod only", "an image is chosen before there is a pod"},
		"ExpressionOpen":     {"{steps: [{run: 'echo ${{ x', image: a}]}", "spec.steps[0].run", `write "$${{"`, "the way out is named"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := workflow.Parse("w.yaml", source(tc.spec))
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("err = %v, want invalid: %s", err, tc.reason)
			}
			got := places(err)
			if got[0].Field != tc.field || !strings.Contains(got[0].Message, tc.says) || got[0].Line != 4 {
				t.Errorf("%+v, want %q at %s in line 4: %s", got, tc.says, tc.field, tc.reason)
			}
			if len(got) != 1 && name != "MixedWithLater" {
				t.Errorf("%d faults for one mistake: %+v", len(got), got)
			}
		})
	}
}

func TestParse_Document(t *testing.T) {
	t.Parallel()
	const rest = "\nspec: {steps: [{run: x, image: a}]}\n"
	tests := map[string]struct {
		src, field, says string
		kind             fault.Kind
		reason           string
	}{
		"Empty":       {"", "", "is empty", fault.Invalid, "nothing"},
		"Comment":     {"# nothing\n", "", "is empty", fault.Invalid, "nothing"},
		"Syntax":      {"a: [\nb: c: d", "", "not valid YAML", fault.Invalid, "no YAML"},
		"Scalar":      {"hello", "", "must be a mapping", fault.Invalid, "no document"},
		"Binary":      {"\x00\x01\x02", "", "not valid YAML", fault.Invalid, "no text"},
		"Two":         {"apiVersion: seatrial.dev/v1\n---\nkind: TestWorkflow\n", "", "more than one document", fault.Invalid, "one at a time"},
		"APIVersion":  {"apiVersion: seatrial.dev/v2\nkind: TestWorkflow\nmetadata: {name: a}" + rest, "apiVersion", "must be one of", fault.Invalid, "another version"},
		"Kind":        {"apiVersion: seatrial.dev/v1\nkind: Job\nmetadata: {name: a}" + rest, "kind", "must be one of", fault.Invalid, "not ours"},
		"NoKind":      {"apiVersion: seatrial.dev/v1\nmetadata: {name: a}" + rest, "kind", "is missing", fault.Invalid, "what is it?"},
		"NoName":      {"apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {}" + rest, "metadata.name", "is missing", fault.Invalid, "no address"},
		"Name":        {"apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {name: A_b}" + rest, "metadata.name", "not a valid name", fault.Invalid, "no DNS label"},
		"LongName":    {"apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {name: " + strings.Repeat("a", 64) + "}" + rest, "metadata.name", "not a valid name", fault.Invalid, "no DNS label"},
		"Label":       {"apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {name: a, labels: {a: 'b c'}}" + rest, "metadata.labels.a", "label value", fault.Invalid, "could not be selected"},
		"TooLarge":    {"# " + strings.Repeat("x", workflow.MaxSource), "", "the limit is", fault.Invalid, "bounded"},
		"MergeKey":    {"apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {<<: {name: b}, name: a}" + rest, "metadata", "merging", fault.Invalid, "never half understood"},
		"AliasBomb":   {bomb(), "metadata.labels.k49994", "aliases of aliases", fault.Invalid, "bounded"},
		"AliasToSelf": {"a: &a {b: *a}", "a", "not a known field", fault.Invalid, "no endless walk"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := workflow.Parse("w.yaml", []byte(tc.src))
			got := places(err)[0]
			if !fault.Is(err, tc.kind) || got.Field != tc.field || !strings.Contains(got.Message, tc.says) {
				t.Errorf("%v at %+v, want %s %q at %q: %s", err, got, tc.kind, tc.says, tc.field, tc.reason)
			}
		})
	}
}

// bomb is a document that is mostly aliases.
func bomb() string {
	var b strings.Builder
	b.WriteString("apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata:\n name: &n a\n labels: {")
	for i := range 50_001 {
		fmt.Fprintf(&b, "k%d: *n,", i)
	}
	return b.String() + "}\nspec: {steps: [{run: x, image: a}]}\n"
}

// TestParse_Unsupported holds that what the system cannot execute is refused, row by row, and that the document is right but for it.
func TestParse_Unsupported(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile("testdata/language/everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = workflow.Parse("w.yaml", src)
	refused := map[string]bool{}
	var refusals []fault.Place
	if err != nil {
		refusals = places(err)
	}
	for _, p := range refusals {
		if !strings.HasSuffix(p.Message, " is not supported yet") || p.Line == 0 || p.Field == "" {
			t.Errorf("%+v is no refusal with its place", p)
		}
		refused[strings.TrimSuffix(p.Message, " is not supported yet")] = true
	}
	policy, err2 := os.ReadFile("testdata/language/policy.yaml") // which is no workflow, and is checked without being parsed as one
	if err2 != nil {
		t.Fatal(err2)
	}
	for _, p := range workflow.Check([]workflow.Source{{File: "policy.yaml", Text: policy}})[0].Warnings {
		refused[strings.TrimSuffix(p.Message, " is not supported yet")] = true
	}
	for _, row := range workflow.NotYet() {
		if !strings.HasPrefix(row, "kind=") && !refused[workflow.NameOf(row)] {
			t.Errorf("%s is not refused: no row may be dead", row)
		}
	}
	fields := slices.ContainsFunc(workflow.NotYet(), func(row string) bool { return !strings.HasPrefix(row, "kind=") })
	if fields && !fault.Is(err, fault.Unsupported) {
		t.Errorf("err = %v, want unsupported", err)
	}
	others, err := filepath.Glob("testdata/language/*.yaml")
	if err != nil || len(others) < 6 {
		t.Fatal(err, others)
	}
	for _, file := range others {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, err = workflow.Parse(file, src)
		if err != nil && !fault.Is(err, fault.Unsupported) && !strings.Contains(err.Error(), "not a TestWorkflow") {
			t.Errorf("%s: %v, %+v", file, err, places(err))
		}
	}
}

func TestParse_AllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	src := `apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata:
  name: Bad_Name
spec:
  timeout: soon
  steps:
    - name: a
      image: x
      run: |
        echo one
        echo ${{ params.nope }}
    - image: y
`
	_, err := workflow.Parse("w.yaml", []byte(src))
	want := []struct {
		field string
		line  int
	}{
		{"metadata.name", 4}, {"spec.timeout", 6}, {"spec.steps[0].run", 12}, {"spec.steps[1]", 13},
	}
	got := places(err)
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i, w := range want {
		if got[i].Field != w.field || got[i].Line != w.line {
			t.Errorf("fault %d at %s line %d, want %s line %d", i, got[i].Field, got[i].Line, w.field, w.line)
		}
	}
}

func TestParse_Digest(t *testing.T) {
	t.Parallel()
	digest := func(src string) string {
		doc, err := workflow.Parse("w.yaml", []byte(src))
		if err != nil {
			t.Fatalf("%v: %+v", err, places(err))
		}
		return doc.Digest
	}
	base := string(source("{params: {a: {type: string}, b: {type: integer, default: 1}}, timeout: 60s, steps: [{run: x, image: a}]}"))
	same := map[string]string{
		"Comment":  "# hello\n" + base,
		"Order":    "spec: {steps: [{image: a, run: x}], timeout: 60s, params: {b: {default: 1, type: integer}, a: {type: string}}}\nmetadata: {name: w}\nkind: TestWorkflow\napiVersion: seatrial.dev/v1\n",
		"Quotes":   strings.ReplaceAll(base, "run: x", `"run": "x"`),
		"Duration": strings.ReplaceAll(base, "60s", "1m"),
		"JSON":     `{"apiVersion":"seatrial.dev/v1","kind":"TestWorkflow","metadata":{"name":"w"},"spec":{"params":{"a":{"type":"string"},"b":{"type":"integer","default":1}},"timeout":"60s","steps":[{"run":"x","image":"a"}]}}`,
		"NoNull":   strings.ReplaceAll(base, "run: x", "run: x, env: null"),
		"Separate": "---\n" + base + "---\n",
		"StepName": strings.ReplaceAll(base, "run: x", "name: step-1, run: x"),
	}
	want := digest(base)
	for name, src := range same {
		if got := digest(src); got != want {
			t.Errorf("%s: writing it another way changed the digest", name)
		}
	}
	for name, src := range map[string]string{
		"Run":     strings.ReplaceAll(base, "run: x", "run: y"),
		"Default": strings.ReplaceAll(base, "default: 1", "default: 2"),
		"Timeout": strings.ReplaceAll(base, "60s", "61s"),
	} {
		if digest(src) == want {
			t.Errorf("%s: another document has the same digest", name)
		}
	}
}

func TestParse_TooLarge(t *testing.T) {
	t.Parallel()
	random := make([]byte, 0, 250_000)
	for source := rand.New(rand.NewPCG(1, 2)); len(random) < cap(random); {
		random = append(random, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[source.IntN(64)])
	}
	spec := fmt.Sprintf("{source: {files: [{path: a, content: %q}]}, steps: [{run: x, image: a}]}", random)
	_, err := workflow.Parse("w.yaml", source(spec))
	if !fault.Is(err, fault.Invalid) || !strings.Contains(places(err)[0].Message, "source.git") {
		t.Errorf("err = %v, want a hint to source.git", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"full", "small", "limits"} {
		src, err := os.ReadFile("testdata/compile/" + name + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("<<: *x\n? [a]\n: !!binary b"))
	f.Fuzz(func(t *testing.T, src []byte) {
		doc, err := workflow.Parse("w.yaml", src)
		if err != nil {
			var e *fault.Error
			if !errors.As(err, &e) || e.Kind == fault.Internal || len(e.Places) == 0 {
				t.Fatalf("%v does not say where", err)
			}
			return
		}
		input := map[string]string{}
		for _, p := range doc.Spec.Params {
			if p.MustBeGiven() && len(p.Enum) > 0 {
				input[p.Name] = workflow.Text(p.Enum[0])
			}
		}
		values, err := doc.Spec.Params.Resolve(input)
		if err != nil {
			return
		}
		if _, err := workflow.Compile(doc, workflow.Inputs{Params: values}); err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("compile: %v", err)
		}
	})
}
