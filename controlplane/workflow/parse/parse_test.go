package parse_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
	"github.com/seatrial/seatrial/controlplane/workflow/rule"
)

func source(spec string) []byte {
	return []byte("apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {name: w}\nspec: " + spec + "\n")
}

func TestRead_Faults(t *testing.T) {
	t.Parallel()
	const ok = "steps: [{run: x, image: a}]"
	step := func(fields string) string { return "{container: {image: a}, steps: [{run: x, " + fields + "}]}" }
	tests := map[string]struct{ spec, field, says, reason string }{
		"TriggerNone":      {"{triggers: [{}], " + ok + "}", "spec.triggers[0]", "exactly one", "on what?"},
		"TriggerTwo":       {"{triggers: [{schedule: {cron: '@daily'}, workflow: {name: a}}], " + ok + "}", "spec.triggers[0]", "schedule and workflow exclude", "one entry, one trigger"},
		"CronFields":       {"{triggers: [{schedule: {cron: '0 2 * *'}}], " + ok + "}", "spec.triggers[0].schedule.cron", "has 4 fields", "never guessed"},
		"CronRange":        {"{triggers: [{schedule: {cron: '0 24 * * *'}}], " + ok + "}", "spec.triggers[0].schedule.cron", "is not a hour", "out of range"},
		"Timezone":         {"{triggers: [{schedule: {cron: '@daily', timezone: Mars}}], " + ok + "}", "spec.triggers[0].schedule.timezone", "time zone", "no such place"},
		"Jitter":           {"{triggers: [{schedule: {cron: '@daily', jitter: 25h}}], " + ok + "}", "spec.triggers[0].schedule.jitter", "from 0s to 24h", "bounded"},
		"KubernetesEvent":  {"{triggers: [{kubernetes: {resource: deployments, event: rolledout}}], " + ok + "}", "spec.triggers[0].kubernetes.event", "rolled-out", "named"},
		"KubernetesBare":   {"{triggers: [{kubernetes: {resource: certificates, event: created}}], " + ok + "}", "spec.triggers[0].kubernetes.resource", "plural and group", "a group that nobody can guess"},
		"KubernetesSecret": {"{triggers: [{kubernetes: {resource: secrets, event: updated}}], " + ok + "}", "spec.triggers[0].kubernetes.resource", "never reads", "no secret is looked at"},
		"KubernetesRolled": {"{triggers: [{kubernetes: {resource: pods, event: rolled-out}}], " + ok + "}", "spec.triggers[0].kubernetes.event", "deployments, statefulsets and daemonsets", "what never rolls out"},
		"KubernetesNodes":  {"{triggers: [{kubernetes: {resource: nodes, event: updated}}], " + ok + "}", "spec.triggers[0].kubernetes.event", "all the time", "every heartbeat would be an update"},
		"KubernetesWhich":  {"{triggers: [{kubernetes: {resource: pods, event: condition}}], " + ok + "}", "spec.triggers[0].kubernetes.condition", "is missing", "which condition?"},
		"KubernetesOther":  {"{triggers: [{kubernetes: {resource: pods, event: created, condition: {type: Ready}}}], " + ok + "}", "spec.triggers[0].kubernetes.condition", "means nothing", "it would be ignored"},
		"KubernetesPlace":  {"{triggers: [{kubernetes: {resource: pods, event: created, cluster: a, environment: b}}], " + ok + "}", "spec.triggers[0].kubernetes.environment", "exclude each other", "one place"},
		"KubernetesProbe":  {"{triggers: [{kubernetes: {resource: pods, event: created, probes: [{timeout: 5s}]}}], " + ok + "}", "spec.triggers[0].kubernetes.probes[0]", "exactly one", "a probe of what?"},
		"KubernetesGone":   {"{triggers: [{kubernetes: {resource: pods, event: deleted, probes: [{condition: {type: Ready}}]}}], " + ok + "}", "spec.triggers[0].kubernetes.probes", "was deleted", "there is nothing to look at"},
		"GitRepository":    {"{triggers: [{git: {repository: shop}}], " + ok + "}", "spec.triggers[0].git.repository", "acme/shop", "owner and name"},
		"EnvironmentsBoth": {"{environments: {select: {a: b}, names: [c]}, " + ok + "}", "spec.environments", "exclude", "which?"},
		"EnvironmentsMode": {"{environments: {names: [c], mode: all}, " + ok + "}", "spec.environments.mode", "each, any", "no such mode"},
		"Concurrency":      {"{concurrency: {limit: 1}, " + ok + "}", "spec.concurrency.group", "missing", "which group?"},
		"OnConflict":       {"{concurrency: {group: a, onConflict: wait}, " + ok + "}", "spec.concurrency.onConflict", "queue, cancel, skip", "no such word"},
		"Priority":         {"{priority: 101, " + ok + "}", "spec.priority", "from 0 to 100", "bounded"},
		"Retry":            {"{retry: {infrastructure: -1}, " + ok + "}", "spec.retry.infrastructure", "from 0 to 10", "bounded"},
		"HTTPDigest":       {"{source: {http: {url: 'https://a/b', sha256: abc}}, " + ok + "}", "spec.source.http.sha256", "SHA-256", "checked before it is unpacked"},
		"HTTPURL":          {"{source: {http: {url: 'file:///x', sha256: '" + strings.Repeat("a", 64) + "'}}, " + ok + "}", "spec.source.http.url", "not an address", "not the pod's files"},
		"VolumeKind":       {"{pod: {volumes: [{name: a, mountPath: /a}]}, " + ok + "}", "spec.pod.volumes[0]", "exactly one", "which storage?"},
		"VolumePath":       {"{pod: {volumes: [{name: a, mountPath: /seatrial/x, emptyDir: {}}]}, " + ok + "}", "spec.pod.volumes[0].mountPath", "taken", "the runner is there"},
		"VolumeTwice":      {"{pod: {volumes: [{name: a, mountPath: /a, emptyDir: {}}, {name: b, mountPath: /a, emptyDir: {}}]}, " + ok + "}", "spec.pod.volumes[1].mountPath", "already", "one hides the other"},
		"ServiceImage":     {"{services: {db: {}}, " + ok + "}", "spec.services.db.image", "missing", "nothing to run"},
		"ServiceName":      {"{services: {D_B: {image: a}}, " + ok + "}", "spec.services.D_B", "not a valid name", "a container"},
		"ServiceReadyExec": {"{services: {db: {image: a, ready: {exec: []}}}, " + ok + "}", "spec.services.db.ready.exec", "is empty", "the API server would refuse the Job"},
		"ServiceReady":     {"{services: {db: {image: a, ready: {timeout: 5s}}}, " + ok + "}", "spec.services.db.ready", "exactly one", "how to tell?"},
		"ServiceEnvInPod":  {"{services: {db: {image: a, env: [{name: A, value: '${{ env.B }}'}]}}, " + ok + "}", "spec.services.db.env[0].value", "in the pod only", "the kubelet sets it"},
		"MatrixEmpty":      {"{matrix: {a: []}, " + ok + "}", "spec.matrix.a", "empty", "no runs"},
		"MatrixName":       {"{matrix: {a-b: [c]}, " + ok + "}", "spec.matrix.a-b", "not a valid parameter name", "matrix.a-b is a subtraction"},
		"MatrixTwice":      {"{matrix: {a: [b, b]}, " + ok + "}", "spec.matrix.a[1]", "listed twice", "two equal runs"},
		"ExcludeUnknown":   {"{matrix: {a: [b], exclude: [{x: b}]}, " + ok + "}", "spec.matrix.exclude[0].x", "has no x", "a typo excludes nothing"},
		"ExcludeNothing":   {"{matrix: {a: [b], exclude: [{a: c}]}, " + ok + "}", "spec.matrix.exclude[0].a", "not a value of a", "a typo excludes nothing"},
		"IncludePart":      {"{matrix: {a: [b], c: [d], include: [{a: x}]}, " + ok + "}", "spec.matrix.include[0]", "has no c", "every run has all values"},
		"MatrixNotList":    {"{matrix: {a: '${{ 1 }}'}, " + ok + "}", "spec.matrix.a", "not a list", "typed when applied"},
		"MatrixOfRun":      {"{matrix: {a: '${{ fromJSON(environment.name) }}'}, " + ok + "}", "spec.matrix.a", "not known yet", "the matrix makes the runs"},
		"MatrixType":       {"{matrix: {a: [1, 2]}, container: {image: a}, steps: [{run: 'echo ${{ matrix.a + \"x\" }}'}]}", "spec.steps[0].run", "no matching overload", "typed when applied"},
		"MatrixNoSuch":     {"{matrix: {a: [1, 2]}, container: {image: a}, steps: [{run: 'echo ${{ matrix.b }}'}]}", "spec.steps[0].run", "no matrix.b", "found when applied"},
		"ShardsNone":       {step("run2: y"), "spec.steps[0].run2", "not a known field", "a typo"},
		"ShardNone":        {"{container: {image: a}, steps: [{run: 'echo ${{ shard.index }}'}]}", "spec.steps[0].run", "declares none", "found when applied"},
		"ShardsCount":      {"{shards: {count: 0}, " + ok + "}", "spec.shards.count", "from 1 to 100", "no runs"},
		"ShardsCountType":  {"{shards: {count: '${{ \"a\" }}'}, " + ok + "}", "spec.shards.count", "not a whole number", "typed when applied"},
		"Use":              {"{use: [{with: {a: b}}], " + ok + "}", "spec.use[0].template", "missing", "which?"},
		"UseWith":          {"{use: [{template: t, with: {a: [b]}}], " + ok + "}", "spec.use[0].with.a", "a string, a number or a boolean", "scalars only"},
		"IfType":           {step("if: \"${{ 'a' }}\""), "spec.steps[0].if", "not true or false", "typed when applied"},
		"IfText":           {step("if: 'x ${{ true }}'"), "spec.steps[0].if", "one expression", "text around it is always true elsewhere"},
		"IfStep":           {step("if: steps.nope.status == 'failed'"), "spec.steps[0].if", "no step ends before", "found when applied"},
		"IfStatusInRun":    {"{container: {image: a}, steps: [{run: 'echo ${{ failed() }}'}]}", "spec.steps[0].run", "in if only", "a script runs only when it runs"},
		"StepOrder":        {"{container: {image: a}, steps: [{name: a, run: 'echo ${{ steps.b.status }}'}, {name: b, run: x}]}", "spec.steps[0].run", "no step ends before", "the future"},
		"StepOutput":       {"{container: {image: a}, steps: [{name: a, run: x, outputs: [v]}, {name: b, run: 'echo ${{ steps.a.outputs.w }}'}]}", "spec.steps[1].run", "declares no output w; it declares v", "found when applied"},
		"StepRetry":        {step("retry: {delay: 1s}"), "spec.steps[0].retry.attempts", "missing", "how often?"},
		"Backoff":          {step("retry: {attempts: 2, backoff: 0.5}"), "spec.steps[0].retry.backoff", "from 1 to 10", "shrinking pauses help nobody"},
		"Expect":           {step("expect: fail"), "spec.steps[0].expect", "success, failure, any", "no such word"},
		"ExpectCodes":      {step("expect: {exitCodes: []}"), "spec.steps[0].expect", "needs exitCodes", "nothing could pass"},
		"ExpectCode":       {step("expect: {exitCodes: [256]}"), "spec.steps[0].expect.exitCodes[0]", "from 0 to 255", "no process ends so"},
		"Output":           {step("outputs: [a-b]"), "spec.steps[0].outputs[0]", "not a valid name of an output", "a key"},
		"When":             {step("artifacts: {paths: [a], when: never}"), "spec.steps[0].artifacts.when", "always, passed, failed", "no such word"},
		"PauseAndRun":      {step("pause: {}"), "spec.steps[0]", "run and pause exclude", "one of them"},
		"PauseImage":       {"{steps: [{pause: {}, image: a}]}", "spec.steps[0].image", "means nothing", "never ignored"},
		"ExecuteNothing":   {"{steps: [{execute: {workflows: []}}]}", "spec.steps[0].execute.workflows", "is empty", "nothing to execute"},
		"ExecuteBoth":      {"{steps: [{execute: {workflows: [{name: a, selector: {b: c}}]}}]}", "spec.steps[0].execute.workflows[0]", "exclude", "which?"},
		"GroupEmpty":       {"{steps: [{parallel: []}]}", "spec.steps[0].parallel", "is empty", "nothing to run"},
		"GroupNested":      {"{steps: [{parallel: [{parallel: [{run: x, image: a}]}]}]}", "spec.steps[0].parallel[0]", "run or command", "one level"},
		"GroupImage":       {"{steps: [{parallel: [{run: x}]}]}", "spec.steps[0].parallel[0]", "no image", "as any step"},
		"GroupName":        {"{container: {image: a}, steps: [{name: a, run: x}, {parallel: [{name: a, run: x}]}]}", "spec.steps[1].parallel[0]", "steps[0] already", "names are addresses"},
		"TeardownPause":    {"{" + ok + ", teardown: [{pause: {}}]}", "spec.teardown[0]", "nobody waits", "it would never end"},
		"TeardownName":     {"{container: {image: a}, steps: [{name: a, run: x}], teardown: [{name: a, run: x}]}", "spec.teardown[0]", "steps[0] already", "names are addresses"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := parse.Read(source(tc.spec)).Faults
			if len(got) != 1 {
				t.Fatalf("%d faults for one mistake: %+v: %s", len(got), got, tc.reason)
			}
			if got[0].Field != tc.field || !strings.Contains(got[0].Message, tc.says) || got[0].Line != 4 || got[0].Column == 0 {
				t.Errorf("%+v, want %q at %s in line 4: %s", got[0], tc.says, tc.field, tc.reason)
			}
		})
	}
}

