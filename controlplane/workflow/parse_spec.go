package workflow

import (
	"go.yaml.in/yaml/v3"

	"github.com/seatrial/seatrial/controlplane/workflow/expr"
)

func (r *reader) spec(at node, s *Spec) {
	hasSteps := false
	r.object(at, fields{
		"description": r.checked(&s.Description, anything),
		"params":      func(n node) { r.params(n, &s.Params) },
		"source":      func(n node) { r.source(n, &s.Source) },
		"container":   func(n node) { r.container(n, &s.Container) },
		"pod":         func(n node) { r.pod(n, &s.Pod) },
		"timeout":     r.duration(&s.Timeout),
		"steps":       func(n node) { hasSteps = true; r.steps(n, s) },
	}, "triggers", "environments", "concurrency", "priority", "retry", "services", "matrix", "shards", "failFast", "maxParallel",
		"use", "teardown")
	if !hasSteps {
		r.fault(at.under("steps"), "is missing: a workflow needs at least one step")
		return
	}
	r.finishSteps(at, s)
	if size := packedSize(s.Source.Files, scripts(s)); size > maxPacked {
		r.fault(at.under("source.files"), "%s", tooLarge(size))
	}
}

func scripts(s *Spec) []string {
	var all []string
	for _, step := range s.Steps {
		all = append(append(append(all, step.Run), step.Command...), step.Args...)
	}
	return all
}

func (r *reader) container(at node, c *Container) {
	r.object(at, fields{
		"image":           r.template(&c.Image, expr.Here, isImage),
		"imagePullPolicy": r.checked(&c.ImagePullPolicy, oneOf("Always", "IfNotPresent", "Never")),
		"workingDir":      r.template(&c.WorkingDir, expr.Here, isWorkingDir),
		"env":             func(n node) { r.env(n, &c.Env) },
		"resources": func(n node) {
			r.object(n, fields{"requests": r.quantities(&c.Resources.Requests), "limits": r.quantities(&c.Resources.Limits)})
		},
	})
}

// quantities reads a mapping of resource names; plain numbers are quantities too.
func (r *reader) quantities(into *map[string]string) func(node) {
	return func(at node) {
		for _, e := range r.mapping(at) {
			value, ok := r.scalar(e.value, "a quantity", "!!str", "!!int", "!!float")
			if !ok {
				continue
			}
			wrong := isQualifiedName(e.key)
			if wrong == "" {
				wrong = isQuantity(value.Value)
			}
			if wrong != "" {
				r.fault(e.value, "%s", wrong)
				continue
			}
			if *into == nil {
				*into = map[string]string{}
			}
			(*into)[e.key] = value.Value
		}
	}
}

func (r *reader) env(at node, into *[]EnvVar) {
	names := map[string]bool{}
	r.list(at, func(_ int, item node) {
		v := r.envVar(item)
		if v.Name != "" && names[v.Name] {
			r.fault(item.under("name"), "%s is set twice in this list", v.Name)
		}
		names[v.Name] = true
		*into = append(*into, v)
	})
}

func (r *reader) envVar(at node) EnvVar {
	var v EnvVar
	var named, value, from bool
	r.object(at, fields{
		"name":  func(n node) { named = true; r.checked(&v.Name, isEnvName)(n) },
		"value": func(n node) { value = true; r.template(&v.Value, expr.InPod, anything)(n) },
		"valueFrom": func(n node) {
			from = true
			r.object(n, fields{
				"secretKeyRef":    func(n node) { v.Secret = r.keyRef(n) },
				"configMapKeyRef": func(n node) { v.ConfigMap = r.keyRef(n) },
			})
			if (v.Secret == nil) == (v.ConfigMap == nil) {
				r.fault(n, "needs exactly one of secretKeyRef and configMapKeyRef")
			}
		},
	})
	if !named {
		r.fault(at.under("name"), "is missing")
	}
	if value && from {
		r.fault(at, "value and valueFrom exclude each other")
	}
	return v
}

func (r *reader) keyRef(at node) *KeyRef {
	ref := &KeyRef{}
	var name, key bool
	r.object(at, fields{
		"name":     func(n node) { name = true; r.checked(&ref.Name, isObjectName)(n) },
		"key":      func(n node) { key = true; r.checked(&ref.Key, isKey)(n) },
		"optional": r.boolean(&ref.Optional),
	})
	if !name {
		r.fault(at.under("name"), "is missing")
	}
	if !key {
		r.fault(at.under("key"), "is missing")
	}
	return ref
}

func (r *reader) pod(at node, p *Pod) {
	r.object(at, fields{
		"serviceAccountName": r.checked(&p.ServiceAccountName, isObjectName),
		"nodeSelector":       r.stringMap(&p.NodeSelector, isQualifiedName, isLabelValue),
		"labels":             r.stringMap(&p.Labels, isPodKey, isLabelValue),
		"annotations":        r.stringMap(&p.Annotations, isPodKey, anything),
		"tolerations": func(n node) {
			r.list(n, func(_ int, item node) { p.Tolerations = append(p.Tolerations, r.toleration(item)) })
		},
		"imagePullSecrets": func(n node) {
			r.list(n, func(_ int, item node) { p.ImagePullSecrets = append(p.ImagePullSecrets, r.nameOf(item)) })
		},
		"securityContext": func(n node) { r.security(n, &p.Security) },
	}, "volumes")
}

// nameOf reads {name: x}.
func (r *reader) nameOf(at node) string {
	var name string
	named := false
	r.object(at, fields{"name": func(n node) { named = true; r.checked(&name, isObjectName)(n) }})
	if target, ok := r.resolve(at); ok && !named && target.Kind == yaml.MappingNode {
		r.fault(at.under("name"), "is missing")
	}
	return name
}

func (r *reader) toleration(at node) Toleration {
	t := Toleration{}
	r.object(at, fields{
		"key":               r.checked(&t.Key, isQualifiedName),
		"operator":          r.checked(&t.Operator, oneOf("Equal", "Exists")),
		"value":             r.checked(&t.Value, isLabelValue),
		"effect":            r.checked(&t.Effect, oneOf("NoSchedule", "PreferNoSchedule", "NoExecute")),
		"tolerationSeconds": r.count(&t.Seconds),
	})
	switch {
	case t.Key == "" && t.Operator != "Exists":
		r.fault(at, "needs a key, or operator: Exists to tolerate everything")
	case t.Value != "" && t.Operator == "Exists":
		r.fault(at, "operator Exists takes no value")
	case t.Seconds != nil && t.Effect != "NoExecute":
		r.fault(at, "tolerationSeconds needs effect: NoExecute")
	}
	return t
}

func (r *reader) security(at node, s *Security) {
	r.object(at, fields{
		"runAsUser":              r.count(&s.RunAsUser),
		"runAsGroup":             r.count(&s.RunAsGroup),
		"runAsNonRoot":           r.booleanPtr(&s.RunAsNonRoot),
		"fsGroup":                r.count(&s.FSGroup),
		"readOnlyRootFilesystem": r.booleanPtr(&s.ReadOnlyRootFilesystem),
	})
	if s.RunAsNonRoot != nil && *s.RunAsNonRoot && s.RunAsUser != nil && *s.RunAsUser == 0 {
		r.fault(at, "runAsNonRoot: true and runAsUser: 0 exclude each other")
	}
}
