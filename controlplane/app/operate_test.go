package app_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/seatrial/seatrial/controlplane/app"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// operate runs a command of the operator on a data folder.
func operate(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	var out, errs bytes.Buffer
	err := app.Operate(t.Context(), app.Operation{
		Args: append(args, "--data-dir", dir), Env: func(string) (string, bool) { return "", false }, Version: "v1", Out: &out, Err: &errs,
	})
	return out.String(), err
}

func must(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := operate(t, dir, args...)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return out
}

// TestOperate goes the life of an organization beside a control plane that runs.
func TestOperate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, dir)
	out := must(t, dir, "org", "create", "acme", "--owner", "ada@acme.example")
	token := regexp.MustCompile(`st_\w+`).FindString(out)
	acme := p.clients(token)
	apply := func() error {
		_, err := acme.workflows.ApplyWorkflow(t.Context(), &apiv1.ApplyWorkflowRequest{Source: document})
		return err
	}
	if err := apply(); err != nil {
		t.Fatal(err)
	}
	must(t, dir, "org", "suspend", "acme", "--reason", "unpaid")
	if err := apply(); connect.CodeOf(err) != connect.CodePermissionDenied || !strings.Contains(err.Error(), "acme is suspended") {
		t.Errorf("a token of a suspended organization: %v", err)
	}
	if _, err := p.clients(p.token).workflows.ListWorkflows(t.Context(), &apiv1.ListWorkflowsRequest{}); err != nil {
		t.Errorf("another organization: %v", err)
	}
	must(t, dir, "org", "resume", "acme")
	if err := apply(); err != nil {
		t.Error(err)
	}
	if out := must(t, dir, "member", "reset-password", "ada@acme.example", "--org", "acme"); !strings.Contains(out, "is now ") {
		t.Errorf("reset: %q", out)
	}
	if out := must(t, dir, "rotate-keys", "--new"); !strings.Contains(out, "Encrypted") {
		t.Errorf("rotate: %q", out)
	}
	if out := must(t, dir, "rotate-keys", "--signing"); !strings.Contains(out, "New keys sign") {
		t.Errorf("rotate signing keys: %q", out)
	}
	file := filepath.Join(t.TempDir(), "acme.tar.gz")
	must(t, dir, "org", "export", "acme", "--out", file)
	export := unpacked(t, file)
	for table, says := range map[string]string{
		"workflows": `"checkout"`, "members": "ada@acme.example", "audit_entries": "SuspendOrganization",
	} {
		if got := export["tables/"+table+".jsonl"]; !strings.Contains(got, says) || strings.Contains(got, "argon2") || strings.Contains(got, token) {
			t.Errorf("%s: %s", table, got)
		}
	}
	for _, action := range []string{"CreateOrganization", "ApplyWorkflow", "SuspendOrganization", "ResumeOrganization", "ResetPassword"} {
		if !strings.Contains(export["tables/audit_entries.jsonl"], `"`+action+`"`) {
			t.Errorf("%s is not on record", action)
		}
	}
	if _, err := operate(t, dir, "org", "delete", "acme"); err == nil || !strings.Contains(err.Error(), "--confirm acme") {
		t.Errorf("deleted without confirmation: %v", err)
	}
	must(t, dir, "org", "delete", "acme", "--confirm", "acme")
	if err := apply(); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("a token of a deleted organization: %v", err)
	}
	if out := must(t, dir, "org", "list"); strings.Contains(out, "acme") || !strings.Contains(out, "default") {
		t.Errorf("list: %q", out)
	}
}

func TestOperate_Faults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, dir)
	for name, tc := range map[string]struct {
		args []string
		says string
	}{
		"Unknown":  {[]string{"org", "suspend", "nobody"}, `no organization "nobody"`},
		"Name":     {[]string{"org", "create", "Acme Inc", "--owner", "a@b.c"}, "small letters"},
		"Taken":    {[]string{"org", "create", "default", "--owner", "a@b.c"}, "already"},
		"NoOwner":  {[]string{"org", "create", "acme"}, "owner"},
		"NoMember": {[]string{"member", "reset-password", "x@y.z"}, `no member "x@y.z"`},
		"Command":  {[]string{"orgg"}, "unknown command"},
		"Flag":     {[]string{"org", "list", "--database", "mysql://x"}, "database"},
	} {
		if _, err := operate(t, dir, tc.args...); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func unpacked(t *testing.T, file string) map[string]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	zipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for r := tar.NewReader(zipped); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[h.Name] = string(text)
	}
}

// TestOperate_Debug looks into a control plane that runs. No secret of its settings is shown.
func TestOperate_Debug(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, dir)
	text := must(t, dir, "debug", "profile", "goroutine", "--out", "-")
	if !strings.HasPrefix(text, "\x1f\x8b") {
		t.Errorf("no profile: %.100q", text)
	}
	file := filepath.Join(t.TempDir(), "debug.zip")
	must(t, dir, "debug", "bundle", "--out", file, "--seconds", "1")
	if _, err := operate(t, dir, "debug", "bundle", "--out", file, "--seconds", "1"); !errors.Is(err, os.ErrExist) {
		t.Errorf("a file that exists is not spared: %v", err)
	}
	for why, args := range map[string][]string{
		"an unknown kind":   {"profile", "money", "--out", "-"},
		"no time":           {"profile", "cpu", "--out", "-", "--seconds", "0"},
		"nowhere to put it": {"bundle"},
	} {
		if out, err := operate(t, dir, append([]string{"debug"}, args...)...); err == nil {
			t.Errorf("%s: %.100q", why, out)
		}
	}
	none := filepath.Join(t.TempDir(), "none.zip")
	if _, err := operate(t, t.TempDir(), "debug", "bundle", "--out", none); err == nil || !strings.Contains(err.Error(), "no control plane runs over this data folder") {
		t.Error(err)
	}
	if _, err := os.Stat(none); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of a failure something stays: %v", err)
	}
}
