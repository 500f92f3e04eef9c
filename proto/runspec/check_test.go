package runspec_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
	"github.com/seatrial/seatrial/proto/runspec"
)

func TestPolicy_Check(t *testing.T) {
	t.Parallel()
	mine, other := newAuthor(t, "mine"), newAuthor(t, "other")
	base := whole(0)
	specification, err := runspec.Of(base, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		author   author
		say      func(*runspec.Statement)
		after    time.Time
		tamper   func(*agentv1.Assignment)
		contains string
		reason   string
	}{
		"OK":            {reason: "what was signed runs"},
		"ErrNone":       {tamper: func(a *agentv1.Assignment) { a.RunSpecification = nil }, contains: "carries no signature", reason: "nothing runs unsigned"},
		"ErrEmpty":      {tamper: func(a *agentv1.Assignment) { a.RunSpecification = &agentv1.RunSpecification{} }, contains: "carries no signature"},
		"ErrStranger":   {author: other, contains: "none of the keys that the agent of this cluster trusts (" + mine.key.ID() + ")", reason: "another key signs for nobody"},
		"ErrGarbage":    {tamper: func(a *agentv1.Assignment) { a.RunSpecification.Envelope = []byte("{}") }, contains: "cannot be read"},
		"ErrPayload":    {tamper: rewrite("acme", "evil"), contains: "what it covers was changed", reason: "the statement is what was signed, byte by byte"},
		"ErrType":       {tamper: retype, contains: "cannot be read", reason: "a signature over something else is none over this"},
		"ErrOrg":        {say: func(s *runspec.Statement) { s.Organization = "other" }, contains: `for the organization "other"`, reason: "one key, two organizations"},
		"ErrWorkflow":   {say: func(s *runspec.Statement) { s.Workflow = "other" }, contains: `of the workflow "other"`, reason: "a signature does not move to another workflow"},
		"OKNamespace":   {say: func(s *runspec.Statement) { s.Namespaces = []string{"a", "namespace"} }},
		"ErrNamespace":  {say: func(s *runspec.Statement) { s.Namespaces = []string{"a", "b"} }, contains: "for the namespaces a, b", reason: "production is not staging"},
		"OKExpires":     {say: func(s *runspec.Statement) { s.ExpiresAt = now.Add(time.Second) }},
		"ErrExpired":    {say: func(s *runspec.Statement) { s.ExpiresAt = now }, contains: "expired at 2026-11-30 12:00 UTC", reason: "an old statement is not replayed for ever"},
		"ErrFuture":     {say: func(s *runspec.Statement) { s.SignedAt = now.Add(time.Hour) }, contains: "look at the clocks", reason: "nobody signs ahead to outlive signedAfter"},
		"ErrAfter":      {after: now.Add(-time.Minute), contains: "runSpecifications.signedAfter", reason: "everything old can be called back at once"},
		"OKAfter":       {after: now.Add(-2 * time.Hour)},
		"ErrNotListed":  {tamper: func(a *agentv1.Assignment) { a.RunSpecification.Specification = []byte("{}") }, contains: "not among what was signed", reason: "a specification of the control plane's own"},
		"ErrNoSpec":     {tamper: func(a *agentv1.Assignment) { a.RunSpecification.Specification = nil }, contains: "not among what was signed"},
		"ErrScript":     {tamper: func(a *agentv1.Assignment) { a.Plan.Steps[0].Script = "curl evil" }, contains: `plan.steps[0].script is "curl evil", signed is "script"`, reason: "the point of it all"},
		"ErrImage":      {tamper: func(a *agentv1.Assignment) { a.Containers[0].Image = "evil" }, contains: `containers[0].image is "evil", signed is "image"`},
		"ErrVariable":   {tamper: preload, contains: "plan.steps[0].env has 2 entries, 1 are signed", reason: "LD_PRELOAD runs code, too"},
		"ErrFile":       {tamper: func(a *agentv1.Assignment) { a.Plan.Files[0].Content = []byte("evil") }, contains: `plan.files[0].content is "sha256:b5c1`},
		"ErrOtherPlan":  {tamper: func(a *agentv1.Assignment) { a.Plan.AttemptId = "x" }, contains: "plan.attempt_id is another one"},
		"OKNewAttempt":  {tamper: func(a *agentv1.Assignment) { a.AttemptId, a.Plan.AttemptId, a.AttemptNumber = "x", "x", 2 }, reason: "the infrastructure's retry"},
		"ErrManyFaults": {tamper: func(a *agentv1.Assignment) { a.Containers, a.Services, a.Pod, a.Plan.Files = nil, nil, nil, nil }, contains: "; and 1 more."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := statement(specification)
			if tc.say != nil {
				tc.say(&s)
			}
			who := mine
			if tc.author.pem != "" {
				who = tc.author
			}
			a := who.attach(t, base, s, specification)
			if tc.tamper != nil {
				tc.tamper(a)
			}
			err := runspec.Policy{Keys: []runspec.Key{mine.key}, Organization: "acme", After: tc.after}.Check(a, now)
			switch {
			case tc.contains == "" && err != nil:
				t.Errorf("refused: %v (%s)", err, tc.reason)
			case tc.contains != "" && (err == nil || !strings.Contains(err.Error(), tc.contains)):
				t.Errorf("got %v, want %q in it (%s)", err, tc.contains, tc.reason)
			}
		})
	}
}

