package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/config"
)

// idTokenVar is where a pipeline puts its token that gets it no other way, such as the id_tokens of GitLab.
const idTokenVar = "SEATRIAL_ID_TOKEN" //nolint:gosec // G101: a name

const maxIDToken = 64 << 10

// pipeline is what is said of the exchange of a pipeline's token.
type pipeline struct{ organization, rule, audience, variable string }

func (p *pipeline) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&p.organization, "organization", "", "organization whose trust rule it is (default: SEATRIAL_ORGANIZATION)")
	f.StringVar(&p.rule, "rule", "", "name of the trust rule, where several fit")
	f.StringVar(&p.audience, "audience", "", "audience to ask GitHub Actions for (default: the address of the control plane)")
	f.StringVar(&p.variable, "id-token-env", idTokenVar, "environment variable with the pipeline's token; GitHub Actions is asked when it is empty")
}

// exchange gets the pipeline's own token and exchanges it.
func (a *app) exchange(ctx context.Context, p pipeline) (*apiv1.ExchangeTokenResponse, error) {
	if p.organization == "" {
		p.organization = a.Env("SEATRIAL_ORGANIZATION")
	}
	if p.organization == "" {
		return nil, errors.New("--organization: say whose trust rule it is, or set SEATRIAL_ORGANIZATION")
	}
	if p.audience == "" {
		p.audience = a.target.Server
	}
	token, err := a.idToken(ctx, p)
	if err != nil {
		return nil, err
	}
	return a.dial(config.Context{Server: a.target.Server}).identity.ExchangeToken(ctx, &apiv1.ExchangeTokenRequest{
		Organization: p.organization, Rule: p.rule, Token: token,
	})
}

// idToken finds the token that the pipeline's provider makes: in a variable, as GitLab has it, or by asking, as GitHub Actions wants it.
func (a *app) idToken(ctx context.Context, p pipeline) (string, error) {
	if token := strings.TrimSpace(a.Env(p.variable)); token != "" {
		return token, nil
	}
	address, bearer := a.Env("ACTIONS_ID_TOKEN_REQUEST_URL"), a.Env("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
	switch {
	case address != "" && bearer != "":
		return a.askActions(ctx, address, bearer, p.audience)
	case a.Env("GITHUB_ACTIONS") != "":
		return "", errors.New("the job may not ask GitHub for a token: give it the permission `id-token: write`")
	case a.Env("GITLAB_CI") != "":
		return "", fmt.Errorf("the job has no token in %s: declare it under id_tokens in .gitlab-ci.yml, with aud: %s", p.variable, p.audience)
	}
	return "", fmt.Errorf("no token of a pipeline is here: set %s, or run this in GitHub Actions with the permission `id-token: write`", p.variable)
}

// askActions asks GitHub Actions for a token for an audience.
func (a *app) askActions(ctx context.Context, address, bearer, audience string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", errors.New("ACTIONS_ID_TOKEN_REQUEST_URL is no address")
	}
	q := u.Query()
	q.Set("audience", audience)
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	req.Header.Set("Accept", "application/json")
	res, err := a.HTTP.Do(req)
	if err != nil {
		return "", fmt.Errorf("ask GitHub Actions for a token: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	var answer struct {
		Value string `json:"value"`
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxIDToken))
	if err == nil && res.StatusCode == http.StatusOK {
		err = json.Unmarshal(body, &answer)
	}
	if err != nil || answer.Value == "" {
		return "", fmt.Errorf("ask GitHub Actions for a token: it answered %s without one", res.Status)
	}
	return answer.Value, nil
}

// exchangeToken prints the token, for whoever keeps it in a variable.
func (a *app) exchangeToken() *cobra.Command {
	var p pipeline
	var server string
	c := &cobra.Command{
		Use: "exchange", Short: "Exchange the token of a pipeline for one of a team, and print it", Args: cobra.NoArgs,
		Long: "Exchange the token of a pipeline for one of a team, by a trust rule of the organization, and print it: " +
			"export SEATRIAL_TOKEN=$(seatrial token exchange). It is good for an hour at most. To keep it as a credential, use: seatrial login --ci.",
	}
	p.flags(c)
	c.Flags().StringVar(&server, "server", "", "address of the control plane (default: SEATRIAL_SERVER)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := a.aim(server, ""); err != nil {
			return err
		}
		res, err := a.exchange(c.Context(), p)
		if err != nil {
			return err
		}
		return a.print("%s", res.GetToken())
	}
	return c
}
