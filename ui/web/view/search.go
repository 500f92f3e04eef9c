package view

import (
	"context"

	"github.com/seatrial/seatrial/controlplane/search"
)

// Search finds things for the viewer of the context, who finds nothing that he does not see.
type Search interface {
	// Search fails with fault.Invalid for a question that is too long.
	Search(ctx context.Context, q search.Question) (search.Found, error)
}
