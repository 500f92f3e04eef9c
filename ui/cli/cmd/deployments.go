package cmd

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/render"
)

// maxKeyFile bounds the file of a private key, in bytes.
const maxKeyFile = 64 << 10

func (a *app) receiverApp() *cobra.Command {
	r := &apiv1.SetReceiverAppRequest{}
	var file string
	c := &cobra.Command{
		Use: "app NAME --app-id ID --key-file FILE", Short: "Answer GitHub's deployment protection rules as a GitHub App", Args: cobra.ExactArgs(1),
		Long: "The receiver's address and secret are those of the app's webhook. The app needs the permissions Actions (read) and Deployments (write)\n" +
			"and the event \"Deployment protection rule\". Its private key is kept encrypted, and nobody can read it back.",
		Example: "  seatrial trigger receiver app acme-github --app-id Iv23liAbCdEf --key-file acme.private-key.pem",
	}
	c.Flags().StringVar(&r.App, "app-id", "", "client id of the app, or its number")
	c.Flags().StringVar(&file, "key-file", "", "private key of the app in PEM; - for standard input")
	c.Flags().StringVar(&r.Url, "url", "", "of the API of GitHub Enterprise Server: https://HOST/api/v3 (default: that of github.com)")
	c.RunE = func(c *cobra.Command, args []string) error {
		key, err := a.keyFile(file)
		if err != nil {
			return err
		}
		r.Name, r.PrivateKey = args[0], string(key)
		cl, err := a.connect()
		if err != nil {
			return err
		}
		if _, err := cl.triggers.SetReceiverApp(c.Context(), r); err != nil {
			return err
		}
		return a.print("receiver %s answers as the app %s", render.Line(r.GetName()), render.Line(r.GetApp()))
	}
	for _, name := range []string{"app-id", "key-file"} {
		_ = c.MarkFlagRequired(name) // it is there
	}
	return c
}

// keyFile reads a private key, which is too small to be anything else.
func (a *app) keyFile(file string) ([]byte, error) {
	from := a.In
	if file != "-" {
		f, err := os.Open(file) //nolint:gosec // G304: whoever runs the command names it
		if err != nil {
			return nil, fmt.Errorf("--key-file: %w", err)
		}
		defer f.Close() //nolint:errcheck // it was only read
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, maxKeyFile+1))
	if err != nil {
		return nil, fmt.Errorf("--key-file: %w", err)
	}
	if len(text) > maxKeyFile {
		return nil, errors.New("--key-file: this is no private key: it has more than 64 KiB")
	}
	return text, nil
}

func (a *app) releaseDeployments() *cobra.Command {
	r := &apiv1.ListDeploymentsRequest{}
	c := &cobra.Command{
		Use: "deployments", Short: "List deployments that GitHub has asked about, and what it was told", Args: cobra.NoArgs,
		Example: "  seatrial release deployments",
	}
	c.Flags().Int32Var(&r.PageSize, "limit", 50, "how many, the newest first")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cl, err := a.connect()
		if err != nil {
			return err
		}
		res, err := cl.triggers.ListDeployments(c.Context(), r)
		if err != nil {
			return err
		}
		if a.format != render.Table {
			return render.Message(a.Out, a.format, res)
		}
		if len(res.GetDeployments()) == 0 {
			a.say("None yet. Have GitHub ask with: seatrial trigger receiver app NAME --app-id ID --key-file FILE")
			return nil
		}
		rows := make([][]string, len(res.GetDeployments()))
		for i, d := range res.GetDeployments() {
			rows[i] = []string{
				render.Time(d.GetCreatedAt()), render.Line(d.GetRepository()), render.Line(d.GetEnvironment()), render.Line(short(d.GetCommit())), d.GetState(),
				render.Line(toldOf(d)),
			}
		}
		return render.Rows(a.Out, []string{"ASKED", "REPOSITORY", "ENVIRONMENT", "COMMIT", "STATE", "TOLD"}, rows)
	}
	return c
}

// toldOf is why GitHub could not be told, or else what it was told.
func toldOf(d *apiv1.Deployment) string {
	switch {
	case d.GetError() != "":
		return d.GetError()
	case d.GetSaid() == "":
		return "-"
	}
	return d.GetSaid()
}
