package mirror

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/mirror/git"
	"github.com/seatrial/seatrial/controlplane/origin"
)

const head1 = "apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {name: %s}\n"

func TestGather(t *testing.T) {
	t.Parallel()
	flow := func(name string) string { return fmt.Sprintf(head1, name) }
	for name, tc := range map[string]struct {
		text   string
		claims string // name@line
		wrong  string // line: begin of the message
		reason string
	}{
		"One":       {flow("a"), "a@0", "", "the whole file"},
		"Several":   {"# said\n---\n" + flow("a") + "--- # second\n" + flow("b") + "---\n", "a@2 b@5", "", "the comment is no document, and neither is the end"},
		"Crlf":      {strings.ReplaceAll("---\n"+flow("a")+"---\n"+flow("b"), "\n", "\r\n"), "a@1 b@5", "", "from another system"},
		"Dashes":    {flow("a") + "spec: |\n  ----\n  --- x\n", "a@0", "", "a text may hold dashes"},
		"Foreign":   {"apiVersion: v1\nkind: ConfigMap\ndata: {a: seatrial.dev/v1}\n", "", "", "it only mentions the version"},
		"Helm":      {"{{- if .Values.x }}\nkind: Job\n{{- end }}\n", "", "", "a template of something else is no matter of ours"},
		"Twice":     {flow("a") + "---\n" + flow("a"), "a@0", "5: TestWorkflow a is in f.yaml:1 already", "one name, one document"},
		"Kind":      {strings.Replace(flow("a"), "TestWorkflow", "TestFlow", 1), "", `1: there is no kind of document "TestFlow"`, "a typing error"},
		"Execution": {strings.Replace(flow("a"), "TestWorkflow", "TestExecution", 1), "", "1: a TestExecution is an object of a cluster", "nobody runs on every commit by accident"},
		"Nameless":  {"apiVersion: seatrial.dev/v1\nkind: TestWorkflow\n", "", "1: metadata.name is missing", "nobody knows what it is"},
		"Syntax":    {flow("a") + "---\n" + flow("b") + "spec: [\n", "a@0", "8: is not valid YAML", "the others stay"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := gather(origin.Origin{}, []git.File{{Path: "f.yaml", Text: tc.text}})
			var claims []string
			for _, c := range got.claims {
				claims = append(claims, fmt.Sprintf("%s@%d", c.Name, c.Line))
			}
			if all := strings.Join(claims, " "); all != tc.claims {
				t.Errorf("%s: got %q, want %q", tc.reason, all, tc.claims)
			}
			wrong := ""
			for _, p := range got.problems {
				wrong += fmt.Sprintf("%d: %s", p.Line, p.Message)
			}
			if !strings.HasPrefix(wrong, tc.wrong) || (tc.wrong == "") != (wrong == "") {
				t.Errorf("%s: problems %q, want %q", tc.reason, wrong, tc.wrong)
			}
			if broken := got.broken["f.yaml"]; broken != (name == "Syntax") {
				t.Errorf("broken is %t: what a file had before must not go because of a typing error", broken)
			}
		})
	}
}

func FuzzGather(f *testing.F) {
	f.Add("---\n" + fmt.Sprintf(head1, "a") + "--- {}\n")
	f.Add("seatrial.dev/v1: &a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		for _, c := range gather(origin.Origin{}, []git.File{{Path: "f.yaml", Text: text}}).claims {
			if c.Name == "" || c.Kind == "" || !strings.Contains(text, c.Source) || c.Line > strings.Count(text, "\n") {
				t.Errorf("%+v", c)
			}
		}
	})
}
