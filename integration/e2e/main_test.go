package e2e_test

import (
	"os"
	"testing"

	"github.com/seatrial/seatrial/integration/parallel"
)

func TestMain(m *testing.M) {
	parallel.Default(6)
	os.Exit(m.Run())
}
