package workflow_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

func declared(t *testing.T) workflow.Params {
	t.Helper()
	return mustParse(t, `{params: {
		url: {type: string, default: "http://a", pattern: "^http"},
		users: {type: integer, default: 10, minimum: 1, maximum: 500},
		rate: {type: number, default: 0.5},
		mode: {type: string, enum: [fast, full], default: fast},
		full: {type: boolean, default: false},
		key: {type: string},
		note: {type: string, required: false},
		level: {type: integer, enum: [1, 2], required: false}},
		steps: [{run: x, image: a}]}`).Spec.Params
}

func TestParams_Resolve(t *testing.T) {
	t.Parallel()
	defaults := workflow.Values{
		"url": "http://a", "users": int64(10), "rate": 0.5, "mode": "fast", "full": false, "key": "k", "note": "", "level": int64(0),
	}
	tests := map[string]struct {
		input  map[string]string
		want   workflow.Values
		reason string
	}{
		"Defaults": {nil, nil, "what is not given"},
		"Given": {
			map[string]string{"url": "https://b", "users": "7", "rate": "2", "mode": "full", "full": "true", "note": "n", "level": "2"},
			workflow.Values{"url": "https://b", "users": int64(7), "rate": 2.0, "mode": "full", "full": true, "note": "n", "level": int64(2)},
			"typed by declaration",
		},
		"Edges": {map[string]string{"users": "500"}, workflow.Values{"users": int64(500)}, "the maximum is allowed"},
		"Empty": {map[string]string{"note": ""}, workflow.Values{"note": ""}, "given as nothing"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			input := map[string]string{"key": "k"}
			maps.Copy(input, tc.input)
			want := maps.Clone(defaults)
			maps.Copy(want, tc.want)
			got, err := declared(t).Resolve(input)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s: %v (-want +got):\n%s", tc.reason, err, diff)
			}
		})
	}
}

func TestParams_Resolve_Err(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		input               map[string]string
		field, says, reason string
	}{
		"Missing":     {map[string]string{}, "params.key", "required", "no default"},
		"Unknown":     {map[string]string{"user": "1"}, "params.user", `did you mean "users"?`, "a typo must not be ignored"},
		"UnknownFar":  {map[string]string{"elephant": "1"}, "params.elephant", "it has url, users", "what there is"},
		"NotInteger":  {map[string]string{"users": "ten"}, "params.users", "not an integer", "typed"},
		"Fraction":    {map[string]string{"users": "1.5"}, "params.users", "not an integer", "typed"},
		"Overflow":    {map[string]string{"users": "99999999999999999999"}, "params.users", "not an integer", "does not fit"},
		"TooSmall":    {map[string]string{"users": "0"}, "params.users", "less than the minimum 1", "bounded"},
		"TooLarge":    {map[string]string{"users": "501"}, "params.users", "more than the maximum 500", "bounded"},
		"NotNumber":   {map[string]string{"rate": "NaN"}, "params.rate", "not a number", "no number at all"},
		"NotBoolean":  {map[string]string{"full": "yes"}, "params.full", "true or false", "one way to write it"},
		"NotInEnum":   {map[string]string{"mode": "ful"}, "params.mode", `did you mean "full"?`, "a choice"},
		"IntegerEnum": {map[string]string{"level": "3"}, "params.level", "not one of 1, 2", "a choice"},
		"Pattern":     {map[string]string{"url": "ftp://a"}, "params.url", "does not match", "its rule"},
		"NUL":         {map[string]string{"note": "a\x00"}, "params.note", "NUL", "no process could take it"},
		"Long":        {map[string]string{"note": strings.Repeat("a", 70_000)}, "params.note", "longer than", "bounded"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			input := map[string]string{"key": "k"}
			if name == "Missing" {
				delete(input, "key")
			}
			maps.Copy(input, tc.input)
			_, err := declared(t).Resolve(input)
			got := places(err)
			if !fault.Is(err, fault.Invalid) || len(got) != 1 || got[0].Field != tc.field || !strings.Contains(got[0].Message, tc.says) {
				t.Errorf("err = %v, %+v; want %q at %s: %s", err, got, tc.says, tc.field, tc.reason)
			}
		})
	}
}

func TestParams_Resolve_AllAtOnce(t *testing.T) {
	t.Parallel()
	_, err := declared(t).Resolve(map[string]string{"users": "0", "nope": "1"})
	if got := places(err); len(got) != 3 {
		t.Errorf("%+v, want the unknown, the missing and the one out of range", got)
	}
}

func TestValues_Strings(t *testing.T) {
	t.Parallel()
	got := workflow.Values{"s": "a", "i": int64(3), "f": 2.0, "b": true}.Strings()
	if diff := cmp.Diff(map[string]string{"s": "a", "i": "3", "f": "2", "b": "true"}, got); diff != "" {
		t.Error(diff)
	}
}
