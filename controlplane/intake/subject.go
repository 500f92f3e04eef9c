package intake

import (
	"cmp"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/controlplane/execution"
)

// Bounds of a snapshot of what was under test; agents keep to them.
const (
	maxImages    = 500
	maxContainer = 63 // a container's name is a DNS label
	maxReference = 512
)

// checkedSubject returns a snapshot that may be stored: bounded, in order, each image once. One with an image that no agent sends is no
// evidence at all: nothing of it counts as observed. It never costs the attempt its result.
func checkedSubject(s *execution.Subject) *execution.Subject {
	if s == nil {
		return nil
	}
	out := &execution.Subject{ObservedAt: s.ObservedAt, Cut: s.Cut, Message: cut(s.Message)}
	if !s.Observed() {
		out.Cut = false
		if out.Message == "" {
			out.Message = "The agent did not say what was under test."
		}
		return out
	}
	images := s.Images
	if len(images) > maxImages { // a newer agent may list more
		images, out.Cut = images[:maxImages], true
	}
	for _, i := range images {
		if !named(i.Container, maxContainer) || !named(i.Image, maxReference) || !digest(i.Digest) {
			return &execution.Subject{Message: "What the agent said of the images under test cannot be trusted: a name or digest among them is none."}
		}
	}
	out.Images = slices.Clone(images)
	slices.SortFunc(out.Images, func(a, b execution.SubjectImage) int {
		return cmp.Or(cmp.Compare(a.Container, b.Container), cmp.Compare(a.Image, b.Image), cmp.Compare(a.Digest, b.Digest))
	})
	out.Images = slices.Compact(out.Images)
	return out
}

// named tells a name of a container or image: printable ASCII without blanks.
func named(s string, limit int) bool {
	return s != "" && len(s) <= limit && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// digest tells "sha256:" and 64 hex digits in lower case, the one way in which digests are compared.
func digest(s string) bool {
	hex, ok := strings.CutPrefix(s, "sha256:")
	return ok && len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == ""
}
