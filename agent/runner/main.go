// Command seatrial-runner is the entrypoint of every container of a test pod.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/seatrial/seatrial/agent/runner/app"
)

// version is set by the build.
var version = "dev"

func main() {
	code, err := app.Run(context.Background(), os.Args[1:], version)
	if err != nil {
		fmt.Fprintln(os.Stderr, "seatrial-runner:", err)
	}
	os.Exit(code)
}
