package testkube

import (
	"fmt"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

// inherited is what a step has from the groups around it. Ours has no groups of steps in a row: they are written one after the other.
type inherited struct {
	condition string
	optional  bool
	container document.Container
}

// steps converts a list of steps; one of theirs may become several of ours, or none.
func (c *converter) steps(at value, group string, from inherited) []document.Step {
	var all []document.Step
	c.list(at, func(i int, item value) {
		if c.depth++; c.depth <= maxDepth {
			all = append(all, c.step(item, group, from, all)...)
		} else {
			c.lost(item, "it is nested too deeply")
		}
		c.depth--
	})
	return all
}

func (c *converter) step(at value, group string, from inherited, before []document.Step) []document.Step {
	var out []document.Step
	c.object(at, func(f *fields) {
		s := document.Step{Name: nameOf(c.scalar(f.take("name")))}
		if group != "" && s.Name != "" {
			s.Name = nameOf(group + "-" + s.Name)
		}
		s.If = both(from.condition, convertCondition(c.scalar(f.take("condition"))))
		s.ContinueOnError = c.boolean(f.take("optional")) || from.optional
		if f.has("paused") && c.boolean(f.take("paused")) {
			out = append(out, document.Step{Name: suffixed(s.Name, "pause"), If: s.If, Pause: &document.Pause{}})
		}
		c.stepContainer(f, &s, from)
		if f.has("delay") {
			out = append(out, c.delay(f.take("delay"), s)...)
		}
		f.drop("Seatrial shares a container between steps of the same image", "pure")
		f.drop("templates of Seatrial are used by a whole workflow, in spec.use", "use", "template")
		f.drop("services of Seatrial belong to the whole workflow, in spec.services", "services")
		f.drop("files of Seatrial belong to the whole workflow, in spec.source", "content")
		out = append(out, c.work(f, s, from, append(before, out...))...)
	})
	return out
}

// work converts what a step does.
func (c *converter) work(f *fields, s document.Step, from inherited, before []document.Step) []document.Step {
	switch {
	case f.has("setup") || f.has("steps"):
		return c.group(f, s, from)
	case f.has("execute"):
		s.Execute = c.execute(f.take("execute"))
		s.Image, s.WorkingDir, s.Env = "", "", nil
		s.Timeout = c.duration(f.take("timeout"))
		return []document.Step{s}
	case f.has("parallel"):
		s.Timeout = c.duration(f.take("timeout"))
		return []document.Step{c.parallel(f.take("parallel"), s)}
	case f.has("run") || f.has("shell"):
		c.command(f, &s)
		c.outcome(f, &s)
		c.artifacts(f.take("artifacts"), &s.Artifacts)
		return []document.Step{s}
	case f.has("artifacts"):
		return c.onlyArtifacts(f.take("artifacts"), s, before)
	}
	c.lost(f.at, "the step does nothing")
	return nil
}

// onlyArtifacts gives what is kept to the step before, or to a step of its own that does nothing.
func (c *converter) onlyArtifacts(at value, s document.Step, before []document.Step) []document.Step {
	c.artifacts(at, &s.Artifacts)
	if n := len(before); n > 0 && len(before[n-1].Artifacts.Paths) == 0 && (before[n-1].Run != "" || before[n-1].Command != nil) {
		before[n-1].Artifacts = s.Artifacts
		return nil
	}
	s.Run = "true"
	return []document.Step{s}
}

// group writes the steps of a group one after the other.
func (c *converter) group(f *fields, s document.Step, from inherited) []document.Step {
	inner := inherited{condition: s.If, optional: s.ContinueOnError, container: from.container}
	inner.container.Image, inner.container.WorkingDir, inner.container.Env = s.Image, s.WorkingDir, s.Env
	f.drop("Seatrial has it for single steps, not for several in a row", "retry", "timeout", "negative")
	all := append(c.steps(f.take("setup"), s.Name, inner), c.steps(f.take("steps"), s.Name, inner)...)
	c.artifactsOf(f.take("artifacts"), all)
	if f.has("run") || f.has("shell") || f.has("execute") || f.has("parallel") {
		s.Name = suffixed(s.Name, "main")
		for _, done := range []string{"setup", "steps", "artifacts"} {
			delete(f.nodes, done)
		}
		all = append(all, c.work(f, s, from, all)...)
	}
	return all
}

func (c *converter) artifactsOf(at value, steps []document.Step) {
	if at.Node == nil {
		return
	}
	if len(steps) == 0 {
		c.lost(at, "there is no step that could keep it")
		return
	}
	var a document.Artifacts
	c.artifacts(at, &a)
	last := &steps[len(steps)-1]
	last.Artifacts.Paths = append(last.Artifacts.Paths, a.Paths...)
}

func both(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return "(" + a + ") && (" + b + ")"
}

func suffixed(name, suffix string) string {
	if name == "" {
		return ""
	}
	return name + "-" + suffix
}

// delay becomes a step that sleeps.
func (c *converter) delay(at value, s document.Step) []document.Step {
	d := time.Duration(c.duration(at))
	if d <= 0 {
		return nil
	}
	return []document.Step{{
		Name: suffixed(s.Name, "delay"), If: s.If, Image: s.Image, Run: fmt.Sprintf("sleep %d", int64((d + time.Second - 1).Seconds())),
	}}
}

// stepContainer reads where a step runs.
func (c *converter) stepContainer(f *fields, s *document.Step, from inherited) {
	s.Image, s.WorkingDir, s.Env = from.container.Image, from.container.WorkingDir, from.container.Env
	read := func(at value) {
		c.object(at, func(f *fields) {
			c.where(f, s)
			f.drop("every step of Seatrial says its own command", "command", "args")
		})
	}
	read(f.take("container"))
	if f.has("workingDir") {
		s.WorkingDir = workspace(c.template(f.take("workingDir")))
	}
}

// where reads image, folder and variables.
func (c *converter) where(f *fields, s *document.Step) {
	if f.has("image") {
		s.Image = c.template(f.take("image"))
	}
	if f.has("workingDir") {
		s.WorkingDir = workspace(c.template(f.take("workingDir")))
	}
	for _, v := range c.env(f.take("env")) {
		s.Env = with(s.Env, v)
	}
	f.drop("name the variables one by one, with valueFrom", "envFrom")
	f.drop("it is for the whole workflow, in spec.container", "resources", "imagePullPolicy")
	f.drop("it is for the whole pod, in spec.pod", "securityContext", "volumeMounts")
}

func with(env []document.EnvVar, v document.EnvVar) []document.EnvVar {
	out := append([]document.EnvVar{}, env...)
	for i := range out {
		if out[i].Name == v.Name {
			out[i] = v
			return out
		}
	}
	return append(out, v)
}

// command reads what is run.
func (c *converter) command(f *fields, s *document.Step) {
	if f.has("shell") {
		s.Run = c.template(f.take("shell"))
		f.drop("a step of Seatrial has one command, and there is a shell already", "run")
		return
	}
	at := f.take("run")
	c.object(at, func(f *fields) {
		c.where(f, s)
		if f.has("shell") {
			s.Run = c.template(f.take("shell"))
			f.drop("there is a shell already", "command", "args")
			return
		}
		s.Command, s.Args = c.templates(f.take("command")), c.templates(f.take("args"))
	})
	if s.Run == "" && len(s.Command) == 0 {
		s.Command = entrypoint(s.Image)
		if len(s.Command) > 0 {
			c.warn(at, "the entrypoint of the image was its command; Seatrial names it: %q, look whether it is right", strings.Join(s.Command, " "))
			return
		}
		s.Command = []string{"NAME-THE-COMMAND"}
		c.warn(at, "the entrypoint of the image was its command; Seatrial never guesses it: write it in the place of NAME-THE-COMMAND")
	}
}

// entrypoint knows the commands of images that many tests use.
func entrypoint(image string) []string {
	name, _, _ := strings.Cut(image, "@")
	if slash := strings.LastIndexByte(name, '/'); strings.LastIndexByte(name, ':') > slash {
		name = name[:strings.LastIndexByte(name, ':')]
	}
	name = strings.TrimPrefix(strings.TrimPrefix(name, "docker.io/"), "library/")
	command, ok := map[string]string{
		"grafana/k6": "k6", "loadimpact/k6": "k6", "postman/newman": "newman", "curlimages/curl": "curl", "alpine/curl": "curl",
	}[name]
	if !ok {
		return nil
	}
	return []string{command}
}

// outcome reads how a step may end.
func (c *converter) outcome(f *fields, s *document.Step) {
	s.Timeout = c.duration(f.take("timeout"))
	if f.has("negative") && c.boolean(f.take("negative")) {
		s.Expect = &document.Expect{Result: document.Failure}
	}
	if !f.has("retry") {
		return
	}
	c.object(f.take("retry"), func(f *fields) {
		count, ok := c.integer(f.take("count"))
		if ok && count > 0 {
			s.Retry = &document.StepRetry{Attempts: min(count+1, 20)}
		}
		if count > 19 {
			c.warn(f.at, "Seatrial tries a step 20 times at most")
		}
		until := f.take("until")
		if text := c.scalar(until); text != "" && text != "passed" && text != "self.passed" {
			c.lost(until, "Seatrial tries again until the step ends as expected")
		}
	})
}

func (c *converter) artifacts(at value, a *document.Artifacts) {
	c.object(at, func(f *fields) {
		dir := workspace(c.scalar(f.take("workingDir")))
		for _, p := range c.templates(f.take("paths")) {
			p = workspace(p)
			if dir != "" && dir != "." && !strings.HasPrefix(p, "/") {
				p = strings.TrimSuffix(dir, "/") + "/" + p
			}
			a.Paths = append(a.Paths, p)
		}
		c.object(f.take("compress"), func(f *fields) {
			f.drop("files are kept one by one and can be had as one archive", "name")
		})
	})
	if at.Node != nil && len(a.Paths) == 0 {
		c.lost(at, "it names no paths")
	}
}

func (c *converter) execute(at value) *document.Execute {
	e := &document.Execute{}
	c.object(at, func(f *fields) {
		e.Parallelism, _ = c.integer(f.take("parallelism"))
		if f.has("async") && c.boolean(f.take("async")) {
			no := false
			e.Wait = &no
		}
		c.list(f.take("workflows"), func(_ int, item value) { e.Workflows = append(e.Workflows, c.workflowRef(item)) })
		f.drop("Seatrial executes workflows", "tests")
	})
	return e
}

func (c *converter) workflowRef(at value) document.WorkflowRef {
	var r document.WorkflowRef
	c.object(at, func(f *fields) {
		r.Name = c.scalar(f.take("name"))
		c.object(f.take("selector"), func(f *fields) {
			r.Selector = c.textMap(f.take("matchLabels"))
			f.drop("selectors of Seatrial compare labels for equality", "matchExpressions")
		})
		c.mapping(f.take("config"), func(name string, item value) {
			if r.Params == nil {
				r.Params = map[string]string{}
			}
			r.Params[name] = c.template(item)
		})
		f.drop("an execution of Seatrial has no text of its own", "description", "executionName")
		f.drop("the workflow that is executed says it itself", "count", "maxCount", "matrix", "shards", "target", "tarball")
	})
	return r
}
