package app_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/seatrial/seatrial/integration/harness"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

// gitServer is a real git server with one repository, and a clone of it.
type gitServer struct {
	t         *testing.T
	url, work string
}

func newGitServer(t *testing.T) *gitServer {
	t.Helper()
	root := t.TempDir()
	g := &gitServer{t: t, work: t.TempDir()}
	bare := filepath.Join(root, "shop.git")
	g.git("init", "-q", "--bare", "-b", "main", bare)
	g.git("init", "-q", "-b", "main")
	g.git("remote", "add", "origin", bare)
	server := httptest.NewServer(harness.Git(t, root))
	t.Cleanup(server.Close)
	g.url = server.URL + "/shop.git"
	return g
}

func (g *gitServer) git(args ...string) {
	g.t.Helper()
	cmd := exec.CommandContext(g.t.Context(), "git", args...)
	cmd.Dir = g.work
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.test", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.test")
	if out, err := cmd.CombinedOutput(); err != nil {
		g.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

// push replaces the files of the repository.
func (g *gitServer) push(files map[string]string) {
	g.t.Helper()
	g.git("rm", "-rq", "--ignore-unmatch", ".")
	for name, text := range files {
		path := filepath.Join(g.work, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			g.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			g.t.Fatal(err)
		}
	}
	g.git("add", "-A")
	g.git("commit", "-q", "--allow-empty", "-m", "change")
	g.git("push", "-q", "origin", "main")
}

const (
	kept = "apiVersion: seatrial.dev/v1\nkind: TestWorkflow\nmetadata: {name: kept}\nspec: {use: [{template: base}], steps: [{run: echo one}]}\n"
	base = "apiVersion: seatrial.dev/v1\nkind: TestWorkflowTemplate\nmetadata: {name: base}\nspec: {container: {image: a}}\n"
)

// TestRepository has a repository's documents in the catalog: with a template, two documents in a file, what is wrong with file and line, what
// belongs to somebody else, what changes, and what is gone.
func TestRepository(t *testing.T) {
	t.Parallel()
	g := newGitServer(t)
	p := start(t, t.TempDir(), "--outbound-allow", "127.0.0.0/8")
	client := &http.Client{Transport: bearer(p.token)}
	catalog, flows := apiv1connect.NewCatalogServiceClient(client, p.url), apiv1connect.NewWorkflowServiceClient(client, p.url)
	ctx := t.Context()
	apply := func(source string) error {
		_, err := flows.ApplyWorkflow(ctx, &apiv1.ApplyWorkflowRequest{Source: source})
		return err
	}
	hand := strings.NewReplacer("kept", "hand", "use: [{template: base}], ", "container: {image: a}, ").Replace(kept)
	if err := apply(hand); err != nil {
		t.Fatal(err)
	}
	wrong := strings.Replace(strings.Replace(kept, "kept", "wrong", 1), "spec: {", "spec:\n  {stesp: [], ", 1)
	g.push(map[string]string{
		"tests/all.yaml":   "# two of them\n---\n" + kept + "---\n" + base,
		"tests/wrong.yaml": wrong, "tests/hand.yaml": hand, "tests/syntax.yaml": "apiVersion: seatrial.dev/v1\nkind: [\n",
		"tests/job.yaml": "apiVersion: batch/v1\nkind: Job\nmetadata: {name: x}\n", "other/not-ours.yaml": kept,
	})
	if _, err := catalog.AddRepository(ctx, &apiv1.AddRepositoryRequest{Name: "shop", Url: g.url, Path: "tests", Token: "s3cret"}); err != nil {
		t.Fatal(err)
	}
	if r := g.read(t, catalog); !strings.Contains(r.GetFailure(), "plaintext") {
		t.Errorf("a token goes over plaintext: %v", r)
	}
	if _, err := catalog.RemoveRepository(ctx, &apiv1.RemoveRepositoryRequest{Name: "shop"}); err != nil {
		t.Fatal(err)
	}
	if _, err := catalog.AddRepository(ctx, &apiv1.AddRepositoryRequest{Name: "shop", Url: g.url, Path: "tests"}); err != nil {
		t.Fatal(err)
	}
	r := g.read(t, catalog)
	if r.GetFailure() != "" || r.GetDocuments() != 4 || len(r.GetCommit()) != 40 {
		t.Errorf("%v", r)
	}
	var said []string
	for _, one := range r.GetProblems() {
		said = append(said, strings.Join([]string{one.GetFile(), strconv.Itoa(int(one.GetLine())), one.GetMessage()}, ":"))
	}
	for i, want := range []string{"tests/hand.yaml:1:TestWorkflow hand was applied by hand", "tests/syntax.yaml:", "tests/wrong.yaml:5:"} {
		if i >= len(said) || !strings.HasPrefix(said[i], want) {
			t.Errorf("problem %d is %q, want %q", i, said, want)
		}
	}
	got, err := flows.GetWorkflow(ctx, &apiv1.GetWorkflowRequest{Name: "kept"})
	if err != nil || got.GetWorkflow().GetOrigin() != "repository shop" || got.GetWorkflow().GetRevision() != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	if err := apply(strings.Replace(kept, "one", "two", 1)); connect.CodeOf(err) != connect.CodePermissionDenied || !strings.Contains(err.Error(), "repository shop") {
		t.Errorf("it is changed by hand: %v", err)
	}

	// The next commit changes one, takes one out and one over, and mends one.
	g.push(map[string]string{
		"tests/kept.yaml": strings.Replace(kept, "one", "two", 1), "tests/base.yaml": base,
		"tests/hand.yaml": strings.Replace(hand, "{name: hand}", `{name: hand, annotations: {seatrial.dev/adopt: "true"}}`, 1),
	})
	if r = g.read(t, catalog); len(r.GetProblems()) > 0 || r.GetDocuments() != 3 {
		t.Errorf("%v", r)
	}
	if got, err = flows.GetWorkflow(ctx, &apiv1.GetWorkflowRequest{Name: "kept"}); err != nil || got.GetWorkflow().GetRevision() != 2 {
		t.Errorf("%v, %v", got, err)
	}
	g.push(map[string]string{"tests/hand.yaml": strings.Replace(hand, "{name: hand}", `{name: hand, annotations: {seatrial.dev/adopt: "true"}}`, 1)})
	g.read(t, catalog)
	list, err := flows.ListWorkflows(ctx, &apiv1.ListWorkflowsRequest{})
	if err != nil || len(list.GetWorkflows()) != 1 || list.GetWorkflows()[0].GetName() != "hand" {
		t.Errorf("the catalog has %v, %v", list, err)
	}
	if templates, err := flows.ListTemplates(ctx, &apiv1.ListTemplatesRequest{}); err != nil || len(templates.GetTemplates()) != 0 {
		t.Errorf("the template stays: %v, %v", templates, err)
	}
	revisions, err := catalog.ListRevisions(ctx, &apiv1.ListRevisionsRequest{Name: "kept"})
	if err != nil || len(revisions.GetRevisions()) != 2 || !revisions.GetRevisions()[0].GetCurrent() {
		t.Errorf("the history is gone: %v, %v", revisions, err)
	}
	if _, err := catalog.RemoveRepository(ctx, &apiv1.RemoveRepositoryRequest{Name: "shop", Keep: true}); err != nil {
		t.Fatal(err)
	}
	if err := apply(strings.Replace(hand, "one", "two", 1)); err != nil {
		t.Errorf("nobody may change what was kept: %v", err)
	}
}

// TestRepository_Push has a repository read because its forge tells of a push, long before its interval is over.
func TestRepository_Push(t *testing.T) {
	t.Parallel()
	g := newGitServer(t)
	p := start(t, t.TempDir(), "--outbound-allow", "127.0.0.0/8")
	client := &http.Client{Transport: bearer(p.token)}
	catalog, flows := apiv1connect.NewCatalogServiceClient(client, p.url), apiv1connect.NewWorkflowServiceClient(client, p.url)
	plain := strings.Replace(kept, "use: [{template: base}], ", "container: {image: a}, ", 1)
	g.push(map[string]string{"kept.yaml": plain})
	_, err := catalog.AddRepository(t.Context(), &apiv1.AddRepositoryRequest{Name: "shop", Url: g.url})
	worked(t, err)
	g.read(t, catalog)
	made, err := apiv1connect.NewTriggerServiceClient(client, p.url).CreateReceiver(t.Context(), &apiv1.CreateReceiverRequest{Name: "forge", Kind: "github"})
	worked(t, err)
	g.push(map[string]string{"kept.yaml": strings.Replace(plain, "one", "two", 1)})
	body := []byte(`{"ref": "refs/heads/main", "after": "` + strings.Repeat("a", 40) + `", "repository": {"full_name": "shop"}}`)
	address := p.hookOf(made.GetReceiver())
	if code := post(t, address, signedBy("github", made.GetSecret(), body, "1"), body); code != http.StatusAccepted {
		t.Fatalf("the push is answered with %d", code)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		got, err := flows.GetWorkflow(t.Context(), &apiv1.GetWorkflowRequest{Name: "kept"})
		worked(t, err)
		if got.GetWorkflow().GetRevision() == 2 {
			return
		}
		<-tick.C
	}
}

// read reads the repository now.
func (g *gitServer) read(t *testing.T, catalog apiv1connect.CatalogServiceClient) *apiv1.Repository {
	t.Helper()
	for {
		res, err := catalog.SyncRepository(t.Context(), &apiv1.SyncRepositoryRequest{Name: "shop"})
		if connect.CodeOf(err) == connect.CodeFailedPrecondition && strings.Contains(err.Error(), "just now") {
			continue // the sweep has it
		}
		if err != nil {
			t.Fatal(err)
		}
		return res.GetRepository()
	}
}
