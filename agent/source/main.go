// Command seatrial-source fetches the sources of a test into the workspace, as the first step of an attempt.
package main

import (
	"context"
	"os"

	"github.com/seatrial/seatrial/agent/source/app"
)

// version is set by the build.
var version = "dev"

func main() {
	os.Exit(app.Main(context.Background(), os.Args[1:], app.System(version)))
}
