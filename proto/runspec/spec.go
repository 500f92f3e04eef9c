package runspec

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// open is the member that stands in a specification for a value that the control plane chooses. No message of the protocol has a
// field of that name.
const open = "$open"

// free are the fields that a specification does not hold, each with the reason. Nothing that is executed, read or mounted depends on
// them; what Check holds them to is said there.
func free() map[string]string {
	return map[string]string{
		"attempt_id":             "names the Job; Check: that of the plan is the same",
		"execution_id":           "a label of the pod",
		"run_id":                 "for the record",
		"attempt_number":         "for the record",
		"environment":            "for the record: the namespace decides",
		"namespace":              "the agent's own rules and the statement decide",
		"plan.attempt_id":        "names the attempt; Check: the same as the Job's",
		"plan.shard.took_millis": "which of the signed test files are this shard's",
		"run_specification":      "the signature itself",
		"workflow":               "Check: that of the statement",
	}
}

// Of returns the specification of an assignment. The values of open stand for those that the control plane chooses: where a text of the
// assignment is one of the names, the specification says that it is open, and by which rule.
func Of(a *agentv1.Assignment, open map[string]Rule) ([]byte, error) {
	t, err := tree(a, open)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(t); err != nil {
		return nil, fmt.Errorf("encode the specification: %w", err)
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

// errUnknown stands for what this program does not know and would hand on to the runner all the same.
var errUnknown = errors.New("it has fields that this version does not know")

func tree(a *agentv1.Assignment, open map[string]Rule) (map[string]any, error) {
	w := walker{open: open, free: free()}
	out := w.message("", a.ProtoReflect())
	return out, w.err
}

type walker struct {
	open map[string]Rule
	free map[string]string
	err  error
}

// message writes every field that is set under the name that the protocol gives it.
func (w *walker) message(path string, m protoreflect.Message) map[string]any {
	out := map[string]any{}
	if len(m.GetUnknown()) > 0 {
		w.err = errUnknown
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		name := string(f.Name())
		at := strings.TrimPrefix(path+"."+name, ".")
		if _, free := w.free[at]; !free {
			out[name] = w.field(at, f, v)
		}
		return true
	})
	return out
}

func (w *walker) field(path string, f protoreflect.FieldDescriptor, v protoreflect.Value) any {
	switch {
	case f.IsList():
		out := make([]any, v.List().Len())
		for i := range out {
			out[i] = w.value(path, f, v.List().Get(i))
		}
		return out
	case f.IsMap():
		out := map[string]any{}
		v.Map().Range(func(key protoreflect.MapKey, v protoreflect.Value) bool {
			out[key.String()] = w.value(path, f.MapValue(), v)
			return true
		})
		return out
	default:
		return w.value(path, f, v)
	}
}

// value keeps every number as JSON has it. Bytes are the files of a workflow: their digest will do.
func (w *walker) value(path string, f protoreflect.FieldDescriptor, v protoreflect.Value) any {
	switch f.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		if d, ok := v.Message().Interface().(*durationpb.Duration); ok && len(d.ProtoReflect().GetUnknown()) == 0 && d.IsValid() {
			return d.AsDuration().String()
		}
		return w.message(path, v.Message())
	case protoreflect.StringKind:
		if rule, ok := w.open[v.String()]; ok {
			return map[string]any{open: rule}
		}
		return v.String()
	case protoreflect.BytesKind:
		sum := sha256.Sum256(v.Bytes())
		return "sha256:" + hex.EncodeToString(sum[:])
	case protoreflect.EnumKind:
		if value := f.Enum().Values().ByNumber(v.Enum()); value != nil {
			return string(value.Name())
		}
		w.err = errUnknown
		return nil
	default:
		return v.Interface()
	}
}
