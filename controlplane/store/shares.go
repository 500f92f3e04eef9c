package store

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/google/uuid"
)

// organizationsAtOnce is how many organizations share what one transaction claims.
const organizationsAtOnce = 20

// claimant is an organization with something to be claimed.
type claimant struct {
	OrganizationID uuid.UUID `json:"organization_id"`
	Count          int       `json:"count"`
}

// shared claims at most so many rows of organizations, each of which has an equal share: one with thousands of them does not keep the
// others waiting.
func shared[R any](owners []claimant, limit int, claim func(org uuid.UUID, most int) ([]R, error)) (out []R, err error) {
	// The smaller the claim of one, the sooner it is met.
	slices.SortFunc(owners, func(a, b claimant) int {
		return cmp.Or(cmp.Compare(a.Count, b.Count), bytes.Compare(a.OrganizationID[:], b.OrganizationID[:]))
	})
	owners = owners[:min(len(owners), organizationsAtOnce)]
	for i, o := range owners {
		share := (limit - len(out)) / (len(owners) - i) // what others leave of theirs is for those after them
		rows, err := claim(o.OrganizationID, max(1, share))
		if err != nil {
			return nil, err
		}
		out = append(out, rows...)
	}
	return out, nil
}
