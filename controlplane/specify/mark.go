package specify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"

	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
	"github.com/seatrial/seatrial/proto/runspec"
)

// marker puts texts that nobody else writes in the place of expressions whose values are chosen later. What is around them stays what it is,
// and is signed.
type marker struct {
	doc    *workflow.Document
	names  *expr.Compiler
	prefix string // of every mark; the document has it nowhere
	open   map[string]runspec.Value
	notes  []string
}

// prefix returns a text with which nothing begins in a document.
func prefix(raw []byte) string {
	for n := 0; ; n++ {
		text := fmt.Sprintf("\x00open %d.", n)
		quoted, err := json.Marshal(text)
		if err == nil && !bytes.Contains(raw, bytes.Trim(quoted, `"`)) {
			return text
		}
	}
}

func (m *marker) mark(v variable) error {
	text := v.text
	marked, err := expr.Fill(text.get(), func(expression string) (string, bool) {
		if m.fixed(expression) {
			return "", false
		}
		mark := fmt.Sprintf("%s%d\x00", m.prefix, len(m.open))
		open := runspec.Whole(rule(m.doc, expression))
		if m.open[mark] = open; open.Any() {
			m.notes = append(m.notes, fmt.Sprintf("%s may be any text where it says ${{ %s }}: a parameter with an enum or a pattern would bound it", v, expression))
		}
		return mark, true
	})
	if err != nil {
		return err //nolint:wrapcheck // the caller says where
	}
	text.set(marked)
	return nil
}

// fixed reports whether the document says what an expression is: it uses nothing but matrix, shard and workflow. When in doubt it does not.
func (m *marker) fixed(expression string) bool {
	t, err := m.names.Compile("${{ "+expression+" }}", expr.InPod)
	return err == nil && !slices.ContainsFunc(t.Uses(), isFree)
}

// rule returns what holds for the value of an expression: the rule of its parameter when it is nothing else.
func rule(doc *workflow.Document, expression string) runspec.Rule {
	if pattern, ok := patterns()[expression]; ok {
		return runspec.Rule{Pattern: pattern}
	}
	m := reParam.FindStringSubmatch(expression)
	if m == nil {
		return runspec.Rule{}
	}
	i := slices.IndexFunc(doc.Spec.Params, func(p workflow.Param) bool { return p.Name == m[1] })
	if i < 0 {
		return runspec.Rule{}
	}
	p := doc.Spec.Params[i]
	out := runspec.Rule{
		Param: p.Name, Type: string(p.Type), Minimum: p.Minimum, Maximum: p.Maximum, Pattern: p.Pattern, Optional: p.Default == nil && !p.MustBeGiven(),
	}
	for _, v := range p.Enum {
		out.Enum = append(out.Enum, workflow.Text(v))
	}
	return out
}

var reParam = regexp.MustCompile(`^params\.(\w+)$`)

// patterns are what the names of things look like that the control plane brings, wherever it checks them itself. An execution without an
// environment has no name of it.
func patterns() map[string]string {
	const label = `^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$`
	return map[string]string{
		"environment.name": label, "environment.namespace": label, "cluster.name": label, "execution.id": `^[0-9a-f-]{0,36}$`,
	}
}
