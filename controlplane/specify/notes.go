package specify

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

// Notes say what the signature leaves to others: what a name stands for that can be given to something else. A digest cannot.
func (s *Specifier) Notes() []string {
	var out []string
	note := func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	image := func(name string) {
		if name != "" && !strings.Contains(name, "@sha256:") {
			note("the image %s has no digest: whoever may push to its registry decides what runs", name)
		}
	}
	image(s.doc.Spec.Container.Image)
	s.doc.Spec.EachStep(func(_ string, step *document.Step, _ []string) { image(step.Image) })
	for _, service := range s.doc.Spec.Services {
		image(service.Image)
	}
	src := s.doc.Spec.Source
	if g := src.Git; g != nil && !reCommit.MatchString(g.Ref) {
		note("the repository %s is not fetched at a commit: whoever may push to it decides what runs", g.URL)
	}
	if o := src.OCI; o != nil && !strings.Contains(o.Artifact, "@sha256:") {
		note("the artifact %s has no digest: whoever may push to its registry decides what runs", o.Artifact)
	}
	if m := src.ConfigMap; m != nil {
		note("the config map %s is not in the document: whoever may write it in the cluster decides what runs", m.Name)
	}
	slices.Sort(out)
	return out
}

var reCommit = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
