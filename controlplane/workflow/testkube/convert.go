package testkube

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

// APIVersion is what the documents that can be converted say of themselves.
const APIVersion = "testworkflows.testkube.io/v1"

// Convert converts one document. The error is a *fault.Error when the document is none of theirs.
func Convert(src []byte) (*document.Document, []Warning, error) {
	root, err := load(src)
	if err != nil {
		return nil, nil, err
	}
	c := &converter{}
	doc := &document.Document{APIVersion: document.APIVersion}
	c.object(value{root, ""}, func(f *fields) {
		version, kind := c.scalar(f.take("apiVersion")), c.scalar(f.take("kind"))
		if version != APIVersion || kind != document.Workflow && kind != document.TemplateKind {
			err = fault.New(fault.Invalid, "%s %s is not a TestWorkflow or TestWorkflowTemplate of %s", version, kind, APIVersion)
		}
		doc.Kind = kind
		c.metadata(f.take("metadata"), &doc.Metadata)
		c.spec(f.take("spec"), &doc.Spec)
		f.take("status") // what a cluster says of it
	})
	if err != nil {
		return nil, nil, err
	}
	if doc.Kind == "" {
		return nil, nil, fault.New(fault.Invalid, "the document is no mapping")
	}
	unique(&doc.Spec)
	c.check(doc)
	slices.SortStableFunc(c.warnings, func(a, b Warning) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Field, b.Field))
	})
	return doc, c.warnings, nil
}

func load(src []byte) (*yaml.Node, error) {
	if len(src) > parse.MaxSource {
		return nil, fault.New(fault.Invalid, "the document has %d bytes; the limit is %d", len(src), parse.MaxSource)
	}
	dec := yaml.NewDecoder(bytes.NewReader(src))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); err != nil || len(doc.Content) != 1 {
		return nil, fault.New(fault.Invalid, "is not a YAML document: %v", err)
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, fault.New(fault.Invalid, "there is more than one document")
	}
	return doc.Content[0], nil
}

// check reads what came of it with our own parser.
func (c *converter) check(doc *document.Document) {
	raw, err := json.Marshal(doc)
	if err != nil {
		c.warn(value{}, "what came of it cannot be written: %v", err)
		return
	}
	for _, f := range parse.Read(raw).Faults {
		c.warn(value{}, "what came of it is not valid yet: %s: %s", f.Field, f.Message)
	}
}

func (c *converter) metadata(at value, m *document.Metadata) {
	c.object(at, func(f *fields) {
		m.Name, m.Labels, m.Annotations = c.scalar(f.take("name")), c.textMap(f.take("labels")), c.textMap(f.take("annotations"))
		f.drop("our catalog has no namespaces", "namespace")
		for _, of := range []string{"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"} {
			f.take(of) // what a cluster says of it
		}
	})
}

func (c *converter) spec(at value, s *document.Spec) {
	c.object(at, func(f *fields) {
		s.Description = c.scalar(f.take("description"))
		c.config(f.take("config"), &s.Params)
		c.use(f.take("use"), &s.Use)
		c.content(f.take("content"), &s.Source)
		c.pod(f.take("pod"), s)
		c.container(f.take("container"), s)
		c.job(f.take("job"), s)
		c.services(f.take("services"), s)
		c.events(f.take("events"), &s.Triggers)
		c.concurrency(f.take("concurrency"), s)
		s.Steps = append(c.steps(f.take("setup"), "", inherited{}), c.steps(f.take("steps"), "", inherited{})...)
		s.Teardown = c.steps(f.take("after"), "", inherited{})
		f.drop("the agent and spec.container settle it", "system")
		f.drop("notifications belong to the control plane: see Webhook", "notifications")
		f.drop("Seatrial chooses environments by spec.environments", "execution")
		f.drop("Seatrial mounts claims that exist, by spec.pod.volumes", "pvcs")
	})
}

