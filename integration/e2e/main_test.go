package e2e_test

import (
	"flag"
	"os"
	"strconv"
	"testing"
)

// atOnce is how many tests may run side by side: nearly all of their time they wait for a pod, a restart or a deadline, so that more
// of them than there are processors are done sooner.
const atOnce = 6

func TestMain(m *testing.M) {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "test.parallel" })
	if !asked {
		if err := flag.Set("test.parallel", strconv.Itoa(atOnce)); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
