package verdict

import (
	"maps"
	"slices"
)

// sees reports whether a run saw the release and nothing else in its place.
//
// The images of the release have to be there when the run begins and when it ends, and the same digests in their place both times: a
// run during which they changed is mixed and says nothing of either. Of a run that is not over only the beginning is known. A commit
// that was observed and differs speaks against the run; it speaks for it only when the release names no image.
func (r Release) sees(run Run) bool {
	s := run.Subject
	if r.Commit != "" && s.Commit != "" && s.Commit != r.Commit {
		return false
	}
	if len(r.Images) == 0 {
		return r.Commit != "" && s.Commit == r.Commit
	}
	start := r.place(s.Start)
	if !r.complete(start) {
		return false
	}
	return run.Running || maps.Equal(start, r.place(s.End))
}

// place returns which of the observed digests are in the place of the release's images: images of the same names, and those of its
// digests under any name, since names may be unknown on both sides.
func (r Release) place(observed []Image) map[string]bool {
	digests := map[string]bool{}
	for _, o := range observed {
		if slices.ContainsFunc(r.Images, func(i Image) bool { return i.Digest == o.Digest || i.Name != "" && i.Name == o.Name }) {
			digests[o.Digest] = true
		}
	}
	return digests
}

// complete reports whether every image of the release is among the digests. One without a digest cannot be.
func (r Release) complete(digests map[string]bool) bool {
	return !slices.ContainsFunc(r.Images, func(i Image) bool { return i.Digest == "" || !digests[i.Digest] })
}
