package specify

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

// Notes say what the signature leaves to others: what a name stands for that can be given to something else, which a digest cannot, and values
// that nothing bounds. Each is there once, in order.
func (s *Specifier) Notes() []string {
	n := notes{list: slices.Clone(s.notes)}
	n.image(s.doc.Spec.Container.Image)
	s.doc.Spec.EachStep(func(_ string, step *document.Step, _ []string) { n.image(step.Image) })
	for _, service := range s.doc.Spec.Services {
		n.image(service.Image)
	}
	n.source(s.doc.Spec.Source)
	n.maps(s.doc)
	slices.Sort(n.list)
	return slices.Compact(n.list)
}

type notes struct{ list []string }

func (n *notes) add(format string, args ...any) {
	n.list = append(n.list, fmt.Sprintf(format, args...))
}

func (n *notes) image(name string) {
	if name != "" && !strings.Contains(name, "@sha256:") {
		n.add("the image %s has no digest: whoever may push to its registry decides what runs", name)
	}
}

func (n *notes) source(src document.Source) {
	if g := src.Git; g != nil && !reCommit.MatchString(g.Ref) {
		n.add("the repository %s is not fetched at a commit: whoever may push to it decides what runs", g.URL)
	}
	if o := src.OCI; o != nil && !strings.Contains(o.Artifact, "@sha256:") {
		n.add("the artifact %s has no digest: whoever may push to its registry decides what runs", o.Artifact)
	}
	if m := src.ConfigMap; m != nil {
		n.add("the config map %s is not in the document: whoever may write it in the cluster decides what runs", m.Name)
	}
}

var reCommit = regexp.MustCompile(`^[0-9a-fA-F]{40}$`) // what agent/source/clone takes for one

// maps notes what comes from config maps.
func (n *notes) maps(doc *document.Document) {
	env := func(name string, from *document.EnvFrom) {
		if from != nil && from.ConfigMap != nil {
			n.add("the variable %s is the value %s of the config map %s: whoever may write it in the cluster decides what it says",
				name, from.ConfigMap.Key, from.ConfigMap.Name)
		}
	}
	for _, v := range doc.Spec.Container.Env {
		env(v.Name, v.ValueFrom)
	}
	doc.Spec.EachStep(func(_ string, step *document.Step, _ []string) {
		for _, v := range step.Env {
			env(v.Name, v.ValueFrom)
		}
	})
	for _, service := range doc.Spec.Services {
		for _, v := range service.Env {
			env(v.Name, v.ValueFrom)
		}
	}
	for _, v := range doc.Spec.Pod.Volumes {
		if v.ConfigMap != nil {
			n.add("the volume %s is the config map %s: whoever may write it in the cluster decides what is in its files", v.Name, v.ConfigMap.Name)
		}
	}
}
