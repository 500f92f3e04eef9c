package cmd

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
	"github.com/seatrial/seatrial/ui/cli/render"
)

func (a *app) repository() *cobra.Command {
	c := &cobra.Command{Use: "repository", Aliases: []string{"repo"}, Short: "Git repositories whose documents belong to the catalog"}
	c.AddCommand(a.addRepository(), a.getter("list", nil, 0, a.getRepositories), a.getter("show NAME", nil, 1, a.showRepository), a.syncRepository(), a.removeRepository())
	return c
}

func (a *app) addRepository() *cobra.Command {
	req := &apiv1.AddRepositoryRequest{}
	var every time.Duration
	var token, key, hosts string
	c := &cobra.Command{
		Use: "add NAME URL", Short: "Register a repository", Args: cobra.ExactArgs(2),
		Long: "Register a repository: its workflows, templates and so on are applied now, and whenever the branch has a new commit. What is taken out\n" +
			"of the repository leaves the catalog; its executions stay. The credential is stored encrypted and never shown.",
	}
	f := c.Flags()
	f.StringVar(&req.Branch, "branch", "", "branch or tag; the default branch when not given")
	f.StringVar(&req.Path, "path", "", "folder of the documents; the whole repository when not given")
	f.StringVar(&req.Kinds, "kinds", "tests", "tests, or all: environments and readiness policies among them, which takes an administrator")
	f.StringVar(&req.Team, "team", "", "team that owns the documents; that of the token when not given")
	f.DurationVar(&every, "every", 5*time.Minute, "how often to look for a new commit")
	f.StringVar(&req.User, "user", "", "user name for https, where the forge wants one")
	f.StringVar(&token, "token-file", "", "file with the token for https; - reads it from the input")
	f.StringVar(&key, "key-file", "", "file with the private key for ssh")
	f.StringVar(&hosts, "known-hosts", "", "file with the host keys of the server, in the form of known_hosts")
	c.RunE = func(c *cobra.Command, args []string) error {
		req.Name, req.Url, req.Interval = args[0], args[1], durationpb.New(every)
		for file, into := range map[string]*string{token: &req.Token, key: &req.Key, hosts: &req.HostKeys} {
			if file == "" {
				continue
			}
			text, err := a.secretFrom(file)
			if err != nil {
				return err
			}
			*into = text
		}
		req.Token = strings.TrimSpace(req.GetToken())
		cl, err := a.connect()
		if err != nil {
			return err
		}
		if _, err := cl.catalog.AddRepository(c.Context(), req); err != nil {
			return err
		}
		res, err := cl.catalog.SyncRepository(c.Context(), &apiv1.SyncRepositoryRequest{Name: req.GetName()})
		if err != nil {
			return err
		}
		return a.synced(res.GetRepository(), res)
	}
	return c
}

func (a *app) secretFrom(file string) (string, error) {
	if file == "-" {
		text, err := io.ReadAll(a.In)
		if err != nil {
			return "", fmt.Errorf("read the input: %w", err)
		}
		return string(text), nil
	}
	text, err := os.ReadFile(file) //nolint:gosec // the user names it
	if err != nil {
		return "", fmt.Errorf("read the file: %w", err)
	}
	return string(text), nil
}

func (a *app) syncRepository() *cobra.Command {
	return &cobra.Command{Use: "sync NAME", Short: "Read a repository now", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		cl, err := a.connect()
		if err != nil {
			return err
		}
		res, err := cl.catalog.SyncRepository(c.Context(), &apiv1.SyncRepositoryRequest{Name: args[0]})
		if err != nil {
			return err
		}
		return a.synced(res.GetRepository(), res)
	}}
}

// synced shows what came of reading a repository: what is wrong is an error.
func (a *app) synced(r *apiv1.Repository, res *apiv1.SyncRepositoryResponse) error {
	if a.format != render.Table {
		if err := render.Message(a.Out, a.format, res); err != nil {
			return err
		}
	}
	if r.GetFailure() != "" {
		return coded(exitcode.Errored, fmt.Errorf("repository %s could not be read: %s", r.GetName(), r.GetFailure()))
	}
	for _, p := range r.GetProblems() {
		a.say("%s", problem(p))
	}
	if n := len(r.GetProblems()); n > 0 {
		return coded(exitcode.Usage, fmt.Errorf("%d problems in the %d documents of repository %s", n, r.GetDocuments(), r.GetName()))
	}
	a.say("Repository %s is at %s with %d documents.", r.GetName(), short(r.GetCommit()), r.GetDocuments())
	return nil
}

func problem(p *apiv1.RepositoryProblem) string {
	at := p.GetFile()
	if p.GetLine() > 0 {
		at += ":" + strconv.Itoa(int(p.GetLine()))
	}
	return strings.TrimSpace(fmt.Sprintf("%s: %s", at, strings.TrimSpace(render.Line(p.GetField())+" "+render.Line(p.GetMessage()))))
}

