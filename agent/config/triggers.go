package config

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

const triggersExample = `{"namespaces": ["shop"], "resources": ["deployments", "rollouts.argoproj.io"]}`

// Triggers say which objects the agent may look at, whose changes start tests.
type Triggers struct {
	// Namespaces are those of the objects; "*" is all, none for none.
	Namespaces []string `json:"namespaces"`
	// Resources are named as kubectl names them, with their group unless it is built in.
	Resources []string `json:"resources"`
}

func (r *reader) triggers(text string) (out Triggers) {
	if strings.TrimSpace(text) == "" {
		return out
	}
	if err := strict(text, &out); err != nil {
		r.faults = append(r.faults, fmt.Errorf("%s does not say what may be looked at: %w; write it as %s", envName("triggers"), err, triggersExample))
	}
	return out
}

func (t Triggers) faults() (faults []error) {
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%s: %w", envName("triggers"), fmt.Errorf(format, args...)))
	}
	for _, namespace := range t.Namespaces {
		if namespace != "*" && len(validation.IsDNS1123Label(namespace)) > 0 {
			fault("%q is not a namespace", namespace)
		}
	}
	if slices.Contains(t.Namespaces, "*") && len(t.Namespaces) > 1 {
		fault(`"*" is all namespaces already: leave the others out`)
	}
	for _, resource := range t.Resources {
		plural, group, _ := strings.Cut(resource, ".")
		switch {
		case plural == "secrets" && group == "":
			fault("secrets are never looked at")
		case len(validation.IsDNS1123Label(plural)) > 0, group != "" && len(validation.IsDNS1123Subdomain(group)) > 0, strings.HasSuffix(resource, "."):
			fault("%q is not a resource; write it as kubectl api-resources shows it, such as deployments or rollouts.argoproj.io", resource)
		}
	}
	return faults
}
