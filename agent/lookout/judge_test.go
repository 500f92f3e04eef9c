package lookout

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"

	"github.com/seatrial/seatrial/agent/kube"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

var update = flag.Bool("update", false, "write the golden files")

// course is how an object looks, one moment after the other.
type course struct {
	Reason string
	Kind   string
	Wants  []struct{ Name, Event, Condition, Status string }
	Looks  []struct {
		Say     string      // what has happened, for people
		Initial bool        // it was there when the watch began
		Gone    bool        // it is deleted
		Object  kube.Object // as the API server gives it
	}
}

func eventOf(t *testing.T, word string) agentv1.ObjectEvent {
	t.Helper()
	n, ok := agentv1.ObjectEvent_value["OBJECT_EVENT_"+strings.ToUpper(strings.ReplaceAll(word, "-", "_"))]
	if !ok {
		t.Fatalf("there is no event %s", word)
	}
	return agentv1.ObjectEvent(n)
}

// TestJudge holds what is told of each course, from how objects look one after the other.
func TestJudge(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var c course
			if err := yaml.UnmarshalStrict(text, &c); err != nil {
				t.Fatal(err)
			}
			got := c.told(t)
			golden := strings.TrimSuffix(file, ".yaml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || string(want) != got {
				t.Errorf("%s\ngot\n%s\nwant\n%s%v", c.Reason, got, want, err)
			}
		})
	}
}

func (c course) told(t *testing.T) string {
	t.Helper()
	var wants []want
	for _, w := range c.Wants {
		wants = append(wants, want{name: w.Name, event: eventOf(t, w.Event), condition: w.Condition, status: w.Status})
	}
	j := newJudge(wants)
	known := map[string]*kube.Object{}
	var out strings.Builder
	for i, look := range c.Looks {
		o, _ := shorten(look.Object.DeepCopyObject(), c.Kind).(*kube.Object)
		o.ResourceVersion = fmt.Sprint(i + 1)
		before := known[o.Name]
		var told []seen
		switch {
		case look.Gone:
			told = j.deleted(before)
			delete(known, o.Name)
		case before == nil:
			told = j.added(o, look.Initial)
		default:
			told = j.updated(before, o)
		}
		if !look.Gone {
			known[o.Name] = o
		}
		fmt.Fprintf(&out, "%s:", look.Say)
		for _, s := range told {
			fmt.Fprintf(&out, " %s(%s)", strings.ToLower(strings.TrimPrefix(s.GetEvent().String(), "OBJECT_EVENT_")), s.GetState())
			if s.replayed {
				out.WriteString(" compared")
			}
		}
		if len(told) == 0 {
			out.WriteString(" nothing")
		}
		out.WriteString("\n")
	}
	return out.String()
}

// TestFits: what is compared is within the limits of a call, and always gets on.
func TestFits(t *testing.T) {
	t.Parallel()
	of := func(n, bytes int) []seen {
		out := make([]seen, n)
		for i := range out {
			out[i] = seen{ObjectChange: &agentv1.ObjectChange{State: strings.Repeat("x", bytes)}}
		}
		return out
	}
	for name, tc := range map[string]struct {
		list []seen
		want int
	}{
		"None": {nil, 0}, "Few": {of(3, 1), 3}, "Many": {of(batchObjects+1, 1), batchObjects}, "Full": {of(batchObjects, 1), batchObjects},
		"Large": {of(10, batchBytes/3), 2}, "TooLarge": {of(2, batchBytes*2), 1},
	} {
		if got := fits(tc.list); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}

// TestShort: whatever a text of others has at the place where it is cut, what is left of it can be sent.
func TestShort(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxShort)
	for name, tc := range map[string]struct{ text, want string }{
		"Short":     {"ready", "ready"},
		"Fits":      {long[:maxShort-2] + "é", long[:maxShort-2] + "é"},
		"Two":       {long[:maxShort-1] + "é", long[:maxShort-1]},
		"Three":     {long[:maxShort-2] + "…", long[:maxShort-2]},
		"Four":      {long[:maxShort-1] + "🚀 and more", long[:maxShort-1]},
		"Begin":     {long + "é", long},
		"Foreign":   {"caf\xe9 down", "caf? down"},
		"NoText":    {strings.Repeat("\x80", 1000), "?"},
		"Alternate": {strings.Repeat("a\xff", 1000), strings.Repeat("a?", maxShort/2)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := short(tc.text)
			if got != tc.want || !utf8.ValidString(got) || len(got) > maxShort {
				t.Errorf("%d bytes: %q, want %q", len(got), got, tc.want)
			}
			o := &kube.Object{Status: kube.ObjectStatus{Conditions: []kube.ObjectCondition{{Type: "Ready", Status: "True", Message: tc.text, Reason: tc.text}}}}
			for _, s := range newJudge([]want{{event: agentv1.ObjectEvent_OBJECT_EVENT_CONDITION, condition: "Ready", status: "True"}}).added(o, false) {
				if _, err := proto.Marshal(s.ObjectChange); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestKube_Foreign(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"Service":   `{"metadata":{"name":"a"},"spec":{"selector":{"app":"a"},"replicas":"many"},"status":{"conditions":[{"type":"Ready","status":"True"}],"replicas":"some"}}`,
		"List":      `{"metadata":{"name":"a"},"spec":[1],"status":{"replicas":[],"conditions":[{"type":"Ready","status":"True"}]}}`,
		"Odd":       `{"metadata":{"name":"a"},"spec":"x","status":{"conditions":[{"type":"Ready","status":"True","lastTransitionTime":null}]}}`,
		"NoMatches": `{"metadata":{"name":"a"},"spec":null,"status":{"conditions":[{"type":"Ready","status":"True"}]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var o kube.Object
			if err := yaml.Unmarshal([]byte(text), &o); err != nil || len(o.Status.Conditions) != 1 || o.Status.Replicas != 0 {
				t.Errorf("%+v, %v: other kinds have fields of the same names", o, err)
			}
		})
	}
}
