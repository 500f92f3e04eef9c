// Package parallel lets the tests of a package that mostly wait run side by side.
package parallel

import (
	"flag"
	"strconv"
)

// Default has n tests run at once unless the command line says otherwise; it is called by a TestMain. Tests that wait for processes,
// pods or deadlines are done sooner when more of them run than there are processors.
func Default(n int) {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "test.parallel" })
	if !asked {
		_ = flag.Set("test.parallel", strconv.Itoa(n)) // without the flag there are no tests to run
	}
}
