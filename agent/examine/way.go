package examine

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// way dials the control plane anew, as after a restart, beside the connection that there is.
func (e *Examiner) way(ctx context.Context) []*agentv1.Check {
	const name = "control plane"
	began := time.Now()
	conn, err := e.dial(ctx)
	if err != nil {
		return one(unreachable(name, e.o.Address, err))
	}
	defer func() { _ = conn.Close() }() // nothing was asked
	if e.o.TLS == nil {
		return one(doubtful(name, e.o.Address+" is reached without TLS", "Anybody on the way can read what tests say: leave controlPlane.insecure of the agent's chart out."))
	}
	config := e.o.TLS.Clone()
	config.NextProtos = []string{"h2"}
	if host, _, err := net.SplitHostPort(e.o.Address); err == nil && config.ServerName == "" {
		config.ServerName = host
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return one(unreachable(name, e.o.Address, err))
	}
	if len(secure.ConnectionState().PeerCertificates) == 0 {
		return one(bad(name, e.o.Address+" shows no certificate", "Ask the operator of the control plane for the port of agents."))
	}
	took := time.Since(began)
	leaf := secure.ConnectionState().PeerCertificates[0]
	said := fmt.Sprintf("%s answers in %d ms, its certificate by %s is good until %s", e.o.Address, took.Milliseconds(),
		issuer(leaf), leaf.NotAfter.UTC().Format(time.DateOnly))
	if leaf.NotAfter.Sub(e.o.Now()) < lastDays && leaf.NotAfter.Sub(leaf.NotBefore) > 2*lastDays {
		return one(doubtful(name, said, "Renew the certificate of the control plane's port for agents: without it no agent connects."))
	}
	return one(good(name, "%s", said))
}

func issuer(c *x509.Certificate) string {
	if c.Issuer.CommonName != "" {
		return c.Issuer.CommonName
	}
	return c.Issuer.String()
}

// unreachable tells apart what people mend in different places.
func unreachable(name, address string, err error) *agentv1.Check {
	var dns *net.DNSError
	var unknown x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var invalid x509.CertificateInvalidError
	remedy := "Let the agent's pods reach " + address + ": look at network policies, firewalls and the proxy on the way."
	switch {
	case errors.As(err, &dns):
		remedy = "Check controlPlane.address of the agent's chart, and the cluster's DNS for names outside of it."
	case errors.As(err, &unknown):
		remedy = "Give the authority of the control plane as controlPlane.ca of the agent's chart; something on the way that ends TLS has to let it pass."
	case errors.As(err, &hostname):
		remedy = "Give the name that the certificate is for as controlPlane.address, or have the control plane's operator add this one."
	case errors.As(err, &invalid):
		remedy = "Have the control plane's operator renew the certificate, and check the clock of this node."
	}
	return bad(name, "no new connection to "+address+": "+err.Error(), remedy)
}

// clocks compares this machine's clock with the control plane's and the API server's.
func (e *Examiner) clocks(ctx context.Context) []*agentv1.Check {
	var out []*agentv1.Check
	if ahead, known := e.o.Offset.Offset(); known {
		out = append(out, skew("clock", "the control plane", ahead))
	}
	at, took, err := e.o.Client.ServerTime(ctx)
	if err != nil {
		return append(out, doubtful("clock", err.Error(), "Look at the API server, or at what stands before it."))
	}
	ahead := at.Sub(e.o.Now().Add(-took / 2))
	if ahead > -time.Second && ahead < time.Second { // it says seconds only
		ahead = 0
	}
	return append(out, skew("clock", "the API server", ahead))
}

func skew(name, whose string, ahead time.Duration) *agentv1.Check {
	said := fmt.Sprintf("the clock of %s differs by %s", whose, ahead.Abs().Round(10*time.Millisecond))
	const remedy = "Have NTP set the clocks of the nodes and of the control plane."
	switch {
	case ahead.Abs() >= skewBad:
		return bad(name, said, remedy)
	case ahead.Abs() >= skewDoubtful:
		return doubtful(name, said, remedy)
	default:
		return good(name, "%s", said)
	}
}

// names resolves what has to be: the control plane's, and the one at which runners look for the agent.
func (e *Examiner) names(ctx context.Context) []*agentv1.Check {
	var out []*agentv1.Check
	addresses := []string{e.o.Address, e.o.Endpoint}
	if through, err := e.proxy(ctx); err == nil && through != nil { // which resolves the control plane's name itself
		addresses[0] = through.Host
	}
	for _, address := range slices.Compact(addresses) {
		host, _, err := net.SplitHostPort(address)
		if err != nil || net.ParseIP(host) != nil {
			continue
		}
		found, err := e.o.Resolver.LookupHost(ctx, host)
		if err != nil {
			out = append(out, bad("DNS", err.Error(), "Look at the cluster's DNS, and at network policies that keep the agent from it."))
			continue
		}
		out = append(out, good("DNS", "%s is %s", host, strings.Join(found, ", ")))
	}
	return out
}
