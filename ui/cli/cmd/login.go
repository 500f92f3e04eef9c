package cmd

import (
	"bufio"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime/debug"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/config"
	"github.com/seatrial/seatrial/ui/cli/render"
)

func (a *app) login() *cobra.Command {
	var server, token string
	var ci bool
	var p pipeline
	c := &cobra.Command{
		Use:   "login",
		Short: "Store a credential for a control plane",
		Args:  cobra.NoArgs,
	}
	c.Flags().BoolVar(&ci, "ci", false, "in a pipeline: exchange its own token (GitHub Actions, GitLab) by a trust rule; no secret is needed")
	p.flags(c)
	c.Flags().StringVar(&server, "server", "", "address of the control plane, such as https://seatrial.example.com")
	c.Flags().StringVar(&token, "token", "", "API token; without it, e-mail and password are asked for")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := a.aim(server, token); err != nil {
			return err
		}
		switch {
		case ci && token != "":
			return errors.New("--ci and --token: give one of them")
		case ci:
			res, err := a.exchange(c.Context(), p)
			if err != nil {
				return err
			}
			a.target.Token = res.GetToken()
		case token == "":
			typed, err := a.signIn(c)
			if err != nil {
				return err
			}
			a.target.Token = typed
		}
		return a.store(c)
	}
	return c
}

// aim takes a control plane as the target, that of the environment when none is given.
func (a *app) aim(server, token string) error {
	if server == "" {
		server = a.Env("SEATRIAL_SERVER")
	}
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return fmt.Errorf("--server %q: give an address such as https://seatrial.example.com", server)
	}
	a.target = config.Context{Server: strings.TrimRight(server, "/"), Token: token}
	return nil
}

// signIn asks for e-mail and password and exchanges them for a token.
func (a *app) signIn(c *cobra.Command) (string, error) {
	in := bufio.NewReader(a.In)
	a.tell("E-mail: ")
	mail, err := in.ReadString('\n')
	if err != nil {
		return "", errors.New("no e-mail was given: give --token in a pipeline")
	}
	a.tell("Password: ")
	password, err := a.secret(in)
	if err != nil {
		return "", err
	}
	r := &apiv1.SignInRequest{ //nolint:gosec // G101: the password is what was typed in
		Email: strings.TrimSpace(mail), Password: password, TokenName: "seatrial login",
	}
	res, err := a.dial(a.target).identity.SignIn(c.Context(), r)
	if needsCode(err) {
		a.tell("Code: ")
		if r.Code, err = in.ReadString('\n'); err != nil {
			return "", errors.New("no code was given: give --token in a pipeline")
		}
		r.Code = strings.TrimSpace(r.GetCode())
		res, err = a.dial(a.target).identity.SignIn(c.Context(), r)
	}
	if err != nil {
		return "", err
	}
	return res.GetToken(), nil
}

// needsCode reports whether the password was right and a code of the authenticator app is asked for.
func needsCode(err error) bool {
	var wire *connect.Error
	if !errors.As(err, &wire) || wire.Code() != connect.CodeUnauthenticated {
		return false
	}
	for _, d := range wire.Details() {
		if v, err := d.Value(); err == nil {
			if detail, ok := v.(*apiv1.ErrorDetail); ok && detail.GetField() == "code" {
				return true
			}
		}
	}
	return false
}

// secret reads a line, without echo on a terminal.
func (a *app) secret(in *bufio.Reader) (string, error) {
	if f, ok := a.In.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		raw, err := term.ReadPassword(int(f.Fd()))
		a.say("")
		return string(raw), err
	}
	line, err := in.ReadString('\n')
	line = strings.TrimRight(line, "\r\n")
	if err != nil && line == "" {
		return "", errors.New("no password was given: give --token in a pipeline")
	}
	return line, nil
}

// store checks the credential, then keeps it.
func (a *app) store(c *cobra.Command) error {
	who, err := a.dial(a.target).identity.WhoAmI(c.Context(), &apiv1.WhoAmIRequest{})
	if err != nil {
		return err
	}
	path := config.Path(a.Env)
	cfg, err := config.Load(path)
	if err != nil {
		return err
	}
	name := a.context
	if name == "" {
		name = "default"
	}
	a.target.Organization = who.GetOrganization()
	cfg.Current, cfg.Contexts[name] = name, a.target
	if err := config.Save(path, cfg); err != nil {
		return err
	}
	return a.print("Logged in to %s as %s, organization %s.", a.target.Server,
		render.Line(who.GetSubject()), render.Line(who.GetOrganization()))
}

func (a *app) version() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print the version", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		return a.print("seatrial %s", programVersion())
	}}
}

func programVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}
