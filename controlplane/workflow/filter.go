package workflow

// NeverRun stands in a Filter for workflows that have not run yet.
const NeverRun = "never"

// Filter selects workflows of the catalog by what they are and how they did last. The zero value selects all.
type Filter struct {
	Text   string            // in the name or the description, in capitals or not
	Team   string            // name of the owner
	Labels map[string]string // all of them
	Last   string            // status of the newest execution, or NeverRun
}

// Narrow reports whether it leaves anything out.
func (f Filter) Narrow() bool {
	return f.Text != "" || f.Team != "" || len(f.Labels) > 0 || f.Last != ""
}
