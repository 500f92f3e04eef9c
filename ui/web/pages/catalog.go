package pages

import (
	"net/url"
	"slices"
)

// owners are the teams to choose from; what the address says is one, whether or not there is such a team.
func owners(p CatalogProps) []string {
	var out []string
	for _, t := range p.Teams {
		out = append(out, t.Name)
	}
	if asked := p.Filter.Team; asked != "" && !slices.Contains(out, asked) {
		out = append(out, asked)
	}
	return out
}

// labelled is the address of the catalog with those workflows alone that have a label, and whatever else is asked for.
func labelled(p CatalogProps, label string) string {
	q := url.Values{"label": {label}}
	for name, value := range map[string]string{"q": p.Filter.Text, "owner": p.Filter.Team, "last": p.Filter.Last} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return home(p.Frame) + "/catalog?" + q.Encode()
}
