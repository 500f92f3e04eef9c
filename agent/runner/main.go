// Command seatrial-runner is the entrypoint of every container of a test pod.
//
// It is copied into each pod or mounted there, so its size counts: 14.3 MiB stripped. CEL is 5.1 MiB of that, with its parser, the
// descriptors it needs, and text/template, which keeps the linker from dropping methods that nobody calls. The rest is the Go
// runtime, HTTP/2 with TLS, Connect, protocol buffers and Zstandard. Neither client-go nor gRPC nor a profiler is linked. The size
// test holds the limit.
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
