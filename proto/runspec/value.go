package runspec

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Part is a stretch of a value: a text that is signed, or what a rule allows.
type Part struct {
	Text string
	Rule *Rule // nil for a text
}

// Value is a value of which the control plane chooses a part at least. In a specification it is {"$open": rule} when it is all open, and
// {"$open": ["text", rule, …]} otherwise.
type Value []Part

// Whole returns the value that is all open.
func Whole(r Rule) Value { return Value{{Rule: &r}} }

// MarshalJSON writes what stands behind "$open".
func (v Value) MarshalJSON() ([]byte, error) {
	if len(v) == 1 && v[0].Rule != nil {
		return json.Marshal(v[0].Rule) //nolint:wrapcheck // as it is
	}
	parts := make([]any, len(v))
	for i, p := range v {
		if parts[i] = p.Text; p.Rule != nil {
			parts[i] = p.Rule
		}
	}
	return json.Marshal(parts) //nolint:wrapcheck // as it is
}

// UnmarshalJSON reads what stands behind "$open". A member of a rule that is not known may be a limit, so it is refused.
func (v *Value) UnmarshalJSON(text []byte) error {
	if !strings.HasPrefix(string(text), "[") {
		var r Rule
		*v = Whole(r)
		return strict(text, (*v)[0].Rule)
	}
	var list []json.RawMessage
	if err := strict(text, &list); err != nil {
		return err
	}
	*v = make(Value, len(list))
	for i, one := range list {
		into := any(&(*v)[i].Text)
		if strings.HasPrefix(string(one), "{") {
			(*v)[i].Rule = &Rule{}
			into = (*v)[i].Rule
		} else if string(one) == "null" { // which is read as nothing
			return errors.New("null is no part of a value")
		}
		if err := strict(one, into); err != nil {
			return err
		}
	}
	return nil
}

// unescape replaces the texts, which are templates, by what they stand for; false when one has an expression.
func (v Value) unescape() bool {
	for i := range v {
		var plain bool
		if v[i].Text, plain = unescape(v[i].Text); !plain {
			return false
		}
	}
	return true
}

// Any reports whether any text at all is allowed at a place of the value.
func (v Value) Any() bool {
	return slices.ContainsFunc(v, func(p Part) bool { return p.Rule != nil && p.Rule.any() })
}

// String returns the value for people, with what is open in the place where it stands.
func (v Value) String() string {
	var b strings.Builder
	for _, p := range v {
		switch {
		case p.Rule == nil:
			b.WriteString(p.Text)
		case p.Rule.Param == "":
			b.WriteString("…")
		default:
			b.WriteString("…" + p.Rule.Param + "…")
		}
	}
	return b.String()
}

// around returns the value of which marks are written into a text; nil when there are none.
func around(text string, open map[string]Value) Value {
	if whole, ok := open[text]; ok {
		return whole
	}
	var out Value
	for text != "" {
		at, mark := len(text), ""
		for name := range open {
			if i := strings.Index(text, name); i >= 0 && i < at {
				at, mark = i, name
			}
		}
		if at > 0 {
			out = append(out, Part{Text: text[:at]})
		}
		out, text = append(out, open[mark]...), text[at+len(mark):]
	}
	if len(out) == 1 && out[0].Rule == nil {
		return nil
	}
	return out
}

// maxTries bounds the work of cutting a text into the parts of a value, in bytes that are looked at. Whoever writes two open parts side by side
// has a value of some thousand bytes refused.
const maxTries = 1 << 18

// wrong says why a text is not what the value allows, "" when it is: when it can be cut into stretches of which each is its part. That is what
// somebody could have chosen, so that it does not matter whether there are other ways to cut it.
func (v Value) wrong(text string) string {
	if len(v) == 1 && v[0].Rule != nil {
		return v[0].Rule.wrong(text)
	}
	c := cut{text: text, left: maxTries}
	ends := []int{0}
	for i := range v {
		ends = c.next(v, i, ends)
	}
	switch {
	case c.left < 0:
		return "takes too long to be told apart into what is signed and what is not: write a text between the open parts, or use two variables"
	case slices.Contains(ends, len(text)):
		return ""
	}
	return v.explain(text)
}

// cut finds the places at which the parts of a text may end, part by part, so that no stretch is tried twice.
type cut struct {
	text string
	left int
}

// next returns where the part with the index can end that begins at one of the places.
func (c *cut) next(v Value, index int, begins []int) []int {
	var out []int
	known := map[int]bool{}
	for _, from := range begins {
		for _, to := range c.stops(v, index, from) {
			r := v[index].Rule
			if c.left -= r.cost(to - from); c.left < 0 {
				return nil
			}
			if !known[to] && (r == nil || r.wrong(c.text[from:to]) == "") {
				known[to] = true
				out = append(out, to)
			}
		}
	}
	return out
}

// stops returns where the part with the index may end that begins at from: a text where it ends, and what is open where the text that follows
// stands, or at the end.
func (c *cut) stops(v Value, index, from int) []int {
	rest := c.text[from:]
	if v[index].Rule == nil {
		if c.left -= len(v[index].Text); strings.HasPrefix(rest, v[index].Text) {
			return []int{from + len(v[index].Text)}
		}
		return nil
	}
	if index == len(v)-1 {
		return []int{len(c.text)}
	}
	follows := v[index+1].Text // empty when it is open as well
	var out []int
	for to := from; to <= len(c.text) && c.left >= 0; to++ {
		c.left--
		if strings.HasPrefix(c.text[to:], follows) {
			out = append(out, to)
		}
	}
	return out
}

// explain says what is wrong with a text that the value does not allow. Of the only open part it can say why.
func (v Value) explain(text string) string {
	out := fmt.Sprintf("is signed as %q", v.String())
	i := slices.IndexFunc(v, func(p Part) bool { return p.Rule != nil })
	if i < 0 || slices.ContainsFunc(v[i+1:], func(p Part) bool { return p.Rule != nil }) {
		return out
	}
	var before, after string
	for _, p := range v[:i] {
		before += p.Text
	}
	for _, p := range v[i+1:] {
		after += p.Text
	}
	inside, ok := strings.CutPrefix(text, before)
	if !ok || !strings.HasSuffix(inside, after) {
		return out
	}
	if wrong := v[i].Rule.wrong(strings.TrimSuffix(inside, after)); wrong != "" {
		out += ", where the open part " + wrong
	}
	return out
}
