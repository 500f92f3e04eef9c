package viewfake

import (
	"time"

	"github.com/seatrial/seatrial/ui/web/view"
)

// Kept is what the sample keeps, and for how long.
func Kept() []view.Kept {
	const day = 24 * time.Hour
	return []view.Kept{
		{What: "Results of tests", For: 400 * day, Set: "--keep-results of the control plane"},
		{What: "Results that are evidence for a release, and the newest of each workflow"},
		{What: "Executions with their logs, reports and artifacts"},
		{What: "Events, and what triggers made of them", For: 30 * day},
		{What: "Snapshots of releases, for those who have the link", For: 90 * day, AtMost: true, Set: "whoever shares the release"},
	}
}
