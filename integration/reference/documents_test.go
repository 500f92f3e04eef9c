package reference_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/controlplane/config"
	"github.com/seatrial/seatrial/controlplane/operator"
	"github.com/seatrial/seatrial/ui/cli/cmd"
)

var (
	code       = regexp.MustCompile("(?s)```[a-z]*\n(.*?)```|`([^`]+)`")
	metricName = regexp.MustCompile(`\bseatrial_[a-z][a-z_]*[a-z]\b`)
	longFlag   = regexp.MustCompile(`^--([a-z][-a-z0-9]*)(=.*)?$`)
	helmValue  = regexp.MustCompile(`--set(?:-string|-json|-file)?[ =]'?([A-Za-z][A-Za-z0-9.]*)`)
)

// TestDocuments: whoever follows a document meets no command, flag, metric or value that there is not.
func TestDocuments(t *testing.T) {
	t.Parallel()
	known := metrics(t)
	for path, text := range documents(t) {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			for _, name := range metricName.FindAllString(text, -1) {
				if _, ok := known[strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_count"), "_sum")]; !ok && !isScript(name) {
					t.Errorf("there is no metric %s", name)
				}
			}
			for _, found := range code.FindAllStringSubmatch(text, -1) {
				for _, line := range lines(found[1] + found[2]) {
					if fault := check(line); fault != "" {
						t.Errorf("%s: %s", line, fault)
					}
				}
			}
			for _, found := range helmValue.FindAllStringSubmatch(text, -1) {
				if !slices.ContainsFunc(charts(t), func(chart string) bool { return has(chartSchema(t, chart), strings.Split(found[1], ".")) }) {
					t.Errorf("no chart has the value %s", found[1])
				}
			}
		})
	}
}

// isScript tells names of files and databases from those of metrics.
func isScript(name string) bool { return strings.HasPrefix(name, "seatrial_app") }

// documents returns what is written for people, by path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == ".bin") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".md") {
			return nil
		}
		raw, err := os.ReadFile(path)
		out[strings.TrimPrefix(path, root+"/")] = string(raw)
		return err
	})
	if err != nil || out["README.md"] == "" {
		t.Fatalf("the documents were not found: %v", err)
	}
	return out
}

// lines are the command lines of a piece of code, joined where they go on.
func lines(piece string) (out []string) {
	piece = strings.ReplaceAll(piece, "\\\n", " ")
	if !strings.Contains(piece, "```") { // a span of code may go on in the next line of the text
		piece = strings.ReplaceAll(piece, "\nseatrial", "\x00seatrial")
	}
	for _, line := range strings.FieldsFunc(piece, func(r rune) bool { return r == '\n' || r == '\x00' || r == ';' || r == '|' || r == '&' }) {
		if line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "$ ")); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// check returns what is wrong with a command line of the project's programs; anything else is right.
func check(line string) string {
	words := strings.Fields(line)
	switch words[0] {
	case "seatrial":
		return checkCommand(cmd.Tree(), words[1:])
	case "seatrial-controlplane":
		return checkControlPlane(words[1:])
	}
	return ""
}

func checkCommand(tree *cobra.Command, words []string) string {
	at := tree
	for i, word := range words {
		if strings.HasPrefix(word, "-") || strings.ContainsAny(word, "|<…") {
			break
		}
		next := sub(at, strings.TrimRight(word, ",.:"))
		if next == nil {
			if i == 0 && word != "help" && word != "completion" || at.HasSubCommands() && !at.Runnable() && word == strings.ToLower(word) && at.Name() != "completion" {
				return "there is no command " + at.CommandPath() + " " + word
			}
			break
		}
		at = next
	}
	for _, word := range words {
		if m := longFlag.FindStringSubmatch(word); m != nil && at.Flag(m[1]) == nil && at.InheritedFlags().Lookup(m[1]) == nil && m[1] != "help" {
			return at.CommandPath() + " has no flag --" + m[1]
		}
		if word == "--" {
			break
		}
	}
	return ""
}

func sub(parent *cobra.Command, name string) *cobra.Command {
	for _, c := range parent.Commands() {
		if c.Name() == name || c.HasAlias(name) {
			return c
		}
	}
	return nil
}

func checkControlPlane(words []string) string {
	_, set := config.Flags()
	if len(words) > 0 && !strings.HasPrefix(words[0], "-") {
		return checkCommand(operator.Tree(operator.Options{Flags: set}), words)
	}
	for _, word := range words {
		if m := longFlag.FindStringSubmatch(word); m != nil && set.Lookup(m[1]) == nil && m[1] != "help" && m[1] != "version" {
			return "the control plane has no flag --" + m[1]
		}
	}
	return ""
}

// has reports whether the values of a chart have a path. What is below a map of anything is right.
func has(s schema, path []string) bool {
	if len(path) == 0 {
		return true
	}
	next, ok := s.Properties[path[0]]
	if !ok {
		return len(s.Properties) == 0 && s.Type != nil
	}
	return has(next, path[1:])
}

// TestCheck: the checks find what they are for.
func TestCheck(t *testing.T) {
	t.Parallel()
	for line, wrong := range map[string]bool{
		"seatrial run smoke --wait":                  false,
		"seatrial run smoke --wiat":                  true,
		"seatrial clutser list":                      true,
		"seatrial cluster drop eu-1":                 true,
		"seatrial cluster drain eu-1 --reason x":     false,
		"seatrial-controlplane --listen :8080":       false,
		"seatrial-controlplane --lisen :8080":        true,
		"seatrial-controlplane org list":             false,
		"seatrial-controlplane org create acme --of": true,
		"seatrial-controlplane debug heap":           true,
		"seatrial get executions -o json":            false,
		"kubectl get pods --whatever":                false,
		"seatrial release gate shop 1.42.0 --wait":   false,
		"seatrial release gate shop 1.42.0 --waited": true,
	} {
		if got := check(line); (got != "") != wrong {
			t.Errorf("%s: %q", line, got)
		}
	}
	if values := chartSchema(t, "agent"); !has(values, []string{"controlPlane", "address"}) || has(values, []string{"controlPlane", "host"}) {
		t.Error("values are not told apart")
	}
}
