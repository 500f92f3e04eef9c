package assess

import (
	"fmt"
	"strings"

	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
)

const maxNamed = 3 // rules that a cause names

// causeOf says in one sentence what makes the verdict what it is, to stand in the history beside what came in.
func causeOf(r release.Release, out verdict.Output) string {
	var bad, missing []string
	for _, rule := range out.Rules {
		switch {
		case rule.Against():
			bad = append(bad, ruleText(rule))
		case !rule.Holds:
			missing = append(missing, ruleText(rule))
		}
	}
	switch {
	case out.State == verdict.Ready:
		return "Every rule holds."
	case out.State == verdict.ReadyWithWaivers:
		return "Every rule holds with the waivers that were approved."
	case len(bad) > 0:
		return "Broken: " + listed(bad)
	case len(missing) > 0:
		return "Missing: " + listed(missing)
	case len(out.Gaps) > 0:
		return out.Gaps[0]
	}
	return fmt.Sprintf("%s %s has %d cells.", r.Application, r.Version, len(r.Cells))
}

func ruleText(r verdict.RuleResult) string {
	var cells []string
	for _, c := range r.Failing {
		cells = append(cells, c.Environment+"/"+c.Suite)
	}
	return r.ID + " (" + some(cells) + ")"
}

func listed(rules []string) string { return some(rules) + "." }

// some writes the first of many.
func some(list []string) string {
	if len(list) > maxNamed {
		return strings.Join(list[:maxNamed], ", ") + fmt.Sprintf(" and %d more", len(list)-maxNamed)
	}
	return strings.Join(list, ", ")
}
