package expr

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/bmatcuk/doublestar/v4"
	"google.golang.org/protobuf/types/known/structpb"
)

const maxGlob = 10_000 // files that glob() returns

func isStatusFunction(name string) bool {
	return slices.Contains([]string{"always", "failed", "passed", "cancelled"}, name)
}

func isPodFunction(name string) bool { return name == "file" || name == "glob" }

// functions are those of the language beside CEL's own. Those that ask the pod fail without one.
func functions(pod *Pod) []cel.EnvOption {
	if pod == nil {
		pod = &Pod{}
	}
	adapter := types.DefaultTypeAdapter
	one := func(name string, arg, result *cel.Type, do func(ref.Val) (any, error)) cel.EnvOption {
		return cel.Function(name, cel.Overload("seatrial_"+name, []*cel.Type{arg}, result, cel.UnaryBinding(func(v ref.Val) ref.Val {
			out, err := do(v)
			if err != nil {
				return types.WrapErr(fmt.Errorf("%s(): %w", name, err))
			}
			return adapter.NativeToValue(out)
		})))
	}
	status := func(name string, holds bool) cel.EnvOption {
		return cel.Function(name, cel.Overload("seatrial_"+name, nil, cel.BoolType, cel.FunctionBinding(func(...ref.Val) ref.Val {
			return types.Bool(holds)
		})))
	}
	return []cel.EnvOption{
		status("always", true), status("cancelled", pod.Cancelled), status("failed", pod.Failed && !pod.Cancelled),
		status("passed", !pod.Failed && !pod.Cancelled),
		one("file", cel.StringType, cel.StringType, func(v ref.Val) (any, error) { return readFile(pod.Files, v) }),
		one("glob", cel.StringType, cel.ListType(cel.StringType), func(v ref.Val) (any, error) { return globFiles(pod.Files, v) }),
		one("fromJSON", cel.StringType, cel.DynType, fromJSON),
		one("toJSON", cel.DynType, cel.StringType, toJSON),
		one("hash", cel.DynType, cel.StringType, hash),
	}
}

var (
	errNoWorkspace = errors.New("there is no workspace here")
	errTooMuch     = errors.New("gives more than an expression may hold")
)

func readFile(files fs.FS, v ref.Val) (any, error) {
	name, ok := v.Value().(string)
	if files == nil || !ok {
		return nil, errNoWorkspace
	}
	f, err := files.Open(strings.TrimPrefix(name, "./"))
	if err != nil {
		return nil, err //nolint:wrapcheck // names the file already
	}
	defer f.Close() //nolint:errcheck // it was only read
	raw, err := io.ReadAll(io.LimitReader(f, MaxResult+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(raw) > MaxResult {
		return nil, fmt.Errorf("%s: %w", name, errTooMuch)
	}
	return strings.TrimRight(string(raw), "\r\n"), nil
}

func globFiles(files fs.FS, v ref.Val) (any, error) {
	pattern, ok := v.Value().(string)
	if files == nil || !ok {
		return nil, errNoWorkspace
	}
	found := []string{}
	err := doublestar.GlobWalk(files, strings.TrimPrefix(pattern, "./"), func(name string, _ fs.DirEntry) error {
		if len(found) == maxGlob {
			return fmt.Errorf("%s: %w", pattern, errTooMuch)
		}
		found = append(found, name)
		return nil
	}, doublestar.WithFilesOnly(), doublestar.WithNoFollow())
	slices.Sort(found)
	return found, err //nolint:wrapcheck // the pattern is in the expression
}

func fromJSON(v ref.Val) (any, error) {
	text, _ := v.Value().(string)
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var out any
	if err := dec.Decode(&out); err != nil {
		return nil, fmt.Errorf("is not JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("is more than one JSON value")
	}
	return numbers(out), nil
}

// numbers gives whole numbers of JSON the type int, as an author expects who writes fromJSON("[1, 2]")[0] + 1.
func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		f, _ := v.Float64() // out of range: infinite
		return f
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = numbers(v[k])
		}
	case nil:
		return types.NullValue
	}
	return v
}

func toJSON(v ref.Val) (any, error) {
	plain, err := native(v)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(plain)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return string(raw), nil
}

// native returns a value as encoding/json knows it.
func native(v ref.Val) (any, error) {
	switch v := v.Value().(type) {
	case string, bool, int64, uint64:
		return v, nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, errors.New("JSON has no such number")
		}
		return v, nil
	}
	out, err := v.ConvertToNative(types.JSONValueType)
	if err != nil {
		return nil, fmt.Errorf("has no JSON: %w", err)
	}
	value, ok := out.(*structpb.Value)
	if !ok {
		return nil, errors.New("has no JSON")
	}
	return value.AsInterface(), nil
}

// hash returns the hex SHA-256 of a text, or of the JSON of anything else.
func hash(v ref.Val) (any, error) {
	text, ok := v.Value().(string)
	if !ok {
		encoded, err := toJSON(v)
		if err != nil {
			return nil, err
		}
		text = fmt.Sprint(encoded)
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:]), nil
}
