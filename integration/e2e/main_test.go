package e2e_test

import (
	"os"
	"testing"

	"github.com/seatrial/seatrial/integration/parallel"
)

func TestMain(m *testing.M) {
	parallel.Default(4)
	os.Exit(m.Run())
}
