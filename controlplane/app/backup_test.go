package app_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/app"
	"github.com/seatrial/seatrial/controlplane/blob"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/integration/harness"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

// place is where an instance is kept.
type place struct {
	dir  string
	args []string
}

// places makes empty places of one kind.
func places() map[string]func(t *testing.T) place {
	s3 := func(t *testing.T) []string {
		t.Helper()
		return []string{
			"--s3-endpoint", harness.S3(t), "--s3-bucket", "b" + uuid.NewString(), "--s3-access-key", harness.S3AccessKey,
			"--s3-secret-key", harness.S3SecretKey, "--s3-insecure",
		}
	}
	return map[string]func(t *testing.T) place{
		"SQLite": func(t *testing.T) place { t.Helper(); return place{dir: t.TempDir()} },
		"PostgreSQL": func(t *testing.T) place {
			t.Helper()
			return place{t.TempDir(), append(s3(t), "--database", harness.Postgres(t))}
		},
		"TwoRoles": func(t *testing.T) place {
			t.Helper()
			owner := harness.Postgres(t)
			return place{t.TempDir(), []string{"--database", harness.PostgresUser(t, owner), "--database-system", owner}}
		},
	}
}

func (at place) operate(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out, errs bytes.Buffer
	err := app.Operate(t.Context(), app.Operation{
		Args: append(append(args, "--data-dir", at.dir), at.args...), Env: func(string) (string, bool) { return "", false }, Version: "v1", Out: &out, Err: &errs,
	})
	return out.String() + errs.String(), err
}

// takeKeys brings the encryption keys of an instance to another place, as an operator does who keeps them apart.
func (at place) takeKeys(t *testing.T, from place) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(from.dir, "encryption.keys"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(at.dir, "encryption.keys"), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRestore rehearses the loss of everything: an instance that has worked is backed up while it runs, goes, and comes back in an empty
// place from the backup and the keys alone.
func TestRestore(t *testing.T) {
	t.Parallel()
	for name, empty := range places() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := empty(t)
			p := start(t, before.dir, before.args...)
			c := p.clients(p.token)
			releases := apiv1connect.NewReleaseServiceClient(c.http, p.url)
			ca, agent := lived(t, p, c, releases)
			signed := bundle(t, releases)
			seen := everything(t, p, p.token)

			file := filepath.Join(t.TempDir(), "backup.tar.zst")
			out, err := before.operate(t, "backup", "--out", file)
			if err != nil || !strings.Contains(out, "encryption key") {
				t.Fatalf("%q, %v", out, err)
			}
			if _, err := before.operate(t, "backup", "--out", file); !fault.Is(err, fault.Conflict) {
				t.Errorf("a second backup to the same file: %v", err)
			}
			if out, err := before.operate(t, "backup", "verify", file); err != nil || !strings.Contains(out, "is whole") {
				t.Errorf("verify: %q, %v", out, err)
			}
			if err := p.stop(); err != nil {
				t.Fatal(err)
			}

			after := empty(t)
			if _, err := after.operate(t, "restore", file); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "no encryption keys") {
				t.Errorf("without the keys: %v", err)
			}
			after.takeKeys(t, before)
			if out, err = after.operate(t, "restore", file); err != nil || !strings.Contains(out, "of the audit log hold") {
				t.Fatalf("%q, %v", out, err)
			}
			if _, err := after.operate(t, "restore", file); !fault.Is(err, fault.Conflict) {
				t.Errorf("restored over what is there: %v", err)
			}

			again := start(t, after.dir, after.args...)
			if strings.Contains(again.out.String(), "API token") {
				t.Error("a restored instance starts as a new one")
			}
			if now := everything(t, again, p.token); now != seen {
				t.Errorf("before\n%s\nafter\n%s", seen, now)
			}
			c = again.clients(p.token)
			again.token = p.token
			if !examine(t, signed, ring(t, again)).Holds() {
				t.Error("a bundle from before does not hold any more")
			}
			fresh := bundle(t, apiv1connect.NewReleaseServiceClient(c.http, again.url))
			if f := examine(t, fresh, ring(t, again)); !f.Holds() {
				t.Errorf("a bundle that is signed now: %v", f.Points)
			}
			again.renew(t, ca, agent) // by the authority and the key that it had
			agent.connect(t)
		})
	}
}

// lived has an instance do what leaves something behind, and returns what an agent remembers.
func lived(t *testing.T, p *program, c clients, releases apiv1connect.ReleaseServiceClient) (ca string, a *agent) {
	t.Helper()
	enrolled, err := c.clusters.EnrollCluster(t.Context(), &apiv1.EnrollClusterRequest{Name: "kind", Namespace: "tests", Environment: "staging"})
	if err != nil {
		t.Fatal(err)
	}
	a = p.enrol(t, enrolled.GetAgentCa(), enrolled.GetBootstrapToken())
	release(t, a.connect(t), a, c, releases)
	return enrolled.GetAgentCa(), a
}

