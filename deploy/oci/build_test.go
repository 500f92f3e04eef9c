package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// copyOf makes a folder with a file in it and a git repository around it, in which the file is committed.
func copyOf(t *testing.T) (dir, head string) {
	t.Helper()
	dir = t.TempDir()
	write(t, filepath.Join(dir, "sub", "main.go"), "package main\n")
	run := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.test", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.test", "GIT_CONFIG_GLOBAL=/dev/null")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	run("init", "-q")
	run("add", ".")
	run("commit", "-qm", "first")
	return dir, run("rev-parse", "HEAD")
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestGit_Revision: the provenance names a commit only when the sources are that commit, and says so when nobody can tell.
func TestGit_Revision(t *testing.T) {
	t.Parallel()
	const told = "c0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ff"
	for name, tc := range map[string]struct {
		at      string // below the repository; "-" for a folder outside of it
		changed bool
		told    func(head string) string
		want    func(head string) string
		doubt   string
		wrong   string
		reason  string
	}{
		"Clean":          {reason: "git vouches for it", want: func(head string) string { return head }},
		"CleanAndTold":   {told: func(head string) string { return head }, want: func(head string) string { return head }, reason: "both say the same"},
		"Other":          {told: func(string) string { return told }, wrong: "the sources are those of", reason: "what is built would be told to be something else"},
		"Changed":        {changed: true, doubt: "changes that are in no commit", reason: "it is made of no commit"},
		"ChangedAndTold": {changed: true, told: func(head string) string { return head }, doubt: "changes that are in no commit", reason: "nor does saying so make it one"},
		"Enclosed":       {at: "sub", doubt: "no git repository of these sources", reason: "the repository around it is another's"},
		"EnclosedTold":   {at: "sub", told: func(string) string { return told }, want: func(string) string { return told }, doubt: "as REVISION tells", reason: "nobody can check it"},
		"NoGit":          {at: "-", doubt: "no git repository of these sources", reason: "an archive of the sources"},
		"Branch":         {told: func(string) string { return "main" }, wrong: "want the whole hash", reason: "a name is no commit"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, head := copyOf(t)
			if tc.changed {
				write(t, filepath.Join(dir, "sub", "main.go"), "package other\n")
			}
			from := filepath.Join(dir, tc.at)
			if tc.at == "-" {
				from = t.TempDir()
			}
			given, want := "", ""
			if tc.told != nil {
				given = tc.told(head)
			}
			if tc.want != nil {
				want = tc.want(head)
			}
			commit, doubt, err := gitOf(t.Context(), from).revision(given)
			if (err != nil) != (tc.wrong != "") || err != nil && !strings.Contains(err.Error(), tc.wrong) {
				t.Fatalf("%v: %s", err, tc.reason)
			}
			if commit != want || !strings.Contains(doubt, tc.doubt) || (doubt == "") != (tc.doubt == "") {
				t.Errorf("%q, %q: %s", commit, doubt, tc.reason)
			}
		})
	}
}

// TestGit_Said: the version of another repository is not that of the sources.
func TestGit_Said(t *testing.T) {
	t.Parallel()
	dir, head := copyOf(t)
	question := []string{"rev-parse", "HEAD"}
	if got := gitOf(t.Context(), dir).said("NOT_SET_ANYWHERE", "dev", question...); got != head {
		t.Errorf("its own: %s", got)
	}
	if got := gitOf(t.Context(), filepath.Join(dir, "sub")).said("NOT_SET_ANYWHERE", "dev", question...); got != "dev" {
		t.Errorf("of another: %s", got)
	}
}

func TestHashOf(t *testing.T) {
	t.Parallel()
	// The example of the specification of in-toto.
	got := hashOf("h1:Khu2En+0gcYPZ2kuIihfswbzxv/mIHXgzPZ018Oty48=")["dirHash1"]
	if got != "2a1bb6127fb481c60f67692e22285fb306f3c6ffe62075e0ccf674d7c3adcb8f" || hashOf("") != nil || hashOf("h2:x") != nil {
		t.Errorf("%s", got)
	}
}

// TestRun_Builder: who builds is an address or nobody.
func TestRun_Builder(t *testing.T) {
	t.Parallel()
	if err := run(t.Context(), []string{"-builder", "me"}); err == nil || !strings.Contains(err.Error(), "-builder me") {
		t.Errorf("%v", err)
	}
}
