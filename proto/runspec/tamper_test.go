package runspec_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	"github.com/seatrial/seatrial/proto/runspec"
)

// chosen are the fields that a control plane chooses, each with the reason why that is safe. Everything else of the protocol is bound, a
// field that comes in future as well, until it stands here.
func chosen() map[string]string {
	return map[string]string{
		"execution_id":           "a label of the pod",
		"run_id":                 "for the record",
		"attempt_number":         "for the record",
		"environment":            "for the record",
		"namespace":              "the agent has a list, and the statement may have one",
		"plan.shard.took_millis": "how signed test files are dealt out",
	}
}

// TestTamper changes every field of an assignment in every way, one at a time: each change is refused.
func TestTamper(t *testing.T) {
	t.Parallel()
	mine := newAuthor(t, "mine")
	policy := runspec.Policy{Keys: []runspec.Key{mine.key}, Organization: "acme"}
	seen := map[string]bool{}
	changes := 0
	for alternative := range 5 {
		base := whole(alternative)
		specification, err := runspec.Of(base, nil)
		if err != nil {
			t.Fatal(err)
		}
		signed := mine.attach(t, base, statement(specification), specification)
		if err := policy.Check(signed, now); err != nil {
			t.Fatalf("as it was signed: %v", err)
		}
		for n := 0; ; n++ {
			a, _ := proto.Clone(signed).(*agentv1.Assignment)
			change := tamper{target: n}
			change.message("", a.ProtoReflect())
			if change.what == "" {
				break
			}
			changes++
			err := policy.Check(a, now)
			field := change.path
			if _, ok := chosen()[field]; ok {
				seen[field] = true
				if err != nil {
					t.Errorf("%s of %s is refused: %v", change.what, field, err)
				}
				continue
			}
			if err == nil {
				t.Errorf("%s of %s is let through", change.what, field)
			}
		}
	}
	t.Logf("%d changes", changes)
	if changes < 500 {
		t.Errorf("only %d changes were tried", changes)
	}
	for _, field := range slices.Sorted(maps.Keys(chosen())) {
		if !seen[field] {
			t.Errorf("there is no field %s", field)
		}
	}
}

// tamper makes the change with the number target.
type tamper struct {
	target, at int
	path, what string
}

func (c *tamper) do(path, what string, f func()) {
	if c.at == c.target && c.what == "" {
		c.path, c.what = path, what
		f()
	}
	c.at++
}

func (c *tamper) message(path string, m protoreflect.Message) {
	unknown := strings.TrimSuffix(path, ".")
	if unknown != "run_specification" { // which nobody hands on, and what it carries is signed
		c.do(unknown, "an unknown field", func() { m.SetUnknown(protoreflect.RawFields{0xf8, 0xff, 0x7f, 1}) })
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		if c.what != "" {
			return
		}
		f := fields.Get(i)
		at := path + string(f.Name())
		if !m.Has(f) {
			c.do(at, "setting", func() { set(m, f) })
			continue
		}
		c.do(at, "clearing", func() { m.Clear(f) })
		switch {
		case c.what != "":
		case f.IsMap():
			c.entries(at, f, m.Get(f).Map())
		case f.IsList():
			c.list(at, f, m.Get(f).List())
		case f.Message() != nil:
			c.message(at+".", m.Mutable(f).Message())
		default:
			c.do(at, "changing", func() { m.Set(f, scalar(f, 2)) })
		}
	}
}

// set sets a field that is another alternative than the one that is set.
func set(m protoreflect.Message, f protoreflect.FieldDescriptor) {
	if f.Message() != nil {
		fill(m.Mutable(f).Message(), 0)
		return
	}
	m.Set(f, scalar(f, 1))
}

func (c *tamper) entries(at string, f protoreflect.FieldDescriptor, m protoreflect.Map) {
	key := func(k string) protoreflect.MapKey { return protoreflect.ValueOfString(k).MapKey() }
	c.do(at, "another entry", func() { m.Set(key("other"), scalar(f.MapValue(), 1)) })
	c.do(at, "another value", func() { m.Set(key("k"), scalar(f.MapValue(), 2)) })
	c.do(at, "another key", func() { m.Set(key("other"), m.Get(key("k"))); m.Clear(key("k")) })
}

func (c *tamper) list(at string, f protoreflect.FieldDescriptor, l protoreflect.List) {
	c.do(at, "another entry", func() {
		if f.Message() == nil {
			l.Append(scalar(f, 1))
			return
		}
		fill(l.AppendMutable().Message(), 0)
	})
	c.do(at, "an entry twice", func() { l.Append(l.Get(0)) })
	if f.Message() == nil {
		c.do(at, "changing an entry", func() { l.Set(0, scalar(f, 2)) })
		return
	}
	c.message(at+".", l.Get(0).Message())
}

// TestTamper_Order holds that steps and arguments cannot change places.
func TestTamper_Order(t *testing.T) {
	t.Parallel()
	a := whole(0)
	a.Plan.Steps[0].Command = []string{"rm", "ls"}
	specification, err := runspec.Of(a, nil)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(a.Plan.Steps[0].Command)
	want := `[plan.steps[0].command[0] is "ls", signed is "rm" plan.steps[0].command[1] is "rm", signed is "ls"]`
	if got := fmt.Sprint(runspec.Compare(specification, a)); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
