package testkube

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Limits bound what aliases can blow up.
const (
	maxNodes    = 50_000
	maxDepth    = 40
	maxWarnings = 500
)

// Warning is something that was not carried over as it was.
type Warning struct {
	Line, Column int // in the source; 0 when unknown
	Field        string
	Message      string
}

// value is a place in the source.
type value struct {
	*yaml.Node
	path string
}

type converter struct {
	warnings []Warning
	nodes    int
	depth    int
}

func (c *converter) warn(at value, format string, args ...any) {
	if len(c.warnings) == maxWarnings {
		return
	}
	w := Warning{Field: at.path, Message: fmt.Sprintf(format, args...)}
	if at.Node != nil {
		w.Line, w.Column = at.Line, at.Column
	}
	c.warnings = append(c.warnings, w)
}

// lost says that a field was not carried over, and why.
func (c *converter) lost(at value, why string) {
	if at.Node != nil {
		c.warn(at, "was not carried over: %s", why)
	}
}

func (c *converter) resolve(at value) (value, bool) {
	for at.Node != nil && at.Kind == yaml.AliasNode {
		at.Node = at.Alias
	}
	if c.nodes++; c.nodes > maxNodes || at.Node == nil {
		return at, false
	}
	return at, at.ShortTag() != "!!null"
}

// fields is a mapping of which every entry must be taken.
type fields struct {
	c     *converter
	at    value
	left  []string
	nodes map[string]value
}

// object opens a mapping, hands it out, and names what was not taken.
func (c *converter) object(at value, read func(f *fields)) {
	at, ok := c.resolve(at)
	if !ok {
		return
	}
	if c.depth++; c.depth > maxDepth {
		c.lost(at, "it is nested too deeply")
	}
	defer func() { c.depth-- }()
	if c.depth > maxDepth {
		return
	}
	if at.Kind != yaml.MappingNode {
		c.lost(at, "a mapping is expected here")
		return
	}
	f := &fields{c: c, at: at, nodes: map[string]value{}}
	for i := 0; i+1 < len(at.Content); i += 2 {
		name := at.Content[i].Value
		path := name
		if at.path != "" {
			path = at.path + "." + name
		}
		if _, twice := f.nodes[name]; twice {
			c.lost(value{at.Content[i], path}, "it is there twice")
			continue
		}
		if at.Content[i+1].ShortTag() == "!!null" {
			continue // as if it were not there
		}
		f.nodes[name] = value{at.Content[i+1], path}
		f.left = append(f.left, name)
	}
	read(f)
	for _, name := range f.left {
		c.lost(f.nodes[name], "there is nothing like it")
	}
}

// take returns a field; its node is nil when it is not there.
func (f *fields) take(name string) value {
	f.left = slices.DeleteFunc(f.left, func(s string) bool { return s == name })
	return f.nodes[name]
}

func (f *fields) has(name string) bool { return f.nodes[name].Node != nil }

// drop names fields that cannot be carried over, with the reason.
func (f *fields) drop(why string, names ...string) {
	for _, name := range names {
		f.c.lost(f.take(name), why)
		delete(f.nodes, name)
	}
}

// list visits the items of a sequence.
func (c *converter) list(at value, each func(i int, item value)) {
	at, ok := c.resolve(at)
	if !ok {
		return
	}
	if at.Kind != yaml.SequenceNode {
		c.lost(at, "a list is expected here")
		return
	}
	for i, item := range at.Content {
		each(i, value{item, at.path + "[" + strconv.Itoa(i) + "]"})
	}
}

// mapping visits the entries of a mapping with free names.
func (c *converter) mapping(at value, each func(name string, item value)) {
	at, ok := c.resolve(at)
	if !ok {
		return
	}
	if at.Kind != yaml.MappingNode {
		c.lost(at, "a mapping is expected here")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(at.Content); i += 2 {
		name := at.Content[i].Value
		item := value{at.Content[i+1], at.path + "." + name}
		if seen[name] {
			c.lost(item, "it is there twice")
			continue
		}
		seen[name] = true
		each(name, item)
	}
}

// scalar returns the text of a scalar as it is written.
func (c *converter) scalar(at value) string {
	at, ok := c.resolve(at)
	if !ok {
		return ""
	}
	if at.Kind != yaml.ScalarNode {
		c.lost(at, "a text is expected here")
		return ""
	}
	if strings.ContainsRune(at.Value, 0) {
		c.lost(at, "it holds a NUL byte")
		return ""
	}
	return at.Value
}

func (c *converter) boolean(at value) bool {
	var b bool
	if target, ok := c.resolve(at); ok && target.Decode(&b) != nil {
		c.lost(at, "true or false is expected here")
	}
	return b
}

func (c *converter) integer(at value) (int64, bool) {
	target, ok := c.resolve(at)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(target.Value, 10, 64)
	if target.Kind != yaml.ScalarNode || err != nil {
		c.lost(at, "a whole number is expected here; expressions are not possible")
		return 0, false
	}
	return n, true
}

// plain returns a string, int64, float64 or bool.
func (c *converter) plain(at value) any {
	target, ok := c.resolve(at)
	if !ok || target.Kind != yaml.ScalarNode {
		c.lost(at, "a text, number or boolean is expected here")
		return ""
	}
	var v any
	if err := target.Decode(&v); err != nil {
		return target.Value
	}
	switch v := v.(type) {
	case int:
		return int64(v)
	case float64, bool:
		return v
	}
	return target.Value
}

func (c *converter) texts(at value) []string {
	var all []string
	c.list(at, func(_ int, item value) { all = append(all, c.scalar(item)) })
	return all
}

func (c *converter) textMap(at value) map[string]string {
	all := map[string]string{}
	c.mapping(at, func(name string, item value) { all[name] = c.scalar(item) })
	if len(all) == 0 {
		return nil
	}
	return all
}