func TestRead_Kinds_Faults(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ kind, spec, field, says, reason string }{
		"ScheduleNoCron":   {"Schedule", "{workflows: [{name: a}]}", "spec.cron", "missing", "when?"},
		"ScheduleNothing":  {"Schedule", "{cron: '@daily'}", "spec.workflows", "missing", "what?"},
		"ScheduleExpr":     {"Schedule", "{cron: '@daily', workflows: [{name: a}], params: {a: '${{ params.b }}'}}", "spec.params.a", "there is no params", "it has none"},
		"TriggerTwo":       {"Trigger", "{git: {repository: a/b}, workflow: {name: c}, workflows: [{name: a}]}", "spec", "exclude", "one event"},
		"EnvironmentWhere": {"Environment", "{cluster: a}", "spec.namespace", "missing", "where?"},
		"PolicyWaivable":   {"ReadinessPolicy", "{appliesTo: {applications: [a]}, require: [{suites: [a], environments: [b]}], rules: [{id: a, kind: missing, waivable: true, expr: 'true'}]}", "spec.rules[0].waivable", "cannot be waived", "nobody waives evidence that does not exist"},
		"PolicyNothing":    {"ReadinessPolicy", "{appliesTo: {applications: [a]}}", "spec.require", "missing", "what is required?"},
		"PolicyEmpty":      {"ReadinessPolicy", "{appliesTo: {applications: [a]}, require: []}", "spec.require", "is empty", "what is required?"},
		"PolicyWhom":       {"ReadinessPolicy", "{appliesTo: {}, require: [{suites: [a], environments: [b]}]}", "spec.appliesTo.applications", "missing", "of which releases?"},
		"PolicyGlob":       {"ReadinessPolicy", "{appliesTo: {applications: ['shop/[']}, require: [{suites: [a], environments: [b]}]}", "spec.appliesTo.applications[0]", "not a pattern of names", "it would match nothing"},
		"PolicySuitesBoth": {"ReadinessPolicy", "{appliesTo: {applications: [a]}, require: [{suites: [a], selector: 'b == \"c\"', environments: [b]}]}", "spec.require[0]", "suites and selector exclude", "which?"},
		"PolicySuitesNone": {"ReadinessPolicy", "{appliesTo: {applications: [a]}, require: [{environments: [b]}]}", "spec.require[0]", "exactly one of suites and selector", "which?"},
		"PolicyNoSuite":    {"ReadinessPolicy", "{appliesTo: {applications: [a]}, require: [{suites: [], environments: [b]}]}", "spec.require[0].suites", "would require nothing", "a suite was forgotten"},
		"PolicyBlankSuite": {"ReadinessPolicy", "{appliesTo: {applications: [a]}, require: [{suites: [''], environments: [b]}]}", "spec.require[0].suites[0]", "is empty", "it would be what has no such label"},
		"PolicyWhere":      {"ReadinessPolicy", "{appliesTo: {applications: [a]}, require: [{suites: [a]}]}", "spec.require[0].environments", "missing", "where?"},
		"PolicyPlace":      {"ReadinessPolicy", "{appliesTo: {applications: [a]}, require: [{suites: [a], environments: ['a b']}]}", "spec.require[0].environments[0]", "not a pattern of names", "no environment has it"},
		"PolicyRuleKind":   {"ReadinessPolicy", "{appliesTo: {applications: [a]}, require: [{suites: [a], environments: [b]}], rules: [{id: a, kind: negativ, expr: 'true'}]}", "spec.rules[0].kind", `did you mean "negative"?`, "a typo"},
		"PolicyRuleTwice":  {"ReadinessPolicy", "{appliesTo: {applications: [a]}, require: [{suites: [a], environments: [b]}], rules: [{id: a, kind: negative, expr: 'true'}, {id: b, kind: missing, expr: 'true'}, {id: a, kind: missing, expr: 'true'}]}", "spec.rules[2].id", "that of rules[0] already", "waivers name it"},
		"PolicyRuleField":  {"ReadinessPolicy", "{appliesTo: {applications: [a]}, require: [{suites: [a], environments: [b]}], rules: [{id: a, kind: negative, expr: 'true', wavable: true}]}", "spec.rules[0].wavable", `did you mean "waivable"?`, "a typo"},
		"PolicyRuleExpr":   {"ReadinessPolicy", "{appliesTo: {applications: [a]}, require: [{suites: [a], environments: [b]}], rules: [{id: a, kind: negative}]}", "spec.rules[0].expr", "missing", "what has to hold?"},
		"PolicyMaxAge":     {"ReadinessPolicy", "{appliesTo: {applications: [a]}, require: [{suites: [a], environments: [b]}], waivers: {approvers: a, maxAge: 3 days}}", "spec.waivers.maxAge", "must be a duration", "no duration"},
		"PolicyBindTo":     {"ReadinessPolicy", "{appliesTo: {applications: [a]}, require: [{suites: [a], environments: [b]}], waivers: {approvers: a, bindTo: name}}", "spec.waivers.bindTo", "fingerprint, test", "no such word"},
		"PolicyApprovers":  {"ReadinessPolicy", "{appliesTo: {applications: [a]}, require: [{suites: [a], environments: [b]}], waivers: {maxAge: 1h}}", "spec.waivers.approvers", "missing", "who?"},
		"PolicyApps":       {"ReadinessPolicy", "{appliesTo: {applications: [a], apps: [a]}, require: [{suites: [a], environments: [b]}]}", "spec.appliesTo.apps", "not a known field", "no field can be misspelt"},
		"WebhookEvent":     {"Webhook", "{url: 'https://a/b', events: [fail]}", "spec.events[0]", "one of", "no such event"},
		"WebhookSecret":    {"Webhook", "{format: slack, url: 'https://hooks.slack.test/T/B/X'}", "spec.url", "is a secret", "the repository would have it"},
		"WebhookPassword":  {"Webhook", "{url: 'https://ann:pw@ci.test/hook'}", "spec.url", "must not hold a name", "the repository would have it"},
		"WebhookNoURL":     {"Webhook", "{url: 'ci.test/hook'}", "spec.url", "https://ci.example.test/hook", "by which protocol?"},
		"WebhookMail":      {"Webhook", "{url: 'mailto:qa@example.test'}", "spec.url", "format email", "nobody reads signed JSON"},
		"WebhookNoMail":    {"Webhook", "{format: email, url: 'https://ci.test'}", "spec.url", "format email", "that is no mailbox"},
		"WebhookMailbox":   {"Webhook", "{format: email, url: 'mailto:qa'}", "spec.url", "mailto:qa@example.test", "of which domain?"},
		"WebhookGlob":      {"Webhook", "{workflows: ['a b']}", "spec.workflows[0]", "not a pattern of names", "no workflow has it"},
		"NoSuchKind":       {"Schedul", "{}", "kind", `did you mean "Schedule"?`, "a typo"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := parse.Read([]byte(strings.Replace(string(source(tc.spec)), "TestWorkflow", tc.kind, 1))).Faults
			if len(got) != 1 || got[0].Field != tc.field || !strings.Contains(got[0].Message, tc.says) {
				t.Errorf("%+v, want %q at %s: %s", got, tc.says, tc.field, tc.reason)
			}
		})
	}
}