func (c *converter) config(at value, into *document.Params) {
	c.mapping(at, func(name string, item value) {
		p := document.Param{Name: name, Type: expr.String}
		c.object(item, func(f *fields) {
			if t := c.scalar(f.take("type")); t != "" {
				p.Type = expr.Type(t)
			}
			p.Description, p.Pattern = c.scalar(f.take("description")), c.scalar(f.take("pattern"))
			if f.has("default") {
				p.Default = c.typed(f.take("default"), p.Type)
			}
			c.list(f.take("enum"), func(_ int, v value) { p.Enum = append(p.Enum, c.typed(v, p.Type)) })
			for field, into := range map[string]**float64{"minimum": &p.Minimum, "maximum": &p.Maximum} {
				if n, ok := c.integer(f.take(field)); ok {
					limit := float64(n)
					*into = &limit
				}
			}
			f.drop("params have no such rule; a pattern may say it", "format", "minLength", "maxLength", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
			f.drop("what is secret belongs into a secret of the cluster, named by valueFrom.secretKeyRef", "sensitive")
		})
		*into = append(*into, p)
	})
}

// typed reads a value of a type, whichever way it is quoted.
func (c *converter) typed(at value, t expr.Type) any {
	if t == expr.String {
		return c.scalar(at)
	}
	p := document.Param{Name: "x", Type: t}
	values, err := document.Params{p}.Resolve(map[string]string{"x": c.scalar(at)})
	if err != nil {
		return c.plain(at) // the parser says what is wrong with it
	}
	return values["x"]
}

func (c *converter) use(at value, into *[]document.Use) {
	c.list(at, func(_ int, item value) {
		use := document.Use{}
		c.object(item, func(f *fields) {
			use.Template = c.scalar(f.take("name"))
			use.With = c.with(f.take("config"))
		})
		*into = append(*into, use)
	})
}

func (c *converter) with(at value) map[string]any {
	var with map[string]any
	c.mapping(at, func(name string, item value) {
		if with == nil {
			with = map[string]any{}
		}
		v := c.plain(item)
		if s, ok := v.(string); ok {
			v = convertText(s)
		}
		with[name] = v
	})
	return with
}

func (c *converter) events(at value, into *[]document.Trigger) {
	c.list(at, func(_ int, item value) {
		c.object(item, func(f *fields) {
			if !f.has("cronjob") {
				return
			}
			s := &document.Schedule{}
			c.object(f.take("cronjob"), func(f *fields) {
				s.Cron, s.Timezone = c.scalar(f.take("cron")), c.scalar(f.take("timezone"))
				f.drop("a schedule of a workflow takes the defaults of its params; a document of kind Schedule may give others", "config")
				f.drop("a schedule has none", "labels", "annotations", "target")
			})
			*into = append(*into, document.Trigger{Schedule: s})
		})
	})
}

func (c *converter) concurrency(at value, s *document.Spec) {
	c.object(at, func(f *fields) {
		s.Concurrency = &document.Concurrency{Group: c.template(f.take("group"))}
		s.Concurrency.Limit, _ = c.integer(f.take("max"))
		if s.Concurrency.Group == "" {
			s.Concurrency.Group = "${{ workflow.name }}"
		}
	})
}

// duration reads a duration as Go writes it.
func (c *converter) duration(at value) document.Duration {
	text := c.scalar(at)
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		c.lost(at, "it is no duration such as 90s")
		return 0
	}
	return document.Duration(d)
}

// seconds reads a number of seconds.
func (c *converter) seconds(at value) document.Duration {
	n, _ := c.integer(at)
	return document.Duration(time.Duration(min(n, 1<<30)) * time.Second)
}

// unique gives steps of the same name different ones, as the parser demands.
func unique(s *document.Spec) {
	used := map[string]bool{}
	s.EachStep(func(_ string, step *document.Step, _ []string) {
		if step.Name == "" {
			return
		}
		base := step.Name
		for n := 2; used[step.Name] || step.Name == parse.SourceStep; n++ {
			step.Name = base + "-" + itoa(n)
		}
		used[step.Name] = true
	})
}

func (c *converter) content(at value, s *document.Source) {
	c.object(at, func(f *fields) {
		if f.has("git") {
			s.Git = c.git(f.take("git"))
		}
		c.list(f.take("files"), func(_ int, item value) { c.file(item, s) })
		f.drop("Seatrial demands the SHA-256 of the archive: write it as source.http", "tarball")
	})
}

func (c *converter) git(at value) *document.Git {
	g := &document.Git{}
	c.object(at, func(f *fields) {
		g.URL, g.Ref, g.Paths = c.template(f.take("uri")), c.template(f.take("revision")), c.templates(f.take("paths"))
		for _, key := range []string{"username", "token", "sshKey"} {
			f.drop("secrets stay in the cluster: put it into a secret and name that in source.git.secretRef", key)
			c.credential(f.take(key+"From"), key, g)
		}
		f.drop("the secret says it by its keys", "authType")
		f.drop("the repository lands in the workspace itself", "mountPath")
		f.drop("it is always so", "cone")
	})
	return g
}

// credential takes the secret of a key; ours finds the keys by their names.
func (c *converter) credential(at value, key string, g *document.Git) {
	want := map[string]string{"username": "username", "token": "token", "sshKey": "ssh-privatekey"}[key]
	c.object(at, func(f *fields) {
		if !f.has("secretKeyRef") {
			return
		}
		c.object(f.take("secretKeyRef"), func(f *fields) {
			name, is := c.scalar(f.take("name")), c.scalar(f.take("key"))
			f.take("optional") // ours takes the keys that are there
			if g.SecretRef != nil && g.SecretRef.Name != name {
				c.lost(at, "all credentials have to be in one secret")
				return
			}
			g.SecretRef = &document.NameRef{Name: name}
			if is != want {
				c.warn(at, "the secret %s has to hold it under the key %s, not %s", name, want, is)
			}
		})
	})
}

func (c *converter) file(at value, s *document.Source) {
	c.object(at, func(f *fields) {
		path := f.take("path")
		file := document.File{Path: strings.TrimPrefix(workspace(c.scalar(path)), "./"), Content: c.scalar(f.take("content"))}
		if mode := f.take("mode"); mode.Node != nil {
			var bits uint32
			if mode.Decode(&bits) != nil || bits > 0o777 {
				c.lost(mode, "permission bits are expected here")
			}
			file.Mode = document.FileMode(bits & 0o777)
		}
		if f.has("contentFrom") {
			f.drop("use source.configMap, or a volume", "contentFrom")
			return
		}
		if strings.Contains(file.Content, "{{") {
			c.warn(path, "expressions in files are not resolved by Seatrial: the content stays as it is")
		}
		if strings.HasPrefix(file.Path, "/") {
			c.lost(path, "files land below the workspace; mount a config map for others")
			return
		}
		s.Files = append(s.Files, file)
	})
}
