package step

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

const (
	// own is the prefix of variables that are between agent and runner.
	own         = "SEATRIAL_"
	defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// Env is the environment of a step.
type Env struct {
	values  map[string]string
	Secrets []string // values to redact
}

// NewEnv returns the environment of a step over that of its container, without the literals of the step. Variables of the container
// that begin with SEATRIAL_ are handed on only under the name that the step gives them.
func NewEnv(container []string, vars []*runnerv1.EnvVar) *Env {
	all := map[string]string{}
	for _, kv := range container {
		if k, v, ok := strings.Cut(kv, "="); ok {
			all[k] = v
		}
	}
	e := &Env{values: map[string]string{"PATH": defaultPath, "SEATRIAL": "true", "CI": "true"}}
	for k, v := range all {
		if !strings.HasPrefix(k, own) {
			e.values[k] = v
		}
	}
	for _, v := range vars {
		if v.GetFrom() == "" {
			continue
		}
		if value, ok := all[v.GetFrom()]; ok { // the reference may be optional
			e.Set(v.GetName(), value)
			if v.GetSecret() {
				e.Secrets = append(e.Secrets, value)
			}
		}
	}
	return e
}

// Resolve adds the literals of the step, in their order. Its error is a sentence for the person who wrote the workflow.
func (e *Env) Resolve(vars []*runnerv1.EnvVar, expand Expand) error {
	for _, v := range vars {
		if v.GetFrom() != "" {
			continue
		}
		value, err := expand(v.GetValue())
		if err != nil {
			return fmt.Errorf("environment variable %s: %w", v.GetName(), err)
		}
		e.Set(v.GetName(), value)
	}
	return nil
}

// Expand resolves the expressions of a template.
type Expand func(template string) (string, error)

// Set sets a variable.
func (e *Env) Set(name, value string) { e.values[name] = value }

// Lookup returns a variable.
func (e *Env) Lookup(name string) (string, bool) {
	v, ok := e.values[name]
	return v, ok
}

// Default replaces a directory variable that is not set or cannot be written to.
func (e *Env) Default(name, builtin, dir string) {
	current := e.values[name]
	if current == "" {
		current = builtin
	}
	if current != "" && writable(current) {
		return
	}
	if os.MkdirAll(dir, 0o777) == nil { //nolint:gosec // G301: steps may run as different users
		e.values[name] = dir
	}
}

func writable(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.IsDir() && dir != "/" && unix.Access(dir, unix.W_OK) == nil
}

// List returns the environment as a process takes it.
func (e *Env) List() []string {
	out := make([]string, 0, len(e.values))
	for k, v := range e.values {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return out
}
