package trigger

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"cel.dev/cel-go/cel"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

const (
	// maxCost bounds what one expression may do: a message can be large, and anybody with the receiver's secret sends one.
	maxCost  = 1_000_000
	maxText  = 64 << 10 // of a value
	maxWords = 4 << 10  // bytes of an expression
)

// environment knows what an event of a kind consists of.
func environment(kind string) (*cel.Env, error) {
	vars := []cel.EnvOption{cel.Variable("event", cel.DynType)}
	if kind == Webhook {
		vars = []cel.EnvOption{cel.Variable("body", cel.DynType), cel.Variable("headers", cel.MapType(cel.StringType, cel.StringType))}
	}
	return cel.NewEnv(append(vars, cel.ParserExpressionSizeLimit(maxWords), cel.ParserRecursionLimit(50))...) //nolint:wrapcheck // the caller says what for
}

// variables are the values of an environment's variables.
func variables(e Event) (map[string]any, error) {
	var data any
	if err := json.Unmarshal(e.Data, &data); err != nil {
		return nil, fmt.Errorf("the event cannot be read: %w", err)
	}
	if e.Kind != Webhook {
		return map[string]any{"event": data}, nil
	}
	m, ok := data.(map[string]any)
	if !ok {
		return nil, errors.New("the event cannot be read")
	}
	headers := map[string]string{}
	if given, ok := m["headers"].(map[string]any); ok {
		for k, v := range given {
			headers[k] = fmt.Sprint(v)
		}
	}
	return map[string]any{"body": m["body"], "headers": headers}, nil
}

func compile(kind, text string) (*cel.Env, *cel.Ast, error) {
	env, err := environment(kind)
	if err != nil {
		return nil, nil, err
	}
	ast, issues := env.Compile(text)
	if err := issues.Err(); err != nil {
		return nil, nil, errors.New(issues.Errors()[0].Message)
	}
	return env, ast, nil
}

func eval(kind, text string, vars map[string]any) (any, error) {
	env, ast, err := compile(kind, text)
	if err != nil {
		return nil, err
	}
	program, err := env.Program(ast, cel.CostLimit(maxCost))
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller says of what
	}
	out, _, err := program.Eval(vars)
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller says of what
	}
	return out.Value(), nil
}

func condition(kind, text string, vars map[string]any) (bool, error) {
	v, err := eval(kind, text, vars)
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, errors.New("it gives neither true nor false")
	}
	return b, nil
}

// value gives a text: JSON has only one kind of numbers, and whole ones are written without a point.
func value(kind, text string, vars map[string]any) (string, error) {
	v, err := eval(kind, text, vars)
	if err != nil {
		return "", err
	}
	var out string
	switch v := v.(type) {
	case string:
		out = v
	case bool:
		out = strconv.FormatBool(v)
	case int64:
		out = strconv.FormatInt(v, 10)
	case uint64:
		out = strconv.FormatUint(v, 10)
	case float64:
		out = strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return "", errors.New("it gives no text, number or boolean")
	}
	if len(out) > maxText {
		return "", fmt.Errorf("it gives %d bytes, and %d are the limit", len(out), maxText)
	}
	return out, nil
}

// Check returns the faults of the expressions of a Trigger, or of those that a workflow has, each at its place; nil for other kinds.
func Check(read parse.Result) (places []fault.Place) {
	check := func(field, kind, text string, want *cel.Type) {
		if text == "" || slices.ContainsFunc(read.Faults, func(p fault.Place) bool { return p.Field == field }) {
			return
		}
		_, ast, err := compile(kind, text)
		if err == nil && want != nil && !ast.OutputType().IsExactType(want) && !ast.OutputType().IsExactType(cel.DynType) {
			err = fmt.Errorf("gives a %s, not true or false", ast.OutputType())
		}
		if err != nil {
			place := read.At(field)
			place.Message = err.Error()
			places = append(places, place)
		}
	}
	all := func(at, kind, filter string, values map[string]string) {
		check(at+".filter", kind, filter, cel.BoolType)
		for _, name := range slices.Sorted(maps.Keys(values)) {
			check(at+".values."+name, kind, values[name], nil)
		}
	}
	switch doc := read.Value.(type) {
	case *document.TriggerDocument:
		if w := doc.Spec.Webhook; w != nil {
			all("spec.webhook", Webhook, w.Filter, w.Values)
		}
		if e := doc.Spec.Event; e != nil {
			all("spec.event", Cloud, e.Filter, e.Values)
		}
		if k := doc.Spec.Kubernetes; k != nil {
			all("spec.kubernetes", Kube, k.Filter, k.Values)
		}
	case *document.Document:
		for i, t := range doc.Spec.Triggers {
			if k := t.Kubernetes; k != nil {
				all("spec.triggers["+strconv.Itoa(i)+"].kubernetes", Kube, k.Filter, k.Values)
			}
		}
	}
	return places
}