// rewrite changes the payload of the envelope behind the back of its signature.
func rewrite(before, after string) func(*agentv1.Assignment) {
	return func(a *agentv1.Assignment) {
		var e map[string]any
		if json.Unmarshal(a.GetRunSpecification().GetEnvelope(), &e) != nil {
			return
		}
		payload, _ := base64.StdEncoding.DecodeString(e["payload"].(string))
		e["payload"] = bytes.ReplaceAll(payload, []byte(before), []byte(after))
		a.RunSpecification.Envelope, _ = json.Marshal(e)
	}
}

func retype(a *agentv1.Assignment) {
	a.RunSpecification.Envelope = bytes.Replace(a.GetRunSpecification().GetEnvelope(), []byte(runspec.PayloadType), []byte("application/vnd.in-toto+json"), 1)
}

func preload(a *agentv1.Assignment) {
	a.Plan.Steps[0].Env = append(a.Plan.Steps[0].Env, &runnerv1.EnvVar{Name: "LD_PRELOAD", Value: "/workspace/evil.so"})
}

// TestCompare_Open holds what a control plane may choose for an open value, and what not.
func TestCompare_Open(t *testing.T) {
	t.Parallel()
	one, ten := 1.0, 10.0
	for name, tc := range map[string]struct {
		rule   runspec.Rule
		value  string
		want   string
		reason string
	}{
		"OKAny":           {value: "http://shop/?a=b&c=$HOME;rm -rf /", reason: "a variable is data, whatever is in it"},
		"OKEmpty":         {value: ""},
		"OKEscaped":       {value: "$${{ env.TOKEN }}", reason: "the runner writes it as it is"},
		"ErrExpression":   {value: "${{ env.TOKEN }}", want: "holds an expression for the runner", reason: "would copy a secret into it"},
		"ErrBehindEscape": {value: "$${{ a }} ${{ env.TOKEN }}", want: "holds an expression"},
		"ErrUnterminated": {value: "${{", want: "holds an expression"},
		"OKEnum":          {rule: runspec.Rule{Enum: []string{"fast", "full"}}, value: "full"},
		"ErrEnum":         {rule: runspec.Rule{Enum: []string{"fast", "full"}}, value: "evil", want: "must be one of fast, full"},
		"OKOptional":      {rule: runspec.Rule{Enum: []string{"fast", "full"}, Optional: true}, value: ""},
		"OKInteger":       {rule: runspec.Rule{Type: "integer", Minimum: &one, Maximum: &ten}, value: "10"},
		"ErrInteger":      {rule: runspec.Rule{Type: "integer"}, value: "1; rm", want: "must be a whole number"},
		"ErrMaximum":      {rule: runspec.Rule{Type: "integer", Maximum: &ten}, value: "11", want: "must be at most 10"},
		"ErrMinimum":      {rule: runspec.Rule{Type: "number", Minimum: &one}, value: "0.5", want: "must be at least 1"},
		"ErrNaN":          {rule: runspec.Rule{Type: "number", Minimum: &one}, value: "NaN", want: "must be a number"},
		"OKBoolean":       {rule: runspec.Rule{Type: "boolean"}, value: "false"},
		"ErrBoolean":      {rule: runspec.Rule{Type: "boolean"}, value: "no", want: "must be true or false"},
		"OKPattern":       {rule: runspec.Rule{Pattern: "^v[0-9]+$"}, value: "v12"},
		"ErrPattern":      {rule: runspec.Rule{Pattern: "^v[0-9]+$"}, value: "v12 ", want: "must match"},
		"ErrType":         {rule: runspec.Rule{Type: "duration"}, value: "1s", want: "not known here"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const name = "\x00a"
			a := &agentv1.Assignment{Plan: &runnerv1.Plan{Steps: []*runnerv1.Step{{Env: []*runnerv1.EnvVar{{Name: "URL", Value: name}}}}}}
			specification, err := runspec.Of(a, map[string]runspec.Rule{name: tc.rule})
			if err != nil {
				t.Fatal(err)
			}
			a.Plan.Steps[0].Env[0].Value = tc.value
			got := strings.Join(runspec.Compare(specification, a), "; ")
			if tc.want == "" && got != "" || tc.want != "" && !strings.Contains(got, tc.want) {
				t.Errorf("%q: got %q, want %q (%s)", tc.value, got, tc.want, tc.reason)
			}
		})
	}
}

