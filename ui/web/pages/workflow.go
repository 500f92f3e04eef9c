package pages

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/ui/web/view"
	"github.com/seatrial/seatrial/ui/web/words"
)

// ParamField is the name of the input of a parameter: apart from the names of the form's own inputs.
func ParamField(name string) string { return "param." + name }

// value returns what the input of a parameter holds: what was typed in, else the default.
func (f RunForm) value(p view.Param) string {
	if v, ok := f.Values[p.Name]; ok {
		return v
	}
	return p.Default
}

// environment returns the one that is chosen: what was asked for, else the only one there is.
func (p WorkflowProps) environment() string {
	if p.Form.Environment == "" && len(p.Environments) == 1 && len(p.Workflow.Places) == 0 {
		return p.Environments[0].Name
	}
	return p.Form.Environment
}

// choices returns the values of a parameter that can only have some; nil when it can have any.
func choices(p view.Param) []string {
	if p.Type == "boolean" {
		return []string{"true", "false"}
	}
	return p.Enum
}

// inputType returns the type of the input of a parameter, and its step for numbers.
func inputType(p view.Param) (kind, step string) {
	switch p.Type {
	case "integer":
		return "number", "1"
	case "number":
		return "number", "any"
	}
	return "text", ""
}

func inputKind(p view.Param) string { k, _ := inputType(p); return k }
func inputStep(p view.Param) string { _, s := inputType(p); return s }

// hint describes a parameter.
func hint(p view.Param) string {
	said := []string{p.Type}
	if p.Type == "" {
		said[0] = "string"
	}
	if p.Required {
		said = append(said, "required")
	}
	if p.Description != "" {
		return p.Description + " (" + strings.Join(said, ", ") + ")"
	}
	return strings.Join(said, ", ")
}

// described lists the ids of what explains an input, for people who do not see it.
func described(id, hint, wrong string) string {
	var ids []string
	if wrong != "" {
		ids = append(ids, id+"-wrong")
	}
	if hint != "" {
		ids = append(ids, id+"-hint")
	}
	return strings.Join(ids, " ")
}

// place names an environment and where it is.
func place(e cluster.Environment) string {
	return e.Name + ": " + e.ClusterName + ", namespace " + e.Namespace
}

// tags lists labels in a fixed order.
func tags(labels map[string]string) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		out = append(out, k+"="+labels[k])
	}
	return out
}

// revision says which revision of a workflow something is about.
func revision(n int, digest string) string {
	return "revision " + words.Number(int64(n)) + " · " + words.Short(digest)
}

// yamlLine is a line of a document: what stands before a key, the key, and the rest.
type yamlLine struct {
	before, key, rest string
	comment           bool
}

var yamlKey = regexp.MustCompile(`^(\s*(?:- )*)([A-Za-z_][\w./-]*)(:(?:\s.*)?)$`)

// yaml cuts a document into lines for reading.
func yaml(source string) []yamlLine {
	var out []yamlLine
	for l := range strings.SplitSeq(strings.TrimRight(source, "\n"), "\n") {
		l = strings.TrimRight(l, "\r")
		m := yamlKey.FindStringSubmatch(l)
		switch {
		case strings.HasPrefix(strings.TrimSpace(l), "#"):
			out = append(out, yamlLine{rest: l, comment: true})
		case m != nil:
			out = append(out, yamlLine{before: m[1], key: m[2], rest: m[3]})
		default:
			out = append(out, yamlLine{rest: l})
		}
	}
	return out
}
