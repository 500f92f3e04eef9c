package verdict

import (
	"maps"
	"slices"
)

// sight says which evidence of a run speaks on the release. It is asked for each piece of evidence and not for the run alone, since what
// has to be known differs: a pass needs proof that nothing else was tested, while a failure may be the very reason why proof is missing.
type sight struct {
	// proven: the release, and nothing else in its places, was there when the run began and when it ended. Passes need it, and so does
	// whatever else is not bad.
	proven bool
	// bad: what failed, did so on the release. The crash that a failure causes takes the image out of sight, and must not take the
	// failure along: it is enough to have seen the release at one time, when nothing says that it was replaced.
	bad bool
	// open: what is not over yet may still turn out to be on the release. To leave it out would show an older verdict as if nobody had
	// asked again.
	open bool
}

// of reports whether a piece of evidence speaks on the release.
func (s sight) of(e Evidence) bool {
	switch {
	case e.Running:
		return s.open
	case e.Outcome.Bad():
		return s.bad
	}
	return s.proven
}

// sight judges a run. A commit that was observed and differs speaks against all of it; it speaks for it only when the release names no
// image.
//
// An image is in a place, which is the repository that it is from. The places of the release are those that it names, and those that
// hold a digest of it at the beginning or at the end of the run. The release is seen when all of its digests are there and its places
// hold no other: while old and new pods stand side by side, nobody knows which of them was tested. Of a run that is not over only the
// beginning is known.
func (r Release) sight(run Run) sight {
	s := run.Subject
	if r.Commit != "" && s.Commit != "" && s.Commit != r.Commit {
		return sight{}
	}
	if len(r.Images) == 0 {
		return r.byCommit(s)
	}
	places := r.places(s)
	start, end := r.look(s.Start, places), r.look(s.End, places)
	unended := run.Running && !end.known
	return sight{
		proven: start.sees() && (unended || end.sees()),
		bad:    start.sees() && !end.other || !start.known && end.sees(),
		open:   !start.known || start.sees(),
	}
}

// byCommit judges a run by its commit, for a release that names no image. Nobody knows which images are of the commit, but while it was
// tested they must not have changed: something else was rolled out then, whatever the commit of the tests says. Images that are gone at
// the end are no other subject, so that a failure still speaks.
func (r Release) byCommit(s Subject) sight {
	seen := r.Commit != "" && s.Commit == r.Commit
	start, end := digests(s.Start), digests(s.End)
	known := len(start) > 0 && len(end) > 0
	came := slices.ContainsFunc(s.End, func(i Image) bool { return !start[i.Digest] })
	return sight{
		proven: seen && (!known || maps.Equal(start, end)),
		bad:    seen && (!known || !came),
		open:   r.Commit != "",
	}
}

func digests(observed []Image) map[string]bool {
	all := map[string]bool{}
	for _, i := range observed {
		all[i.Digest] = true
	}
	return all
}

// places returns the repositories in which only the release may be. What has no name is a place of its own: nobody knows what it stands
// beside, so it is there or not, and never in the way of another.
func (r Release) places(s Subject) map[string]bool {
	of, all := digests(r.Images), map[string]bool{}
	for _, i := range r.Images {
		all[i.Name] = true
	}
	for _, i := range slices.Concat(s.Start, s.End) {
		if of[i.Digest] {
			all[i.Name] = true
		}
	}
	delete(all, "")
	return all
}

// snapshot is what one observation shows of the release.
type snapshot struct {
	known bool // something was observed
	whole bool // every image of the release is there
	other bool // one of its places holds a digest that is not of it
}

// sees reports whether the release was there, and nothing else in its places.
func (s snapshot) sees() bool { return s.whole && !s.other }

func (r Release) look(observed []Image, places map[string]bool) snapshot {
	of, there := digests(r.Images), digests(observed)
	return snapshot{
		known: len(observed) > 0,
		// An image without a digest is none that anybody could have seen.
		whole: !slices.ContainsFunc(r.Images, func(i Image) bool { return i.Digest == "" || !there[i.Digest] }),
		other: slices.ContainsFunc(observed, func(i Image) bool { return places[i.Name] && !of[i.Digest] }),
	}
}
