package deploy_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var fence = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

// generated are documents that a test makes and holds against the programs: their blocks are forms, not commands.
func generated() []string {
	return []string{"charts/README.md", "controlplane/README.md", "ui/cli/README.md"}
}

// told are documents whose blocks of shell are run as they stand.
func told() []string {
	return []string{"deploy/howto/README.md", "deploy/migrate/README.md", "deploy/operate/README.md"}
}

// elsewhere are the blocks of shell of the other documents by their first line, each with what runs it or why nothing here can.
func elsewhere() map[string]string {
	return map[string]string{
		"README.md: seatrial-controlplane debug bundle": "TestBundle of controlplane/diagnose and those of controlplane/operator ask a replica that runs",
		"deploy/README.md: make images":                 "TestImages of integration/images runs what the target runs",

		"README.md: $ seatrial run shop-api --wait":     "what comes out of the demo; deploy/howto has the same commands, which are run",
		"README.md: $ seatrial apply -f hello.yaml":     "shown with what it prints; deploy/howto applies and runs",
		"README.md: $ cat deploy/demo/policy.yaml":      "what comes out of the demo; deploy/howto has the same commands, which are run",
		"README.md: helm upgrade --install seatrial":    "the tests of charts in integration/e2e install and test both on a cluster",
		"README.md: seatrial-controlplane backup --out": "deploy/operate has the same commands, which are run",
		"README.md: seatrial team create payments":      "wants somebody who accepts the invitation in a browser; TestPeople of ui/cli/cmd calls each command",
		"README.md: OIDC_SECRET=… seatrial sso set":     "wants a provider of identities; TestAccess of ui/cli/cmd calls each command, TestRun_SignInByProvider of controlplane/app signs in",
		"README.md: seatrial trust set checkout":        "asks for the keys of GitHub; TestAccess of ui/cli/cmd calls it, that of federation in controlplane/app trades tokens",
		"README.md: openssl genpkey":                    "wants a cluster with the chart; TestSigned of integration/e2e signs and runs there",
		"deploy/README.md: oras cp":                     "TestImages of integration/images copies a layout into a registry in the same way",
	}
}

// typed reports whether a block that is of no language has commands: shown as somebody types them, or as they stand.
func typed(block string) bool {
	return regexp.MustCompile(`(?m)^(\$ |([A-Z_]+=\S+ )?(seatrial|seatrial-controlplane|helm|kubectl|make|docker|oras|openssl|curl)\b)`).MatchString(block)
}

// TestDocuments_Run runs the blocks of shell of the documents against a control plane with a cluster, block by block in one shell.
func TestDocuments_Run(t *testing.T) {
	t.Parallel()
	for _, file := range told() {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			p := newPlane(t)
			dir := t.TempDir()
			var script strings.Builder
			script.WriteString("set -euo pipefail\n")
			for _, f := range fence.FindAllStringSubmatch(contents(t, file), -1) {
				switch f[1] {
				case "yaml":
					place(t, dir, f[2])
				case "sh":
					script.WriteString(f[2])
				}
			}
			bin, _ := commands(t)
			if err := os.Symlink(p.dir, filepath.Join(dir, "data")); err != nil {
				t.Fatal(err)
			}
			if code, out := shell(t, dir, "set -x\n"+script.String(), map[string]string{
				"PATH": bin + ":/usr/bin:/bin", "SEATRIAL_SERVER": p.url, "SEATRIAL_TOKEN": p.token,
			}); code != 0 {
				t.Errorf("exit %d\n%s", code, out)
			}
		})
	}
}

// place writes a block of YAML into the file that its first line names.
func place(t *testing.T, dir, block string) {
	t.Helper()
	first, _, _ := strings.Cut(block, "\n")
	name, ok := strings.CutPrefix(first, "# ")
	if !ok || strings.Contains(name, " ") {
		t.Fatalf("a document is of no file: %s", first)
	}
	file := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(block), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDocuments_AllRun: no document has a block of commands that nothing runs and nobody answers for.
func TestDocuments_AllRun(t *testing.T) {
	t.Parallel()
	known := elsewhere()
	used := map[string]bool{}
	for _, file := range written(t) {
		if slices.Contains(generated(), file) {
			continue
		}
		for _, f := range fence.FindAllStringSubmatch(contents(t, file), -1) {
			run := f[1] == "sh" && slices.Contains(told(), file)
			if run || f[1] != "sh" && (f[1] != "" || !typed(f[2])) {
				continue
			}
			at := slices.IndexFunc(slices.Sorted(maps.Keys(known)), func(begin string) bool { return strings.HasPrefix(file+": "+f[2], begin) })
			if at < 0 {
				t.Errorf("%s: nothing runs this block; have it run, or say what does:\n%s", file, f[2])
				continue
			}
			used[slices.Sorted(maps.Keys(known))[at]] = true
		}
	}
	for begin := range known {
		if !used[begin] {
			t.Errorf("no document has the block %q", begin)
		}
	}
}

// written are all documents, from the root.
func written(t *testing.T) (out []string) {
	t.Helper()
	if err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == ".bin" || d.Name() == "dist") {
			return fs.SkipDir
		}
		if strings.HasSuffix(path, ".md") {
			out = append(out, strings.TrimPrefix(path, root+"/"))
		}
		return nil
	}); err != nil || len(out) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	return out
}

func contents(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
