// Command seatrial-agent connects one Kubernetes cluster to the control plane and runs its tests.
package main

import (
	"os"

	"github.com/seatrial/seatrial/agent/app"
)

// version is set at build time.
var version = "dev"

func main() {
	os.Exit(app.Main(os.Args[1:], version))
}
