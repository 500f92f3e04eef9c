package words

import (
	"maps"
	"slices"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

// Sought says what a filter of the catalog asks for: "has “pay” in name or description and is owned by payments".
func Sought(f workflow.Filter) string {
	var out []string
	if f.Text != "" {
		out = append(out, "has “"+f.Text+"” in name or description")
	}
	for _, key := range slices.Sorted(maps.Keys(f.Labels)) {
		out = append(out, "has the label "+key+"="+f.Labels[key])
	}
	if f.Team != "" {
		out = append(out, "is owned by "+f.Team)
	}
	switch f.Last {
	case "":
	case workflow.NeverRun:
		out = append(out, "has never run")
	default:
		out = append(out, "has a last run that is "+Status(execution.Status(f.Last)))
	}
	return Join(out)
}