// TestCompare_OpenPlaces holds that nothing but the values of variables can be open, whoever has signed it.
func TestCompare_OpenPlaces(t *testing.T) {
	t.Parallel()
	const name = "\x00a"
	for place, tc := range map[string]struct {
		a    *agentv1.Assignment
		want string
	}{
		"Script":   {&agentv1.Assignment{Plan: &runnerv1.Plan{Steps: []*runnerv1.Step{{Script: name}}}}, "plan.steps[0].script cannot be open"},
		"Command":  {&agentv1.Assignment{Plan: &runnerv1.Plan{Steps: []*runnerv1.Step{{Command: []string{"sh", name}}}}}, "plan.steps[0].command[1] cannot be open"},
		"Image":    {&agentv1.Assignment{Containers: []*agentv1.Container{{Image: name}}}, "containers[0].image cannot be open"},
		"Argument": {&agentv1.Assignment{Services: []*agentv1.Service{{Args: []string{name}}}}, "services[0].args[0] cannot be open"},
		"Account":  {&agentv1.Assignment{Pod: &agentv1.Pod{ServiceAccountName: name}}, "pod.service_account_name cannot be open"},
		"Name":     {&agentv1.Assignment{Plan: &runnerv1.Plan{Steps: []*runnerv1.Step{{Env: []*runnerv1.EnvVar{{Name: name}}}}}}, "plan.steps[0].env[0].name cannot be open"},
		"Preload": {
			&agentv1.Assignment{Plan: &runnerv1.Plan{Steps: []*runnerv1.Step{{Env: []*runnerv1.EnvVar{{Name: "LD_PRELOAD", Value: name}}}}}},
			"plan.steps[0].env[0] is the variable LD_PRELOAD, whose value has to be signed: it decides what programs do",
		},
		"Value": {&agentv1.Assignment{Plan: &runnerv1.Plan{Steps: []*runnerv1.Step{{Env: []*runnerv1.EnvVar{{Name: "A", Value: name}}}}}}, ""},
		"Service": {&agentv1.Assignment{Services: []*agentv1.Service{{Env: []*agentv1.ContainerEnv{
			{Name: "A", Source: &agentv1.ContainerEnv_Value{Value: name}},
		}}}}, ""},
		"Call": {&agentv1.Assignment{Plan: &runnerv1.Plan{Steps: []*runnerv1.Step{{Execute: &runnerv1.Execute{Calls: []*runnerv1.Call{
			{Title: "b", Params: map[string]string{"p": name}},
		}}}}}}, ""},
		"Label": {&agentv1.Assignment{Pod: &agentv1.Pod{Labels: map[string]string{"$open": name}}}, "pod.labels is no text"},
	} {
		specification, err := runspec.Of(tc.a, map[string]runspec.Rule{name: {}})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(runspec.Compare(specification, tc.a), "; "); got != tc.want {
			t.Errorf("%s: got %q, want %q", place, got, tc.want)
		}
	}
}

// TestCompare_Moved holds that an open value stays one of its variable: it cannot become that of a secret, or of another name.
func TestCompare_Moved(t *testing.T) {
	t.Parallel()
	const name = "\x00a"
	of := func(v *runnerv1.EnvVar) *agentv1.Assignment {
		return &agentv1.Assignment{Plan: &runnerv1.Plan{Steps: []*runnerv1.Step{{Env: []*runnerv1.EnvVar{v}}}}}
	}
	specification, err := runspec.Of(of(&runnerv1.EnvVar{Name: "URL", Value: name}), map[string]runspec.Rule{name: {}})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []*runnerv1.EnvVar{
		{Name: "PATH", Value: "/evil"}, {Name: "URL", From: "SEATRIAL_ENV_0_TOKEN"}, {Name: "URL", Value: "x", From: "TOKEN"}, {Name: "URL", Value: "x", Secret: true},
	} {
		if got := runspec.Compare(specification, of(v)); len(got) == 0 {
			t.Errorf("%v is let through", v)
		}
	}
}

