package words_test

import (
	"context"
	"testing"

	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/viewfake"
)

func signedIn(t *testing.T, w *viewfake.World) context.Context {
	t.Helper()
	return tenant.WithViewer(t.Context(), w.Member.Viewer)
}