// everything writes down everything that people see of the instance.
func everything(t *testing.T, p *program, token string) string {
	t.Helper()
	c := p.clients(token)
	var b strings.Builder
	all, err := c.executions.ListExecutions(t.Context(), &apiv1.ListExecutionsRequest{})
	if err != nil || len(all.GetExecutions()) == 0 {
		t.Fatalf("executions %v, %v", all, err)
	}
	for _, e := range all.GetExecutions() {
		look(t, p, c, e.GetId())
		full, err := c.executions.GetExecution(t.Context(), &apiv1.GetExecutionRequest{Id: e.GetId()})
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(full.GetExecution().GetId() + " " + full.GetExecution().GetStatus().String() + "\n")
		for _, r := range full.GetExecution().GetRuns() {
			for _, at := range r.GetAttempts() {
				b.WriteString(logOf(t, c, at.GetId()))
			}
		}
	}
	release, err := apiv1connect.NewReleaseServiceClient(c.http, p.url).GetRelease(t.Context(), &apiv1.GetReleaseRequest{Application: "shop", Version: "1.42.0"})
	if err != nil {
		t.Fatal(err)
	}
	b.WriteString(release.GetRelease().GetState().String() + " " + release.GetRelease().GetPolicy().String() + "\n")
	b.WriteString(trail(t, p, token))
	return b.String()
}

func logOf(t *testing.T, c clients, attempt string) string {
	t.Helper()
	s, err := c.executions.StreamLog(t.Context(), &apiv1.StreamLogRequest{AttemptId: attempt})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var b strings.Builder
	for s.Receive() {
		b.Write(s.Msg().GetData())
	}
	if s.Err() != nil || b.String() != logText {
		t.Errorf("log %q, %v", b.String(), s.Err())
	}
	return b.String()
}

// trail is the audit log of the organization as far as the release.
func trail(t *testing.T, p *program, token string) string {
	t.Helper()
	res, err := apiv1connect.NewAuditServiceClient(p.clients(token).http, p.url).ListAuditEntries(t.Context(), &apiv1.ListAuditEntriesRequest{})
	if err != nil || len(res.GetEntries()) < 4 {
		t.Fatalf("audit %v, %v", res, err)
	}
	var b strings.Builder
	for _, e := range res.GetEntries() {
		b.WriteString(e.GetAction() + " " + e.GetActorName() + " " + hex.EncodeToString(e.GetHash()) + "\n")
	}
	return b.String()
}

// TestRestore_Refuses: what would be half an instance, or another one than was meant, is not begun.
func TestRestore_Refuses(t *testing.T) {
	t.Parallel()
	before := place{dir: t.TempDir()}
	p := start(t, before.dir)
	file := filepath.Join(t.TempDir(), "backup.tar.zst")
	if out, err := before.operate(t, "backup", "--out", file); err != nil {
		t.Fatalf("%q, %v", out, err)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(t.TempDir(), "broken")
	if err := os.WriteFile(broken, whole[:len(whole)-9], 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		file string
		make func(t *testing.T, at place)
		kind fault.Kind
		says string
	}{
		"OtherKeys":  {file, func(t *testing.T, at place) { t.Helper(); other(t, at) }, fault.Unavailable, "not among the keys"},
		"Damaged":    {broken, func(t *testing.T, at place) { t.Helper(); at.takeKeys(t, before) }, fault.Invalid, "damaged"},
		"Database":   {file, func(t *testing.T, at place) { t.Helper(); at.takeKeys(t, before); touch(t, at, "seatrial.db") }, fault.Conflict, "a database already"},
		"Authority":  {file, func(t *testing.T, at place) { t.Helper(); at.takeKeys(t, before); touch(t, at, "agent-ca.crt") }, fault.Conflict, "agent-ca.crt"},
		"Blobs":      {file, func(t *testing.T, at place) { t.Helper(); at.takeKeys(t, before); putBlob(t, at) }, fault.Conflict, "org/"},
		"PostgreSQL": {file, func(t *testing.T, at place) { t.Helper(); at.takeKeys(t, before) }, fault.Invalid, "sqlite"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := place{dir: t.TempDir()}
			if name == "PostgreSQL" {
				at.args = []string{"--database", harness.Postgres(t)}
			}
			tc.make(t, at)
			held := listing(t, at.dir)
			if _, err := at.operate(t, "restore", tc.file); !fault.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v", err)
			}
			if now := listing(t, at.dir); now != held {
				t.Errorf("before %s, after %s", held, now)
			}
		})
	}
	if _, err := before.operate(t, "restore", file); err == nil || !strings.Contains(err.Error(), "in use by another") {
		t.Errorf("where a control plane runs: %v", err)
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
}

func touch(t *testing.T, at place, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(at.dir, name), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func other(t *testing.T, at place) {
	t.Helper()
	touch(t, at, "encryption.keys")
	if err := os.WriteFile(filepath.Join(at.dir, "encryption.keys"), []byte("another:"+strings.Repeat("A", 43)+"=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func putBlob(t *testing.T, at place) {
	t.Helper()
	d, err := blob.NewDir(filepath.Join(at.dir, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Put(tenant.System(t.Context()), "org/x/y", strings.NewReader("x"), 1, ""); err != nil {
		t.Fatal(err)
	}
}

// listing names the files of a folder, but for the lock.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != ".lock" {
			names = append(names, strings.TrimPrefix(path, dir))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, " ")
}
