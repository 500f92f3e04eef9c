package specify

import (
	"bytes"
	"encoding/json"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
	"github.com/seatrial/seatrial/proto/runspec"
)

// Annotate writes an envelope into the text of a document, in place of the one that it carries. Nothing else of the text changes where
// that can be: a way of writing that it does not know is written anew.
func Annotate(src []byte, envelope string) ([]byte, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(src, &root); err != nil || len(root.Content) != 1 {
		return nil, fault.New(fault.Invalid, "the document is no YAML")
	}
	want, err := bare(src)
	if err != nil {
		return nil, err
	}
	for _, way := range []func() []byte{
		func() []byte { return insert(src, root.Content[0], envelope) },
		func() []byte { return anew(&root, envelope) },
	} {
		out := way()
		if out == nil || !carries(out, envelope) {
			continue
		}
		if got, err := bare(out); err == nil && bytes.Equal(got, want) {
			return out, nil
		}
	}
	return nil, fault.New(fault.Invalid, "the annotation %s cannot be written into the document", runspec.Annotation).
		WithHint("Write metadata as a block, one field in a line.")
}

// bare returns a document without its envelope, in canonical JSON.
func bare(src []byte) ([]byte, error) {
	doc := parse.Read(src).Workflow()
	if doc == nil {
		return nil, fault.New(fault.Invalid, "the document is no workflow without faults")
	}
	delete(doc.Metadata.Annotations, runspec.Annotation)
	return json.Marshal(doc) //nolint:wrapcheck // as it was read
}

func carries(src []byte, envelope string) bool {
	doc := parse.Read(src).Workflow()
	return doc != nil && doc.Metadata.Annotations[runspec.Annotation] == envelope
}

// insert edits the text, nil when it does not know how.
func insert(src []byte, root *yaml.Node, envelope string) []byte {
	quote, name := quoteYAML, func(text string) string { return text }
	if strings.HasPrefix(strings.TrimSpace(string(src)), "{") {
		quote, name = quoteJSON, quoteJSON
	}
	_, metadata := field(root, "metadata")
	_, annotations := field(metadata, "annotations")
	_, old := field(annotations, runspec.Annotation)
	entry := name(runspec.Annotation) + ": " + quote(envelope)
	switch {
	case metadata == nil:
		return nil
	case old != nil:
		return replace(src, old, quote(old.Value), quote(envelope))
	case annotations != nil:
		return into(src, annotations, entry)
	case flow(metadata):
		return into(src, metadata, name("annotations")+": {"+entry+"}")
	}
	first, _ := field(metadata, "name")
	if first == nil {
		return nil
	}
	indent := strings.Repeat(" ", first.Column-1)
	return line(src, first.Line+1, indent+"annotations:\n"+indent+"  "+entry+"\n")
}

func quoteYAML(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

func quoteJSON(text string) string {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(text) // a text can always be written to memory
	return strings.TrimSpace(out.String())
}

func flow(n *yaml.Node) bool { return n.Style&yaml.FlowStyle != 0 }

// field returns the key and the value of a field of a mapping.
func field(n *yaml.Node, name string) (key, value *yaml.Node) {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i], n.Content[i+1]
		}
	}
	return nil, nil
}

// into adds an entry to a mapping that is written out.
func into(src []byte, n *yaml.Node, entry string) []byte {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	if !flow(n) {
		if len(n.Content) == 0 {
			return nil
		}
		first := n.Content[0]
		return line(src, first.Line, strings.Repeat(" ", first.Column-1)+entry+"\n")
	}
	if len(n.Content) > 0 {
		entry += ", "
	}
	return replace(src, n, "{", "{"+entry)
}

// replace puts a text in place of the one with which a node begins.
func replace(src []byte, n *yaml.Node, before, after string) []byte {
	lines := strings.SplitAfter(string(src), "\n")
	if n.Line > len(lines) {
		return nil
	}
	text := []rune(lines[n.Line-1])
	if n.Column-1 > len(text) {
		return nil
	}
	head, rest := string(text[:n.Column-1]), string(text[n.Column-1:])
	if !strings.HasPrefix(rest, before) {
		return nil
	}
	lines[n.Line-1] = head + after + strings.TrimPrefix(rest, before)
	return []byte(strings.Join(lines, ""))
}

// line puts one before that with the number.
func line(src []byte, number int, text string) []byte {
	lines := strings.SplitAfter(string(src), "\n")
	if number > len(lines)+1 {
		return nil
	}
	head, rest := strings.Join(lines[:number-1], ""), strings.Join(lines[number-1:], "")
	if head != "" && !strings.HasSuffix(head, "\n") {
		head += "\n"
	}
	return []byte(head + text + rest)
}

// anew writes the whole document, with its comments.
func anew(root *yaml.Node, envelope string) []byte {
	_, metadata := field(root.Content[0], "metadata")
	if metadata == nil {
		return nil
	}
	_, annotations := field(metadata, "annotations")
	if annotations == nil || annotations.Kind != yaml.MappingNode {
		fresh := &yaml.Node{Kind: yaml.MappingNode}
		if annotations != nil {
			*annotations = *fresh
		} else {
			annotations = fresh
			metadata.Content = append(metadata.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: "annotations"}, annotations)
		}
	}
	value := &yaml.Node{Kind: yaml.ScalarNode, Value: envelope, Style: yaml.SingleQuotedStyle}
	if _, old := field(annotations, runspec.Annotation); old != nil {
		*old = *value
	} else {
		annotations.Content = append(annotations.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: runspec.Annotation}, value)
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if enc.Encode(root) != nil || enc.Close() != nil {
		return nil
	}
	return out.Bytes()
}

// Envelope returns the one that a document carries, "" for none.
func Envelope(doc *document.Document) string { return doc.Metadata.Annotations[runspec.Annotation] }