func (a *app) removeRepository() *cobra.Command {
	req := &apiv1.RemoveRepositoryRequest{}
	c := &cobra.Command{Use: "remove NAME", Short: "Forget a repository and take its documents out of the catalog", Args: cobra.ExactArgs(1)}
	c.Flags().BoolVar(&req.Keep, "keep", false, "leave its documents in the catalog, as ones that were applied by hand")
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := a.connect()
		if err != nil {
			return err
		}
		req.Name = args[0]
		if _, err := cl.catalog.RemoveRepository(c.Context(), req); err != nil {
			return err
		}
		a.say("Repository %s is forgotten.", args[0])
		return nil
	}
	return c
}

func (a *app) getRepositories(ctx context.Context, cl clients, _ string) (table, error) {
	res, err := cl.catalog.ListRepositories(ctx, &apiv1.ListRepositoriesRequest{})
	t := table{message: res, header: []string{"NAME", "TEAM", "STATE", "COMMIT", "DOCUMENTS", "READ", "URL"}}
	for _, r := range res.GetRepositories() {
		t.rows = append(t.rows, []string{
			r.GetName(), r.GetTeam(), condition(r), short(r.GetCommit()), strconv.Itoa(int(r.GetDocuments())), render.Time(r.GetSyncedAt()), r.GetUrl(),
		})
	}
	return t, err
}

func condition(r *apiv1.Repository) string {
	switch {
	case r.GetFailure() != "":
		return "unreadable"
	case r.GetSyncedAt() == nil:
		return "new"
	case len(r.GetProblems()) > 0:
		return fmt.Sprintf("%d problems", len(r.GetProblems()))
	}
	return "synced"
}

func (a *app) showRepository(ctx context.Context, cl clients, name string) (table, error) {
	res, err := cl.catalog.ListRepositories(ctx, &apiv1.ListRepositoriesRequest{})
	if err != nil {
		return table{}, err
	}
	for _, r := range res.GetRepositories() {
		if r.GetName() != name {
			continue
		}
		lines := []string{r.GetName() + ": " + condition(r), r.GetUrl() + " " + r.GetBranch() + " " + r.GetPath()}
		if r.GetFailure() != "" {
			lines = append(lines, r.GetFailure())
		}
		for _, p := range r.GetProblems() {
			lines = append(lines, problem(p))
		}
		for i := range lines {
			lines[i] = strings.TrimSpace(render.Line(lines[i]))
		}
		return table{message: r, text: strings.Join(lines, "\n")}, nil
	}
	return table{}, coded(exitcode.Usage, fmt.Errorf("there is no repository %q; list them with: seatrial repository list", name))
}

func (a *app) catalog() *cobra.Command {
	c := &cobra.Command{Use: "catalog", Short: "Documents of clusters and repositories, and whether the catalog has them"}
	c.AddCommand(a.getter("list", nil, 0, func(ctx context.Context, cl clients, _ string) (table, error) {
		res, err := cl.catalog.ListDocuments(ctx, &apiv1.ListDocumentsRequest{})
		t := table{message: res, header: []string{"KIND", "NAME", "KEPT IN", "STATE", "REVISION", "WHY"}}
		for _, d := range res.GetDocuments() {
			state := "synced"
			if d.GetReason() != "" {
				state = strings.ToLower(d.GetReason())
			}
			t.rows = append(t.rows, []string{d.GetKind(), d.GetName(), d.GetOrigin(), state, strconv.Itoa(int(d.GetRevision())), render.Line(d.GetMessage())})
		}
		return t, err
	}))
	return c
}

// clusterCatalog says which documents a cluster's agent may bring.
func (a *app) clusterCatalog() *cobra.Command {
	req := &apiv1.SetClusterCatalogRequest{}
	c := &cobra.Command{
		Use: "catalog NAME", Short: "Say which documents a cluster's agent may bring into the catalog", Args: cobra.ExactArgs(1),
		Long: "Say which documents a cluster's agent may bring into the catalog, and which team owns them. Its chart has catalog.namespaces for the\n" +
			"namespaces whose custom resources they are. What was refused before is taken with the agent's next comparison, within five minutes.\n" +
			"With --kinds none the names are free, such as those of a cluster that is gone: its documents stay as ones that were applied by hand.",
	}
	c.Flags().StringVar(&req.Kinds, "kinds", "tests", "none, tests, or all: environments and readiness policies among them")
	c.Flags().StringVar(&req.Team, "team", "", "team that owns the documents; as it was when not given")
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := a.connect()
		if err != nil {
			return err
		}
		req.Name = args[0]
		if _, err := cl.catalog.SetClusterCatalog(c.Context(), req); err != nil {
			return err
		}
		a.say("Cluster %s may bring documents: %s.", args[0], req.GetKinds())
		return nil
	}
	return c
}
