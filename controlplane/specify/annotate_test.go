package specify_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/specify"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

// TestAnnotate holds that a text stays as its author wrote it.
func TestAnnotate(t *testing.T) {
	t.Parallel()
	const head, tail, entry = "apiVersion: seatrial.dev/v1 # ours\nkind: TestWorkflow\n", "spec: {steps: [{run: x, image: a}]} # one\n", `seatrial.dev/signature: '{"a":"é"}'`
	for name, tc := range map[string]struct{ before, after string }{
		"Block":         {"metadata:\n  name: a # it\n  labels: {b: c}\n", "metadata:\n  name: a # it\n  annotations:\n    " + entry + "\n  labels: {b: c}\n"},
		"Flow":          {"metadata: {name: a}\n", "metadata: {annotations: {" + entry + "}, name: a}\n"},
		"FlowUmlaut":    {"metadata: {name: a, annotations: {é: é}} # é\n", ""},
		"Annotated":     {"metadata:\n    name: a\n    annotations:\n      # about\n      b/c: d\n", "metadata:\n    name: a\n    annotations:\n      # about\n      " + entry + "\n      b/c: d\n"},
		"FlowAnnotated": {"metadata: {name: a, annotations: {b: c}}\n", "metadata: {name: a, annotations: {" + entry + ", b: c}}\n"},
		"FlowEmpty":     {"metadata: {name: a, annotations: {}}\n", "metadata: {name: a, annotations: {" + entry + "}}\n"},
		"Signed":        {"metadata:\n  name: a\n  annotations:\n    seatrial.dev/signature: '{\"old\":\"one\"}' # made\n", "metadata:\n  name: a\n  annotations:\n    " + entry + " # made\n"},
		"FlowSigned":    {"metadata: {name: a, annotations: {seatrial.dev/signature: 'old', b: c}}\n", "metadata: {name: a, annotations: {" + entry + ", b: c}}\n"},
		"SignedPlain": {
			"metadata:\n  name: a # it\n  annotations:\n    seatrial.dev/signature: old\n",
			"apiVersion: seatrial.dev/v1 # ours\nkind: TestWorkflow\nmetadata:\n  name: a # it\n  annotations:\n    " + entry + "\nspec: {steps: [{run: x, image: a}]} # one\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := specify.Annotate([]byte(head+tc.before+tail), `{"a":"é"}`)
			if name == "FlowUmlaut" { // is no name of an annotation
				if err == nil {
					t.Errorf("got %s", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := head + tc.after + tail
			if strings.HasPrefix(tc.after, "apiVersion") {
				want = tc.after
			}
			if diff := cmp.Diff(want, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			again, err := specify.Annotate(got, `{"a":"é"}`)
			if err != nil || string(again) != string(got) {
				t.Errorf("again: %v\n%s", err, cmp.Diff(string(got), string(again)))
			}
		})
	}
}

func TestAnnotate_JSON(t *testing.T) {
	t.Parallel()
	got, err := specify.Annotate([]byte(`{"apiVersion":"seatrial.dev/v1","kind":"TestWorkflow","metadata":{"name":"a"},"spec":{"steps":[{"run":"x","image":"a"}]}}`), `{"a":"<b>"}`)
	want := `{"apiVersion":"seatrial.dev/v1","kind":"TestWorkflow","metadata":{"annotations": {"seatrial.dev/signature": "{\"a\":\"<b>\"}"}, "name":"a"},"spec":{"steps":[{"run":"x","image":"a"}]}}`
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s", err, got)
	}
	if again, err := specify.Annotate(got, `{}`); err != nil || !strings.Contains(string(again), `"seatrial.dev/signature": "{}"`) {
		t.Errorf("again: %v\n%s", err, again)
	}
}

// FuzzAnnotate holds that signing changes nothing of what a document says.
func FuzzAnnotate(f *testing.F) {
	f.Add("apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {name: a}\nspec: {steps: [{run: x, image: a}]}\n")
	f.Add("kind: TestWorkflow\nmetadata:\n  annotations: {}\n  name: a\nspec:\n  steps:\n  - {run: x, image: a}\napiVersion: seatrial.dev/v1")
	f.Fuzz(func(t *testing.T, src string) {
		out, err := specify.Annotate([]byte(src), `{"a":"b"}`)
		if err != nil {
			return
		}
		before, err := workflow.Load("a", []byte(src))
		if err != nil {
			return
		}
		after, err := workflow.Load("a", out)
		if err != nil || specify.Envelope(after.Document) != `{"a":"b"}` {
			t.Fatalf("%v\n%s", err, out)
		}
		delete(after.Metadata.Annotations, "seatrial.dev/signature")
		delete(before.Metadata.Annotations, "seatrial.dev/signature")
		if diff := cmp.Diff(before.Spec, after.Spec); diff != "" {
			t.Errorf("(-before +after):\n%s", diff)
		}
	})
}