// TestRead_RoundTrip holds that the canonical JSON of a document, and its YAML, are documents with the same meaning.
func TestRead_RoundTrip(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../testdata/*/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatal(err, files)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			read := parse.Read(src)
			if len(read.Faults) > 0 {
				t.Fatalf("%+v", read.Faults)
			}
			asJSON, err := json.Marshal(read.Value)
			if err != nil {
				t.Fatal(err)
			}
			asYAML, err := document.YAML(read.Value)
			if err != nil {
				t.Fatal(err)
			}
			for form, text := range map[string][]byte{"JSON": asJSON, "YAML": asYAML} {
				again := parse.Read(text)
				if len(again.Faults) > 0 {
					t.Fatalf("%s: %+v\n%s", form, again.Faults, text)
				}
				if got, err := json.Marshal(again.Value); err != nil || string(got) != string(asJSON) {
					t.Errorf("%s: %v\n%s\n%s", form, err, asJSON, got)
				}
			}
		})
	}
}

// TestRead_Partial holds that what a template may bring is not a fault before it is there.
func TestRead_Partial(t *testing.T) {
	t.Parallel()
	read := parse.Read(source("{use: [{template: t}], steps: [{run: 'echo ${{ matrix.browser }} ${{ steps.prepare.outputs.v }}'}]}"))
	if len(read.Faults) > 0 {
		t.Errorf("%+v", read.Faults)
	}
	read = parse.Read(source("{use: [{template: t}], steps: [{run: 'echo ${{ parms.browser }}'}]}"))
	if len(read.Faults) != 1 {
		t.Errorf("%+v: no template brings such a name", read.Faults)
	}
}

func TestTags(t *testing.T) {
	t.Parallel()
	seen := map[reflect.Type]bool{}
	var visit func(t reflect.Type) []document.Field
	visit = func(t reflect.Type) []document.Field {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || seen[t] {
			return nil
		}
		seen[t] = true
		all := document.Fields(t)
		for _, f := range all {
			all = append(all, visit(f.Type)...)
		}
		return all
	}
	for _, kind := range parse.Kinds() {
		for _, f := range visit(parse.TypeOf(kind)) {
			for _, name := range []string{f.Options.Rule, f.Options.Keys} {
				if name != "" && !rule.Has(name) {
					t.Errorf("%s names a rule %q that is not there: nothing would be checked", f.Go, name)
				}
			}
		}
	}
	if len(seen) < 30 {
		t.Errorf("only %d types were looked at", len(seen))
	}
}
