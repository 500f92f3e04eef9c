package plan_test

import (
	"encoding/base64"
	"testing"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/runner/plan"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

func valid() *runnerv1.Plan {
	return &runnerv1.Plan{
		AttemptId: "a",
		Steps: []*runnerv1.Step{
			{Index: 0, Container: "c0", Script: "true"},
			{Index: 1, Container: "c1", Command: []string{"true"}},
		},
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	want := valid()
	text, err := jobspec.EncodePlan(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := plan.Decode(text + "\n")
	if err != nil || !proto.Equal(got, want) {
		t.Fatalf("what the agent writes is not read: %v, %v", got, err)
	}
}

func TestDecode_Err(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*runnerv1.Plan)
		reason string
	}{
		"NoAttempt":   {func(p *runnerv1.Plan) { p.AttemptId = "" }, "messages need the attempt"},
		"NoSteps":     {func(p *runnerv1.Plan) { p.Steps = nil }, "nothing ran, nothing may pass"},
		"Index":       {func(p *runnerv1.Plan) { p.Steps[1].Index = 5 }, "steps run by index"},
		"NoContainer": {func(p *runnerv1.Plan) { p.Steps[0].Container = "" }, "nobody would run it"},
		"Neither":     {func(p *runnerv1.Plan) { p.Steps[0].Script = "" }, "nothing to run"},
		"Both":        {func(p *runnerv1.Plan) { p.Steps[1].Script = "x" }, "which one"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := valid()
			tc.change(p)
			text, err := plan.Encode(p)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := plan.Decode(text); err == nil {
				t.Errorf("accepted: %s", tc.reason)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	text, err := plan.Encode(valid())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add("")
	f.Add("KLUv/QQAAQAAAA==")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := plan.Decode(text); err == nil && len(p.GetSteps()) == 0 {
			t.Error("a plan without steps was accepted")
		}
	})
}

// FuzzDecode_Plan fuzzes what is inside of the frame.
func FuzzDecode_Plan(f *testing.F) {
	for _, p := range []*runnerv1.Plan{valid(), {}, {AttemptId: "a", Steps: []*runnerv1.Step{{}}}} {
		raw, err := proto.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := plan.Decode(base64.StdEncoding.EncodeToString(enc.EncodeAll(raw, nil)))
		if err != nil {
			return
		}
		for i, s := range p.GetSteps() {
			if int(s.GetIndex()) != i || s.GetContainer() == "" || s.GetScript() == "" && len(s.GetCommand()) == 0 {
				t.Errorf("step %d was accepted: %v", i, s)
			}
		}
		text, err := plan.Encode(p)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := plan.Decode(text); err != nil || !proto.Equal(p, again) {
			t.Errorf("it does not survive encoding: %v", err)
		}
	})
}
