package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
)

const subjectExample = `[{"runNamespace": "tests", "namespace": "shop", "selector": "app=shop"}]`

// Subject says which pods the attempts of a run namespace test.
type Subject struct {
	// RunNamespace is one of the run namespaces; empty means all of them.
	RunNamespace string `json:"runNamespace"`
	// Namespace is where the pods run.
	Namespace string `json:"namespace"`
	// Selector is a label selector of the pods; empty means all.
	Selector string `json:"selector"`
}

// subjects reads the list; a name that is not known is a fault, for it would observe something else than what was meant.
func (r *reader) subjects(text string) []Subject {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	var out []Subject
	if err := strict(text, &out); err != nil {
		r.faults = append(r.faults, fmt.Errorf("%s is no list of subjects: %w; write it as %s", envName("subjects"), err, subjectExample))
		return nil
	}
	return out
}

// strict decodes JSON that has no field that is not known, and nothing behind it.
func strict(text string, into any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err //nolint:wrapcheck // the caller says of what
	}
	if !errors.Is(d.Decode(&struct{}{}), io.EOF) {
		return errors.New("something follows it")
	}
	return nil
}

// subjectFaults reports every fault of the subjects.
func (c Config) subjectFaults() []error {
	var faults []error
	for n, s := range c.Subjects {
		fault := func(format string, args ...any) {
			faults = append(faults, fmt.Errorf("%s[%d]: %w", envName("subjects"), n, fmt.Errorf(format, args...)))
		}
		if wrong := validation.IsDNS1123Label(s.Namespace); len(wrong) > 0 {
			fault("namespace is %q: name the namespace in which the application runs", s.Namespace)
		}
		if s.RunNamespace != "" && !slices.Contains(c.RunNamespaces, s.RunNamespace) {
			fault("runNamespace is %q: it must be one of %q, or empty for all", s.RunNamespace, c.RunNamespaces)
		}
		if _, err := labels.Parse(s.Selector); err != nil {
			fault("selector: %w; write it as kubectl takes it, such as app=shop,tier!=cache", err)
		}
	}
	return faults
}
