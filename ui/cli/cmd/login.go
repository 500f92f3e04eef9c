package cmd

import (
	"bufio"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"google.golang.org/protobuf/types/known/durationpb"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/config"
	"github.com/seatrial/seatrial/ui/cli/render"
)

func (a *app) login() *cobra.Command {
	var server, token string
	c := &cobra.Command{
		Use:   "login",
		Short: "Store a credential for a control plane",
		Args:  cobra.NoArgs,
	}
	c.Flags().StringVar(&server, "server", "", "address of the control plane, such as https://seatrial.example.com")
	c.Flags().StringVar(&token, "token", "", "API token; without it, e-mail and password are asked for")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if server == "" {
			server = a.Env("SEATRIAL_SERVER")
		}
		u, err := url.Parse(server)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return fmt.Errorf("--server %q: give an address such as https://seatrial.example.com", server)
		}
		a.target = config.Context{Server: strings.TrimRight(server, "/"), Token: token}
		if token == "" {
			if a.target.Token, err = a.signIn(c); err != nil {
				return err
			}
		}
		return a.store(c)
	}
	return c
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
	res, err := a.dial(a.target).identity.SignIn(c.Context(), &apiv1.SignInRequest{ //nolint:gosec // G101: the password is what was typed in
		Email: strings.TrimSpace(mail), Password: password, TokenName: "seatrial login",
	})
	if err != nil {
		return "", err
	}
	return res.GetToken(), nil
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

func (a *app) token() *cobra.Command {
	var team string
	var scopes []string
	var lifetime time.Duration
	create := &cobra.Command{Use: "create NAME", Short: "Make an API token; it is shown once", Args: cobra.ExactArgs(1)}
	create.Flags().StringVar(&team, "team", "", "team that owns it")
	create.Flags().StringSliceVar(&scopes, "scope", nil, "read, run, catalog, release or admin; read and run when not given")
	create.Flags().DurationVar(&lifetime, "lifetime", 0, "how long it is valid; 90 days when not given")
	create.RunE = func(c *cobra.Command, args []string) error {
		cl, err := a.connect()
		if err != nil {
			return err
		}
		res, err := cl.identity.CreateToken(c.Context(), &apiv1.CreateTokenRequest{
			Team: team, Name: args[0], Scopes: scopes, Lifetime: durationpb.New(lifetime),
		})
		if err != nil {
			return err
		}
		if a.format != render.Table {
			return render.Message(a.Out, a.format, res)
		}
		a.say("Valid until %s. It is not shown again.", render.Time(res.GetExpiresAt()))
		return a.print("%s", res.GetToken())
	}
	c := &cobra.Command{Use: "token", Short: "API tokens"}
	c.AddCommand(create)
	return c
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
