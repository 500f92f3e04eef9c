package cmd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/config"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
	"github.com/seatrial/seatrial/ui/cli/render"
)

const (
	// One question of the doctor is answered within this time or not at all.
	doctorPatience = 10 * time.Second
	// Tokens and signatures have minutes of slack, so half of one is worth a word.
	clockSkew = 30 * time.Second
	// A certificate that ends so soon was not renewed in time.
	certificateSoon = 14 * 24 * time.Hour
)

// examination is what the doctor looks at.
type examination struct {
	server, agents, agentsCA string
	insecure                 bool
}

func (a *app) doctor() *cobra.Command {
	var e examination
	c := &cobra.Command{
		Use: "doctor", Short: "Tell whether the control plane is well, as seen from here", Args: cobra.NoArgs,
		Long: "Tell whether the control plane is well, as seen from here: whether it answers and can work, whether the clocks agree, whether the credential is good, " +
			"and with --agents whether its port for agents speaks TLS. Each line that begins with ✕ says what to do; the exit code is 3 then.",
		Example: "  seatrial doctor\n  seatrial doctor --server http://seatrial.seatrial.svc --agents seatrial-agents.seatrial.svc:9443",
	}
	c.Flags().StringVar(&e.server, "server", "", "address of a control plane, instead of the context's; no credential goes there")
	c.Flags().StringVar(&e.agents, "agents", "", "host:port of its port for agents")
	c.Flags().StringVar(&e.agentsCA, "agents-ca", "", "PEM file of the authority that agents trust; without it the certificate is looked at and not verified")
	c.Flags().BoolVar(&e.insecure, "insecure", false, "do not verify the certificate of pages and API")
	c.RunE = func(c *cobra.Command, _ []string) error { return a.examine(c.Context(), e) }
	return c
}

// diagnosis is the answer to one question; a fault says what is wrong and what to do.
type diagnosis struct {
	what, says string
	fault      error
}

func (a *app) examine(ctx context.Context, e examination) error {
	target := config.Context{Server: e.server}
	if e.server == "" {
		cfg, err := config.Load(config.Path(a.Env))
		if err != nil {
			return err
		}
		if target, err = cfg.Resolve(a.context, a.Env); err != nil {
			return err
		}
	}
	answers := a.reach(ctx, strings.TrimRight(target.Server, "/"), e.insecure)
	if target.Token != "" {
		answers = append(answers, a.credential(ctx, target))
	}
	if e.agents != "" {
		answers = append(answers, a.agentsPort(ctx, e))
	}
	bad := 0
	for _, f := range answers {
		mark, says := "✓", f.says
		if f.fault != nil {
			mark, says = "✕", f.fault.Error()
			bad++
		}
		if err := a.print("%s %-13s %s", mark, f.what, render.Line(says)); err != nil {
			return err
		}
	}
	if bad > 0 {
		return coded(exitcode.Errored, fmt.Errorf("%d of %d are not well", bad, len(answers)))
	}
	return nil
}

// reach asks the control plane whether it is ready, and for the time.
func (a *app) reach(ctx context.Context, server string, insecure bool) []diagnosis {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	out := diagnosis{what: "control plane"}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"/readyz", http.NoBody)
	if err != nil {
		out.fault = fmt.Errorf("the address %s cannot be asked: %w", server, err)
		return []diagnosis{out}
	}
	client := a.HTTP
	if insecure {
		client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // was asked for
	}
	res, err := client.Do(req)
	if err != nil {
		out.fault = fmt.Errorf("%s cannot be reached: %w; look at the address, DNS and what is in between", server, err)
		return []diagnosis{out}
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	text, _ := io.ReadAll(io.LimitReader(res.Body, 200))
	if res.StatusCode != http.StatusOK {
		out.fault = fmt.Errorf("%s answers %s: %s; look into its log", server, res.Status, strings.TrimSpace(string(text)))
		return []diagnosis{out}
	}
	out.says = server + " is ready"
	return []diagnosis{out, a.clock(res.Header.Get("Date"))}
}

func (a *app) clock(date string) diagnosis {
	out := diagnosis{what: "clock"}
	theirs, err := http.ParseTime(date)
	if err != nil {
		out.says = "the control plane does not tell the time"
		return out
	}
	off := a.Now().Sub(theirs).Round(time.Second)
	out.says = fmt.Sprintf("differs by %s", off.Abs())
	if off.Abs() > clockSkew {
		out.fault = fmt.Errorf("this machine is %s off the control plane: tokens and signatures are judged by the time, so have both follow NTP", off)
	}
	return out
}

func (a *app) credential(ctx context.Context, target config.Context) diagnosis {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	out := diagnosis{what: "credential"}
	who, err := a.dial(target).identity.WhoAmI(ctx, &apiv1.WhoAmIRequest{})
	var wire *connect.Error
	switch {
	case errors.As(err, &wire) && wire.Code() == connect.CodeUnauthenticated:
		out.fault = errors.New("it is not known, has expired or was revoked: seatrial login")
	case err != nil:
		out.fault = fmt.Errorf("nobody says whose it is: %w", err)
	default:
		out.says = fmt.Sprintf("is %s's, of the organization %s; the control plane is %s", who.GetSubject(), who.GetOrganization(), who.GetServerVersion())
	}
	return out
}

// agentsPort makes the handshake that an agent makes.
func (a *app) agentsPort(ctx context.Context, e examination) diagnosis {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	out := diagnosis{what: "agents' port"}
	host, _, err := net.SplitHostPort(e.agents)
	if err != nil {
		out.fault = fmt.Errorf("--agents: %w; give host:port", err)
		return out
	}
	c := &tls.Config{MinVersion: tls.VersionTLS13, ServerName: host, NextProtos: []string{"h2"}, InsecureSkipVerify: e.agentsCA == ""} //nolint:gosec // nothing is said over the connection
	if e.agentsCA != "" {
		text, err := os.ReadFile(e.agentsCA)
		if err != nil {
			out.fault = fmt.Errorf("--agents-ca: %w", err)
			return out
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(text) {
			out.fault = fmt.Errorf("--agents-ca: no certificate in %s", e.agentsCA)
			return out
		}
	}
	conn, err := (&tls.Dialer{Config: c}).DialContext(ctx, "tcp", e.agents)
	if err != nil {
		out.fault = fmt.Errorf("%s: %w; agents need TLS all the way to the control plane, which nothing in between may end", e.agents, err)
		return out
	}
	defer conn.Close() //nolint:errcheck // nothing was said
	secure, ok := conn.(*tls.Conn)
	if !ok {
		out.fault = fmt.Errorf("%s does not speak TLS", e.agents)
		return out
	}
	return a.judge(out, e.agents, secure.ConnectionState())
}

func (a *app) judge(out diagnosis, address string, state tls.ConnectionState) diagnosis {
	leaf := state.PeerCertificates[0]
	switch left := leaf.NotAfter.Sub(a.Now()); {
	case state.NegotiatedProtocol != "h2":
		out.fault = fmt.Errorf("%s does not speak HTTP/2, so something else answers there", address)
	case left < certificateSoon:
		out.fault = fmt.Errorf("the certificate of %s ends at %s: renew it", address, leaf.NotAfter.UTC().Format(time.RFC3339))
	default:
		out.says = fmt.Sprintf("%s speaks TLS, with a certificate until %s", address, leaf.NotAfter.UTC().Format(time.DateOnly))
	}
	return out
}
