package viewfake

import (
	"context"
	"time"

	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/outlook"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/ui/web/view"
)

// Outlook says how releases fare: by the real service, over a made-up past of an organization that has any.
func (w *World) Outlook() view.Outlook {
	return outlook.New(past{w}, func() time.Time { return w.Now() })
}

// past is the store of that service.
type past struct{ *World }

// Stories makes up what became of the releases of twelve weeks: more and more of them get ready, and answers come sooner.
func (p past) Stories(ctx context.Context, since time.Time) ([]outlook.Story, error) {
	p.mu.Lock()
	any := len(p.released) > 0
	p.mu.Unlock()
	if !any {
		return nil, p.allowed(ctx)
	}
	blockers := []release.Blocker{
		{Rule: "no-unwaived-failures", Environment: "staging-eu", Suite: "checkout-api"},
		{Rule: "flake-budget", Environment: "staging-eu", Suite: "checkout-browser"},
		{Rule: "no-unwaived-failures", Environment: "staging-us", Suite: "checkout-api"},
		{Rule: "fresh-evidence", Environment: "staging-eu", Suite: "load"},
	}
	var out []outlook.Story
	for week := range outlook.Weeks {
		for n := range 3 + (week*5)%4 {
			at := since.Add(time.Duration(week)*7*24*time.Hour + time.Duration(n)*11*time.Hour)
			if at.After(p.Now()) {
				continue
			}
			s := outlook.Story{Application: Checkout, CreatedAt: at, State: verdict.Ready}
			change := func(after verdict.State, in time.Duration, b ...release.Blocker) {
				s.Changes = append(s.Changes, release.Change{After: after, At: at.Add(in), Blockers: b})
				s.State = after
			}
			change(verdict.Incomplete, 0)
			slow := time.Duration(outlook.Weeks-week) * 20 * time.Minute
			switch (week*7 + n*3) % 9 {
			case 0, 1:
				change(verdict.NotReady, time.Hour, blockers[n%4], blockers[0])
			case 2, 5:
				change(verdict.NotReady, time.Hour, blockers[(n+1)%4])
				s.Asked = append(s.Asked, at.Add(time.Hour+slow))
				change(verdict.ReadyWithWaivers, time.Hour+2*slow)
			case 3:
			default:
				change(verdict.NotReady, time.Hour, blockers[(week+n)%4])
				change(verdict.Ready, time.Hour+slow*3)
			}
			out = append(out, s)
		}
	}
	return out, p.allowed(ctx)
}
