package workflow

import (
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/seatrial/seatrial/controlplane/workflow/expr"
)

const (
	maxSteps   = 100
	maxFiles   = 1000
	sourceStep = "source" // name of the step that fetches source.git
)

func (r *reader) source(at node, s *Source) {
	r.object(at, fields{
		"files": func(n node) { r.files(n, &s.Files) },
		"git":   func(n node) { s.Git = r.git(n) },
	}, "configMap", "oci", "http")
}

func (r *reader) files(at node, into *[]File) {
	r.listOf(at, maxFiles, func(_ int, item node) {
		f := r.file(item)
		for _, other := range *into {
			if f.Path != "" && clash(f.Path, other.Path) {
				r.fault(item.under("path"), "%q and %q cannot both exist", shorten(f.Path), shorten(other.Path))
			}
		}
		*into = append(*into, f)
	})
}

func clash(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+"/") && b != "" || strings.HasPrefix(b, a+"/")
}

func (r *reader) file(at node) File {
	var f File
	var hasPath, hasContent bool
	r.object(at, fields{
		"path":    func(n node) { hasPath = true; r.checked(&f.Path, isFile)(n) },
		"content": func(n node) { hasContent = true; r.checked(&f.Content, anything)(n) },
		"mode":    func(n node) { f.Mode = r.mode(n) },
	})
	if !hasPath {
		r.fault(at.under("path"), "is missing")
	}
	if !hasContent {
		r.fault(at.under("content"), `is missing; write content: "" for an empty file`)
	}
	return f
}

var reMode = regexp.MustCompile(`^0o?([0-7]{3})$`)

// mode reads permission bits, which people write in octal: 755 without a zero would be another number to YAML.
func (r *reader) mode(at node) uint32 {
	value, ok := r.scalar(at, "permission bits", "!!int", "!!str")
	if !ok {
		return 0
	}
	m := reMode.FindStringSubmatch(value.Value)
	if m == nil {
		r.fault(at, "must be permission bits in octal with a leading zero, such as 0644 or 0755, not %q", shorten(value.Value))
		return 0
	}
	bits, err := strconv.ParseUint(m[1], 8, 32)
	if err != nil {
		r.fault(at, "%v", err)
	}
	return uint32(bits)
}

func (r *reader) git(at node) *Git {
	g := &Git{}
	hasURL := false
	r.object(at, fields{
		"url":       func(n node) { hasURL = true; r.template(&g.URL, expr.Here, isGitURL)(n) },
		"ref":       r.template(&g.Ref, expr.Here, isGitRef),
		"paths":     r.templateList(&g.Paths, expr.Here, isInWorkspace),
		"depth":     r.integer(&g.Depth, 1, 1_000_000),
		"secretRef": func(n node) { g.SecretRef = r.nameOf(n) },
	})
	if !hasURL {
		r.fault(at.under("url"), "is missing")
	}
	return g
}

func (r *reader) steps(at node, s *Spec) {
	before := len(r.places)
	r.listOf(at, maxSteps, func(_ int, item node) { s.Steps = append(s.Steps, r.step(item)) })
	if len(s.Steps) == 0 && len(r.places) == before {
		r.fault(at, "is empty: a workflow needs at least one step")
	}
}

func (r *reader) step(at node) Step {
	var s Step
	var run, command, other bool
	standsIn := func(n node) { other = true; r.later(n, n.path[strings.LastIndexByte(n.path, '.')+1:]) }
	r.object(at, fields{
		"name":       r.checked(&s.Name, isLabel),
		"run":        func(n node) { run = true; r.template(&s.Run, expr.InPod, notBlank)(n) },
		"command":    func(n node) { command = true; r.templateList(&s.Command, expr.InPod, anything)(n) },
		"args":       r.templateList(&s.Args, expr.InPod, anything),
		"image":      r.template(&s.Image, expr.Here, isImage),
		"workingDir": r.template(&s.WorkingDir, expr.Here, isWorkingDir),
		"env":        func(n node) { r.env(n, &s.Env) },
		"timeout":    r.duration(&s.Timeout),
		"reports": func(n node) {
			r.list(n, func(_ int, item node) { s.Reports = append(s.Reports, r.report(item)) })
		},
		"artifacts": func(n node) { r.artifacts(n, &s.Artifacts) },
		"pause":     standsIn, "execute": standsIn, "parallel": standsIn,
	}, "if", "retry", "continueOnError", "expect", "outputs", "metrics")
	switch {
	case run && command:
		r.fault(at, "run and command exclude each other: run is a shell script, command is started as it is")
	case !run && !command && !other:
		r.fault(at, "needs run (a shell script) or command (started as it is); the entrypoint of an image is never guessed")
	case command && len(s.Command) == 0:
		r.fault(at.under("command"), "is empty")
	case len(s.Args) > 0 && !command:
		r.fault(at.under("args"), "needs command; with run, write the arguments into the script")
	}
	return s
}

func notBlank(s string) string {
	if strings.TrimSpace(s) == "" {
		return "is empty"
	}
	return ""
}

// finishSteps checks what concerns several steps, and names those without a name.
func (r *reader) finishSteps(at node, s *Spec) {
	used := map[string]int{}
	for i := range s.Steps {
		step := &s.Steps[i]
		place := r.stepNode(at, i)
		if step.Name == "" {
			step.Name = "step-" + strconv.Itoa(i+1)
		}
		if first, taken := used[step.Name]; taken {
			r.fault(place, "the name %q is that of steps[%d] already", step.Name, first)
		}
		used[step.Name] = i
		if step.Name == sourceStep && s.Source.Git != nil {
			r.fault(place, "the name %q is that of the step that fetches source.git", sourceStep)
		}
		if step.Image == "" && s.Container.Image == "" && (step.Run != "" || len(step.Command) > 0) {
			r.fault(place, "has no image: set image here or spec.container.image for all steps")
		}
	}
}

// stepNode finds the node of a step again, for its line.
func (r *reader) stepNode(spec node, i int) node {
	place := node{spec.Node, spec.path + ".steps[" + strconv.Itoa(i) + "]"}
	for k := 0; k+1 < len(spec.Content); k += 2 {
		if spec.Content[k].Value != "steps" {
			continue
		}
		steps := spec.Content[k+1]
		if steps.Kind == yaml.AliasNode {
			steps = steps.Alias
		}
		if i < len(steps.Content) {
			place.Node = steps.Content[i]
		}
	}
	return place
}

func (r *reader) report(at node) Report {
	var rep Report
	format := false
	r.object(at, fields{
		"format": func(n node) { format = true; r.format(n, &rep.Format) },
		"paths":  r.templateList(&rep.Paths, expr.Here, isPattern),
	})
	if !format {
		r.fault(at.under("format"), "is missing; junit is the one that is supported")
	}
	if len(rep.Paths) == 0 {
		r.fault(at.under("paths"), "is missing")
	}
	return rep
}

func (r *reader) format(at node, into *string) {
	s, ok := r.text(at)
	switch {
	case !ok:
	case s == "junit":
		*into = s
	case oneOf("auto", "playwright", "ctrf", "gotest", "k6", "newman", "jtl", "tap", "nunit", "xunit", "trx", "robot", "cucumber")(s) == "":
		r.later(at, "format "+s)
	default:
		r.fault(at, "must be junit, not %q", shorten(s))
	}
}

func (r *reader) artifacts(at node, a *Artifacts) {
	r.object(at, fields{"paths": r.templateList(&a.Paths, expr.Here, isPattern)}, "compress", "when", "maxSize")
	if len(a.Paths) == 0 {
		r.fault(at.under("paths"), "is missing")
	}
}
