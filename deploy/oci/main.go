// Command oci builds the images of agent, runner and control plane for each platform as OCI layouts, with neither a registry nor a
// daemon, and says of each what is in it (SPDX) and how it was made (SLSA provenance). The same sources give the same digests.
//
//	go run ./deploy/oci -out dist/images [-tag v1.2.3] [-platform linux/amd64,linux/arm64] [-only agent,runner]
//
// Each image is a folder that `oras`, `skopeo`, `crane` and `regctl` copy into a registry as it is, with what is said of it.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "oci:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("oci", flag.ContinueOnError)
	var o options
	flags.StringVar(&o.out, "out", "dist/images", "folder for the layouts, one each")
	flags.StringVar(&o.tag, "tag", "local", "tag of the images")
	flags.StringVar(&o.cas, "ca", "/etc/ssl/certs/ca-certificates.crt", "authorities that the programs trust, a file of PEM; none when empty")
	flags.StringVar(&o.builder, "builder", "https://seatrial.dev/builders/unidentified", "address that stands for who builds, for the provenance: of a build system that can be held to it")
	platforms := flags.String("platform", "linux/amd64,linux/arm64", "platforms, by commas")
	only := flags.String("only", "agent,runner,controlplane", "images, by commas")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is nothing that is understood here; -h lists the flags", flags.Arg(0))
	}
	if u, err := url.Parse(o.builder); err != nil || u.Scheme == "" || u.Host == "" {
		return fmt.Errorf("-builder %s: want an address, such as https://ci.example/builders/release", o.builder)
	}
	for _, p := range strings.Split(*platforms, ",") {
		system, arch, ok := strings.Cut(p, "/")
		if !ok || system != "linux" || arch == "" || strings.Contains(arch, "/") {
			return fmt.Errorf("-platform %s: want linux/ARCHITECTURE, such as linux/arm64", p)
		}
		o.architectures = append(o.architectures, arch)
	}
	for _, name := range strings.Split(*only, ",") {
		i, ok := images()[name]
		if !ok {
			return fmt.Errorf("-only %s: there are agent, runner and controlplane", name)
		}
		o.images = append(o.images, i)
	}
	return build(ctx, o)
}
