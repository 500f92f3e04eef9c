package runspec_test

import (
	"encoding/json"
	"strings"
	"testing"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
	"github.com/seatrial/seatrial/proto/runspec"
)

// TestCompare_Mixed holds that what is written around an open part is signed, and that the part keeps to its own rule.
func TestCompare_Mixed(t *testing.T) {
	t.Parallel()
	const env, tag = "\x00env", "\x00tag"
	open := map[string]runspec.Value{
		env:       runspec.Whole(runspec.Rule{Param: "env", Enum: []string{"qa", "qa-eu", "live"}}),
		tag:       runspec.Whole(runspec.Rule{Param: "tag", Type: "integer"}),
		"\x00any": runspec.Whole(runspec.Rule{}), "\x00more": runspec.Whole(runspec.Rule{}),
	}
	const url = "https://" + env + ".shop.internal"
	for name, tc := range map[string]struct {
		template, value, want, reason string
	}{
		"OK":              {template: url, value: "https://qa.shop.internal"},
		"ErrOther":        {template: url, value: "https://evil.test/", want: `is signed as "https://…env….shop.internal"`, reason: "the tests would bring their secrets elsewhere"},
		"ErrRule":         {template: url, value: "https://evil.test/?.shop.internal", want: "where the open part must be one of qa, qa-eu, live"},
		"ErrBehind":       {template: url, value: "https://qa.shop.internal.evil.test", want: "is signed as", reason: "it is matched to the end"},
		"ErrBefore":       {template: url, value: "x https://qa.shop.internal", want: "is signed as", reason: "and from the beginning"},
		"ErrOverlap":      {template: "ab" + env + "bc", value: "abc", want: "is signed as", reason: "one letter is not two"},
		"ErrEmpty":        {template: url, value: "", want: "is signed as"},
		"OKTwo":           {template: env + "-" + tag, value: "qa-eu-12", reason: "there is one way to cut it, and it is not the first"},
		"ErrTwo":          {template: env + "-" + tag, value: "qa-us-12", want: `is signed as "…env…-…tag…"`},
		"OKSideBySide":    {template: env + tag, value: "qa7"},
		"ErrSideBySide":   {template: env + tag, value: "qa-e7", want: "is signed as"},
		"OKTwice":         {template: env + "/" + env, value: "qa/live", reason: "of each place the rule is asked alone"},
		"OKAny":           {template: "v-\x00any in " + env, value: "v-1 in x in qa"},
		"ErrExpression":   {template: "$\x00any", value: "${{ env.TOKEN }}", want: "holds an expression", reason: "text and value make none together"},
		"OKEscaped":       {template: "$\x00any", value: "$${{ env.TOKEN }}", reason: "as the control plane writes it"},
		"OKEscapedText":   {template: "$${{ a }} " + env, value: "$${{ a }} qa"},
		"ErrUnescaped":    {template: "$${{ a }} " + env, value: "${{ a }} qa", want: "holds an expression"},
		"ErrOpenTemplate": {template: "${{ env.HOME }}" + env, value: "qa", want: "mixes what is open with an expression"},
		"OKLong":          {template: "\x00any/" + env, value: strings.Repeat("/", 1<<15) + "qa", reason: "one open part costs what its text is long"},
		"ErrTooLong":      {template: "\x00any\x00more/" + env, value: strings.Repeat("/", 1<<17), want: "takes too long", reason: "nobody keeps an agent busy"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &agentv1.Assignment{Plan: &runnerv1.Plan{Steps: []*runnerv1.Step{{Env: []*runnerv1.EnvVar{{Name: "URL", Value: tc.template}}}}}}
			specification, err := runspec.Of(a, open)
			if err != nil {
				t.Fatal(err)
			}
			a.Plan.Steps[0].Env[0].Value = tc.value
			got := strings.Join(runspec.Compare(specification, a), "; ")
			if tc.want == "" && got != "" || tc.want != "" && !strings.Contains(got, tc.want) {
				t.Errorf("got %q, want %q (%s)", got, tc.want, tc.reason)
			}
		})
	}
}

// TestValue_JSON holds what a value looks like in a specification, and that nothing is read that could be a limit.
func TestValue_JSON(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		`{}`: true, `{"enum":["a"]}`: true, `["https://",{"param":"env"},".shop"]`: true, `[]`: true,
		`{"maxLength":3}`: false, `["a",{"maxLength":3}]`: false, `[1]`: false, `[null]`: false, `[["a"]]`: false,
	} {
		var v runspec.Value
		if err := json.Unmarshal([]byte(text), &v); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if again, err := json.Marshal(v); ok && (err != nil || string(again) != text) {
			t.Errorf("%s is written as %s, %v", text, again, err)
		}
	}
}
