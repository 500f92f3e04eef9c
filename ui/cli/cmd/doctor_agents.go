package cmd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/ui/cli/config"
	"github.com/seatrial/seatrial/ui/cli/render"
)

// remote is a control plane that the doctor looks at from outside: somebody who only installs it has no credential yet.
type remote struct {
	server, agents, agentsCA string
	insecure                 bool
}

func (r *remote) flags(c *cobra.Command) {
	c.Flags().StringVar(&r.server, "server", "", "look at this address alone, without the context and its credential")
	c.Flags().StringVar(&r.agents, "agents", "", "host:port for agents, to look at as well")
	c.Flags().StringVar(&r.agentsCA, "agents-ca", "", "PEM file of the authority that agents trust; without it the certificate of their port is not verified")
	c.Flags().BoolVar(&r.insecure, "insecure", false, "do not verify the certificate of --server")
}

// examineAll goes from here to the tests, or looks at one control plane from outside.
func (a *app) examineAll(ctx context.Context, r remote) []symptom {
	var found []symptom
	if r.server == "" {
		found = a.examine(ctx)
	} else {
		a.target = config.Context{Server: r.server}
		if r.insecure {
			a.HTTP = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // was asked for
		}
		found, _ = a.examineServer(ctx)
	}
	if r.agents != "" {
		found = append(found, a.examineAgents(ctx, r))
	}
	return found
}

// examineAgents makes the handshake that an agent makes.
func (a *app) examineAgents(ctx context.Context, r remote) symptom {
	ctx, cancel := context.WithTimeout(ctx, a.Look)
	defer cancel()
	fail := func(found, do string) symptom { return symptom{"agents' port", bad, found, do} }
	host, _, err := net.SplitHostPort(r.agents)
	if err != nil {
		return fail(err.Error(), "Give --agents as host:port.")
	}
	c := &tls.Config{MinVersion: tls.VersionTLS13, ServerName: host, NextProtos: []string{"h2"}, InsecureSkipVerify: r.agentsCA == ""} //nolint:gosec // nothing is said over the connection
	if r.agentsCA != "" {
		text, err := os.ReadFile(r.agentsCA)
		if c.RootCAs = x509.NewCertPool(); err != nil || !c.RootCAs.AppendCertsFromPEM(text) {
			return fail("no certificate can be read from "+r.agentsCA, "Give --agents-ca a file in PEM.")
		}
	}
	conn, err := (&tls.Dialer{Config: c}).DialContext(ctx, "tcp", r.agents)
	if err != nil {
		return fail(err.Error(), "Agents need TLS all the way to the control plane: nothing in between may end it.")
	}
	defer conn.Close() //nolint:errcheck // nothing was said
	secure, ok := conn.(*tls.Conn)
	if !ok || secure.ConnectionState().NegotiatedProtocol != "h2" {
		return fail(r.agents+" does not speak HTTP/2", "Check the address: something else may listen there.")
	}
	until := secure.ConnectionState().PeerCertificates[0].NotAfter
	if time.Until(until) < certWarn {
		return symptom{"agents' port", doubtful, "its certificate ends " + render.Time(timestamppb.New(until)), "Renew it: no agent connects after that."}
	}
	return symptom{Check: "agents' port", State: good, Found: "speaks TLS, with a certificate until " + render.Time(timestamppb.New(until))}
}
