// Package permit decides whether a Job is within what the owner of the cluster allows.
//
// The rules come from the agent's own configuration, which is to say from the values of its chart, and from nowhere else: no command, no
// assignment and no answer of the control plane has a field for them, and they are checked on the Job that is about to be created, after
// everything that the control plane has asked for is in it. So whoever has taken the control plane over is held to them like everybody
// else. Towards the control plane the rules travel in one direction: Hello tells them, for people to read.
package permit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/distribution/reference"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Example is how rules are written.
const Example = `{"images": ["registry.example/qa/*"], "serviceAccounts": ["tester"], "secrets": ["qa-*"], "volumes": ["emptyDir"], ` +
	`"container": {"memory": "4Gi"}, "pod": {"cpu": "8"}}`

// Rules are what the owner of a cluster allows. A list that is absent allows everything of its kind; an empty one allows nothing.
type Rules struct {
	// Images are patterns of repositories, of steps and services alike: "registry.example/qa/*". A star stands for any text within one part
	// of the name, two stars for any number of parts. A short name means what it means to a container runtime: "nginx" is
	// docker.io/library/nginx. Any tag and digest will do unless the pattern has one. The runner's own image is always allowed.
	Images []string `json:"images,omitempty"`
	// ServiceAccounts are names under which tests may run; "default" is that of a test that names none.
	ServiceAccounts []string `json:"serviceAccounts,omitempty"`
	// Secrets are patterns of Secrets that a test may use: as variables, as files, and to pull its images.
	Secrets []string `json:"secrets,omitempty"`
	// Volumes are the kinds of volume that a test may mount: emptyDir, configMap, secret, persistentVolumeClaim. There is no other kind.
	Volumes []string `json:"volumes,omitempty"`
	// Container is the highest limit that one container may have, by resource. One without a limit of its own gets that.
	Container Resources `json:"container,omitempty"`
	// Pod is the most that a pod may request of its node in all, by resource.
	Pod Resources `json:"pod,omitempty"`
}

// Resources are Kubernetes quantities by the name of their resource.
type Resources map[corev1.ResourceName]resource.Quantity

func kinds() []string { return []string{"emptyDir", "configMap", "secret", "persistentVolumeClaim"} }

// Parse reads rules as JSON; a name that is not known is an error, for the rule would hold nobody to anything.
func Parse(text string) (Rules, error) {
	var r Rules
	if strings.TrimSpace(text) == "" {
		return r, nil
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(&r)
	if err == nil && !errors.Is(d.Decode(&struct{}{}), io.EOF) {
		err = errors.New("something follows the rules")
	}
	if err != nil {
		return Rules{}, fmt.Errorf("%w; write them as %s", err, Example)
	}
	return r, r.validate()
}

func (r Rules) validate() error {
	var faults []error
	for _, kind := range r.Volumes {
		if !slices.Contains(kinds(), kind) {
			faults = append(faults, fmt.Errorf("volumes: %q is none of the kinds that can be allowed: %q", kind, kinds()))
		}
	}
	for field, list := range map[string][]string{"images": r.Images, "serviceAccounts": r.ServiceAccounts, "secrets": r.Secrets} {
		for _, pattern := range list {
			if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
				faults = append(faults, fmt.Errorf("%s: %q is not a pattern", field, pattern))
			}
		}
	}
	for field, list := range map[string]Resources{"container": r.Container, "pod": r.Pod} {
		for name, most := range list {
			if most.Sign() < 0 {
				faults = append(faults, fmt.Errorf("%s: %s is less than nothing", field, name))
			}
		}
	}
	return errors.Join(faults...)
}

// Sentences say what is allowed, one rule each, for people.
func (r Rules) Sentences() []string {
	var out []string
	each := func(what string, list []string) {
		if list != nil && len(list) == 0 {
			out = append(out, what+": none")
		}
		for _, one := range list {
			out = append(out, what+": "+one)
		}
	}
	each("image", r.Images)
	each("service account", r.ServiceAccounts)
	each("secret", r.Secrets)
	each("kind of volume", r.Volumes)
	for _, name := range slices.Sorted(maps.Keys(r.Container)) {
		out = append(out, fmt.Sprintf("limit of a container: %s at most %s", name, text(r.Container[name])))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Pod)) {
		out = append(out, fmt.Sprintf("requests of a pod: %s at most %s in all", name, text(r.Pod[name])))
	}
	return out
}

func text(q resource.Quantity) string { return q.String() }

// matches compares a name with a pattern part by part; two stars stand for any number of parts.
func matches(pattern, name string) bool {
	return matchParts(strings.Split(pattern, "/"), strings.Split(name, "/"))
}

func matchParts(pattern, name []string) bool {
	if len(pattern) == 0 {
		return len(name) == 0
	}
	if pattern[0] == "**" {
		return matchParts(pattern[1:], name) || (len(name) > 0 && matchParts(pattern, name[1:]))
	}
	if len(name) == 0 {
		return false
	}
	ok, err := path.Match(pattern[0], name[0])
	return err == nil && ok && matchParts(pattern[1:], name[1:])
}

// allowsImage reports whether a pattern covers an image, with the image's name in full.
func (r Rules) allowsImage(image string) (full string, ok bool) {
	named, err := reference.ParseNormalizedNamed(image) // as container runtimes do
	if err != nil {
		return image, false
	}
	full = reference.TagNameOnly(named).String()
	return full, slices.ContainsFunc(r.Images, func(pattern string) bool {
		return matches(whole(pattern), named.Name()) || matches(whole(pattern), full)
	})
}

// whole writes out what a pattern of a short name means: "nginx" is docker.io/library/nginx, and "qa/*" is docker.io/qa/*.
func whole(pattern string) string {
	first, _, found := strings.Cut(pattern, "/")
	switch {
	case first == "**" || (found && (strings.ContainsAny(first, ".:*") || first == "localhost")):
		return pattern
	case !found:
		return "docker.io/library/" + pattern
	default:
		return "docker.io/" + pattern
	}
}
