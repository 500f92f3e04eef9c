package dispatch_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/seatrial/seatrial/controlplane/dispatch"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/specify"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
	"github.com/seatrial/seatrial/proto/runspec"
)

const toSign = `
apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: signed}
spec:
  params: {url: {type: string, default: "http://shop"}}
  use: [{template: browser}]
  matrix: {n: [1, 2]}
  shards: {count: 2}
  retry: {infrastructure: 1}
  steps:
    - run: ./test.sh ${{ matrix.n }} ${{ shard.index }}
      env: [{name: URL, value: "${{ params.url }}"}, {name: WHERE, value: "${{ environment.name }}"}]
`

func template(image string) string {
	return "apiVersion: seatrial.dev/v1\nkind: TestWorkflowTemplate\nmetadata: {name: browser}\nspec: {container: {image: '" + image + "'}}\n"
}

// sign signs a document with a template as its author does, and returns it with the policy of an agent that trusts the author.
func sign(t *testing.T, source, used string) (signed string, policy runspec.Policy) {
	t.Helper()
	secret := ed25519.NewKeyFromSeed([]byte(strings.Repeat(".", ed25519.SeedSize)))
	der, err := x509.MarshalPKIXPublicKey(secret.Public())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := runspec.ParseKeys(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := workflow.Load("signed", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	doc, _, err := workflow.Resolve(loaded, func([]string) ([]workflow.Record, error) {
		return []workflow.Record{{Name: "browser", Source: used}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := specify.New(doc)
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.All()
	if err != nil {
		t.Fatal(err)
	}
	statement := runspec.Statement{Organization: "acme", Workflow: "signed", SignedAt: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	for _, one := range all {
		statement.Specifications = append(statement.Specifications, runspec.Digest(one.JSON))
	}
	envelope, err := runspec.Sign(statement, keys[0].ID(), func(message []byte) ([]byte, error) { return ed25519.Sign(secret, message), nil })
	if err != nil {
		t.Fatal(err)
	}
	text, err := specify.Annotate([]byte(source), string(envelope))
	if err != nil {
		t.Fatal(err)
	}
	return string(text), runspec.Policy{Keys: keys, Organization: "acme"}
}

// TestDispatcher_Signed holds that agents believe what goes from a signed workflow to them, and nothing when it has changed since.
func TestDispatcher_Signed(t *testing.T) {
	t.Parallel()
	const original = "playwright:1"
	for name, tc := range map[string]struct {
		change func(string) string
		image  string // of the template by now
		want   string
	}{
		"OK":          {},
		"ErrDocument": {change: func(s string) string { return strings.Replace(s, "./test.sh", "curl evil;", 1) }, want: "not among what was signed"},
		"ErrTemplate": {image: "evil:1", want: "not among what was signed"},
		"ErrCannotBe": {change: func(s string) string { return strings.Replace(s, "./test.sh", "./test.sh ${{ params.url }}", 1) }, want: "not among what was signed"},
		"ErrRemoved":  {change: func(s string) string { return strings.Replace(s, runspec.Annotation, "example.test/other", 1) }, want: "carries no signature"},
		"ErrForged":   {change: func(s string) string { return strings.Replace(s, `"sig":"`, `"sig":"AAAA`, 1) }, want: "none of the keys"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			source, policy := sign(t, toSign, template(original))
			if tc.change != nil {
				source = tc.change(source)
			}
			image := original
			if tc.image != "" {
				image = tc.image
			}
			b.store.workflows["signed"] = workflow.Record{Name: "signed", RevisionID: id(0xf), Revision: 1, Source: source}
			b.store.templates = map[string]workflow.Record{"browser": {Name: "browser", Source: template(image)}}
			if _, _, err := b.Start(as(t, tenant.ScopeRun), execution.Request{Workflow: "signed", Params: map[string]string{"url": "https://x/${{ env.HOME }}"}}); err != nil {
				t.Fatal(err)
			}
			runs := b.store.created[0].Runs
			if len(runs) != 4 {
				t.Fatalf("%d runs", len(runs))
			}
			for _, run := range runs {
				again, _, err := dispatch.Reissue(run.Spec, id(9), 2)
				if err != nil {
					t.Fatal(err)
				}
				for _, spec := range [][]byte{run.Spec, again} {
					var a agentv1.Assignment
					if err := proto.Unmarshal(spec, &a); err != nil {
						t.Fatal(err)
					}
					err := policy.Check(&a, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
					if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
						t.Errorf("%s: %v, want %q", run.Name, err, tc.want)
					}
				}
			}
		})
	}
}
