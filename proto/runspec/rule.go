package runspec

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Rule is what holds for a value that the control plane chooses. The zero value allows any text.
type Rule struct {
	// Param is the parameter whose value it is, for people; empty when it is made up of several things.
	Param string `json:"param,omitempty"`
	// Type of the parameter: string, integer, number or boolean; empty for string.
	Type string `json:"type,omitempty"`
	// Enum are the texts that are allowed; none means all.
	Enum []string `json:"enum,omitempty"`
	// Minimum and Maximum bound a number.
	Minimum *float64 `json:"minimum,omitempty"`
	Maximum *float64 `json:"maximum,omitempty"`
	// Pattern is a regular expression (RE2) that matches somewhere in the text.
	Pattern string `json:"pattern,omitempty"`
	// Optional allows the text that stands for a value that nobody gave: "", 0 or false.
	Optional bool `json:"optional,omitempty"`
}

// any reports whether the rule allows every text.
func (r *Rule) any() bool {
	return (r.Type == "" || r.Type == "string") && len(r.Enum) == 0 && r.Pattern == ""
}

// cost is what it takes to look at a text of that many bytes: a pattern reads it all, everything else sees soon that it is none.
func (r *Rule) cost(bytes int) int {
	if r == nil || r.Pattern == "" {
		return 1
	}
	return 1 + bytes
}

// wrong says why a text is none that the rule allows, "" when it is one.
func (r *Rule) wrong(text string) string {
	if r.Optional && text == map[string]string{"integer": "0", "number": "0", "boolean": "false"}[r.Type] {
		return ""
	}
	if wrong := r.wrongType(text); wrong != "" {
		return wrong
	}
	if len(r.Enum) > 0 && !slices.Contains(r.Enum, text) {
		return "must be one of " + strings.Join(r.Enum, ", ")
	}
	if r.Pattern != "" {
		if re, err := regexp.Compile(r.Pattern); err != nil || !re.MatchString(text) {
			return fmt.Sprintf("must match %q", r.Pattern)
		}
	}
	return ""
}

func (r *Rule) wrongType(text string) string {
	switch r.Type {
	case "", "string":
		return ""
	case "boolean":
		if text != "true" && text != "false" {
			return "must be true or false"
		}
		return ""
	case "integer":
		if _, err := strconv.ParseInt(text, 10, 64); err != nil || !reInteger.MatchString(text) {
			return "must be a whole number"
		}
	case "number":
		if !reNumber.MatchString(text) {
			return "must be a number"
		}
	default:
		return fmt.Sprintf("has a type that is not known here: %.20q", r.Type)
	}
	n, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil: // or too large to be one
		return "must be a number"
	case r.Minimum != nil && n < *r.Minimum:
		return fmt.Sprintf("must be at least %g", *r.Minimum)
	case r.Maximum != nil && n > *r.Maximum:
		return fmt.Sprintf("must be at most %g", *r.Maximum)
	}
	return ""
}

// Numbers are written as parameters are: strconv reads more, such as +1, Inf and 0x1p4, of which other programs make something else.
var (
	reInteger = regexp.MustCompile(`^-?[0-9]+$`)
	reNumber  = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?$`)
)
