package e2e_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"database/sql"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // driver "sqlite"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// signedWorkflow is what its author signs: the place of the shop is a parameter, everything else is not.
const signedWorkflow = `apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: signed}
spec:
  params: {shop: {type: string, default: "http://shop", pattern: "^http"}}
  container: {image: ` + python + `, imagePullPolicy: Never}
  source: {files: [{path: greet.sh, content: "echo the shop is at \"$SHOP\"\n", mode: 0755}]}
  matrix: {n: [1, 2]}
  steps:
    - name: greet
      run: ./greet.sh; echo number ${{ matrix.n }}
      env: [{name: SHOP, value: "${{ params.shop }}"}]
`

// TestSigned holds that an agent with a customer's key runs what the customer has signed, and nothing else that the control plane has.
func TestSigned(t *testing.T) {
	t.Parallel()
	p := startPlane(t, t.TempDir())
	public, secret, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, keys := filepath.Join(p.dir, "key.pem"), filepath.Join(p.dir, "key.pub.pem")
	private, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	pkix, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{key: {Type: "PRIVATE KEY", Bytes: private}, keys: {Type: "PUBLIC KEY", Bytes: pkix}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a := installAgent(t, p, "--set-file", "'runSpecifications.publicKeys[0]="+keys+"'", "--set", "runSpecifications.organization=acme")
	if got := p.must(t, "cluster", "show", a.cluster); !strings.Contains(got, "signed for acme with key") {
		t.Errorf("people are not told what the cluster demands:\n%s", got)
	}

	signed := p.as(t, p.token, signedWorkflow, "workflow", "sign", "-", "--key", key, "--organization", "acme", "--namespace", a.namespace)
	if signed.code != 0 {
		t.Fatalf("sign: %s", signed.err)
	}
	renamed := func(source, name string) string {
		return strings.Replace(source, "name: signed}", "name: "+name+"}", 1)
	}
	for _, tc := range []struct {
		name, source string
		params       []string
		log          string
		says         string // why the agent refuses
	}{
		{name: "signed", source: signed.out, log: "the shop is at http://shop\n"},
		{name: "signed", source: signed.out, params: []string{"-p", "shop=https://x/${{ env.HOME }} $(id)"}, log: "the shop is at https://x/${{ env.HOME }} $(id)\n"},
		{name: "unsigned", source: renamed(signedWorkflow, "unsigned"), says: `runs signed workflows only, and "unsigned" carries no signature`},
		{name: "moved", source: renamed(signed.out, "moved"), says: `it is of the workflow "signed"`},
		{name: "signed", source: strings.Replace(signed.out, "echo number", "echo changed", 1), says: "not among what was signed"},
	} {
		p.apply(t, tc.source)
		e := p.ended(t, p.run(t, tc.name, tc.params...))
		if tc.says != "" {
			if at := attemptOf(e); e.GetStatus() != apiv1.Status_STATUS_ERRORED || !strings.Contains(at.GetMessage(), tc.says) {
				t.Errorf("%s: %s %s: %s", tc.name, e.GetStatus(), at.GetReason(), at.GetMessage())
			}
			if n := a.jobs(t, e.GetId()); n != 0 {
				t.Errorf("%s: there are %d Jobs of it", tc.name, n)
			}
			continue
		}
		if log := p.must(t, "logs", e.GetId()); e.GetStatus() != apiv1.Status_STATUS_PASSED || strings.Count(log, tc.log) != 2 {
			t.Errorf("%s: %s %s\n%s", tc.name, e.GetStatus(), e.GetMessage(), log)
		}
	}
	p.takenOver(t, a, signed.out)
}

// takenOver changes what is to run where the control plane keeps it, as whoever has taken that over may. The signature goes along as it was.
func (p *plane) takenOver(t *testing.T, a *agent, signed string) {
	t.Helper()
	p.apply(t, signed)
	p.must(t, "cluster", "drain", a.cluster)
	id := p.run(t, "signed")
	// the script in the plan, which comes before the signature; both texts have one length
	if n := p.rewrite(t, "./greet.sh; echo number", "env >/proc/1/fd/1; echo"); n != 2 {
		t.Fatalf("%d attempts were changed, want one for each run", n)
	}
	p.must(t, "cluster", "undrain", a.cluster)
	e := p.ended(t, id)
	const says = `The control plane asks for something else than was signed for "signed" with key `
	at := attemptOf(e)
	if e.GetStatus() != apiv1.Status_STATUS_ERRORED || !strings.Contains(at.GetMessage(), says) ||
		!strings.Contains(at.GetMessage(), `plan.steps[0].script is "env >/proc/1/fd/1; echo 1", signed is "./greet.sh; echo number 1"`) {
		t.Errorf("%s %s: %s", e.GetStatus(), at.GetReason(), at.GetMessage())
	}
	if n := a.jobs(t, id); n != 0 {
		t.Errorf("there are %d Jobs of it", n)
	}
}

// rewrite puts one text in place of another in the assignments that nobody has fetched yet, and returns in how many.
func (p *plane) rewrite(t *testing.T, before, after string) (changed int) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(p.dir, "data", "seatrial.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), "SELECT rowid, spec FROM attempts WHERE status = 'queued'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	specs := map[int64][]byte{}
	for rows.Next() {
		var id int64
		var spec []byte
		if err := rows.Scan(&id, &spec); err != nil {
			t.Fatal(err)
		}
		specs[id] = spec
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for id, spec := range specs {
		if !bytes.Contains(spec, []byte(before)) {
			continue
		}
		if _, err := db.ExecContext(t.Context(), "UPDATE attempts SET spec = ? WHERE rowid = ?", bytes.Replace(spec, []byte(before), []byte(after), 1), id); err != nil {
			t.Fatal(err)
		}
		changed++
	}
	return changed
}
