package web

import (
	"bytes"
	"sync"

	"github.com/seatrial/seatrial/controlplane/crowd"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
)

// maxJudged is how many bytes of verdicts are remembered as they are read; when there are more all are forgotten, and read again. In memory
// one takes some times as much.
const maxJudged = 8 << 20

// judged has the page of a release cost little where many look at it: it is read once for those who ask at the same time, and its verdict,
// which may be a megabyte, is not read again while it is the same.
type judged struct {
	looking crowd.InSight[releaseName, shownRelease]

	mu   sync.Mutex
	size int
	read map[release.ID]reading
}

type releaseName struct{ application, version string }

// reading is a verdict as it was written and as it was read.
type reading struct {
	text []byte
	out  verdict.Output
}

// decided reads the last verdict on a release; the zero one before the first. Nobody may change it.
func (j *judged) decided(r release.Release) (verdict.Output, error) {
	j.mu.Lock()
	known, ok := j.read[r.ID]
	j.mu.Unlock()
	if ok && bytes.Equal(known.text, r.Verdict) {
		return known.out, nil
	}
	out, err := decided(r)
	if err != nil || len(r.Verdict) == 0 {
		return out, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.size += len(r.Verdict) - len(j.read[r.ID].text); j.read == nil || j.size > maxJudged {
		j.read, j.size = map[release.ID]reading{}, len(r.Verdict)
	}
	j.read[r.ID] = reading{r.Verdict, out}
	return out, nil
}