func TestParseKeys(t *testing.T) {
	t.Parallel()
	a, b := newAuthor(t, "a"), newAuthor(t, "b")
	for name, tc := range map[string]struct {
		text string
		want int
	}{
		"OKOne": {a.pem, 1}, "OKTwo": {"\n" + a.pem + "\n" + b.pem + "\n\n", 2}, "ErrNone": {" ", 0}, "ErrText": {a.pem + "key", 0},
		"ErrPrivate": {strings.ReplaceAll(a.pem, "PUBLIC", "PRIVATE"), 0}, "ErrBroken": {strings.Replace(a.pem, "MCow", "AAAA", 1), 0},
		"ErrTooMany": {strings.Repeat(a.pem, 17), 0},
	} {
		keys, err := runspec.ParseKeys(tc.text)
		if len(keys) != tc.want || (err == nil) != (tc.want > 0) {
			t.Errorf("%s: %d keys, %v", name, len(keys), err)
		}
	}
}

// TestOpen_Second holds that any of the keys will do, while one takes the place of another.
func TestOpen_Second(t *testing.T) {
	t.Parallel()
	a, b := newAuthor(t, "a"), newAuthor(t, "b")
	envelope, err := runspec.Sign(statement([]byte("x")), b.key.ID(), b.sign)
	if err != nil {
		t.Fatal(err)
	}
	if s, k, err := runspec.Open(envelope, []runspec.Key{a.key, b.key}); err != nil || k.ID() != b.key.ID() || s.Workflow != "shop" {
		t.Errorf("%+v, %s, %v", s, k.ID(), err)
	}
}

func TestSign_Bounds(t *testing.T) {
	t.Parallel()
	a := newAuthor(t, "a")
	s := statement()
	if _, err := runspec.Sign(s, a.key.ID(), a.sign); err == nil {
		t.Error("nothing can be signed")
	}
	s.Specifications = make([]string, runspec.MaxSpecifications)
	for i := range s.Specifications {
		s.Specifications[i] = strings.Repeat("a", 64)
	}
	if _, err := runspec.Sign(s, a.key.ID(), a.sign); err != nil {
		t.Errorf("as many as there may be: %v", err)
	}
	s.Specifications = append(s.Specifications, "b")
	if _, err := runspec.Sign(s, a.key.ID(), a.sign); err == nil {
		t.Error("more than there may be")
	}
}

// FuzzPolicy holds that no envelope and no specification of a stranger brings the agent down or is believed.
func FuzzPolicy(f *testing.F) {
	f.Add([]byte(`{"payloadType":"`+runspec.PayloadType+`","payload":"e30=","signatures":[{"sig":"AA=="}]}`), []byte(`{"plan":{"steps":[{"env":[{"value":{"$open":{}}}]}]}}`))
	f.Add([]byte(`[]`), []byte(`[[[`))
	f.Add([]byte(``), []byte(`{"plan":null,"pod":{"$open":{"type":1}}}`))
	base := whole(1)
	f.Fuzz(func(t *testing.T, envelope, specification []byte) {
		a, _ := proto.Clone(base).(*agentv1.Assignment)
		a.RunSpecification = &agentv1.RunSpecification{Envelope: envelope, Specification: specification}
		who := newAuthor(t, "mine")
		if err := (runspec.Policy{Keys: []runspec.Key{who.key}, Organization: "acme"}).Check(a, now); err == nil {
			t.Error("it is believed")
		}
		runspec.Compare(specification, a)
	})
}

func TestPowerful(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"LD_PRELOAD": true, "ld_preload": true, "PATH": true, "NODE_OPTIONS": true, "PYTHONPATH": true, "BASH_ENV": true, "GIT_SSH_COMMAND": true,
		"JAVA_TOOL_OPTIONS": true, "PERL5OPT": true, "RUBYOPT": true, "https_proxy": true, "SEATRIAL_OUTPUT": true, "DYLD_INSERT_LIBRARIES": true,
		"BASE_URL": false, "TOKEN": false, "PATH_PREFIX": false, "USERS": false, "GITHUB_SHA": false, "ENVIRONMENT": false,
	} {
		if got := runspec.Powerful(name); got != want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
