// Command coredns is CoreDNS with the plugins that a one-machine cluster needs.
package main

import (
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/cache"      // answers again without asking
	_ "github.com/coredns/coredns/plugin/errors"     // logs failures
	_ "github.com/coredns/coredns/plugin/health"     // liveness
	_ "github.com/coredns/coredns/plugin/kubernetes" // the cluster's names
	_ "github.com/coredns/coredns/plugin/ready"      // readiness
)

func main() { coremain.Run() }
