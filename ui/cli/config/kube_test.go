package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/seatrial/seatrial/ui/cli/config"
)

func TestKubeContext(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write(".kube/config", "current-context: home\n")
	none, eu, broken := write("none", "kind: Config\n"), write("eu", "kind: Config\ncurrent-context: eu-1\n"), write("broken", "{")
	for name, tc := range map[string]struct{ list, want string }{
		"Home":    {"", "home"},
		"First":   {none + ":" + eu, "eu-1"},
		"Missing": {filepath.Join(home, "gone") + ":" + eu, "eu-1"},
		"Broken":  {broken, ""},
	} {
		env := map[string]string{"HOME": home, "KUBECONFIG": tc.list}
		if got := config.KubeContext(func(k string) string { return env[k] }); got != tc.want {
			t.Errorf("%s: %q", name, got)
		}
	}
	c := config.Config{Contexts: map[string]config.Context{"eu-1": {}}}
	if c.Beside("eu-1") != "eu-1" || c.Beside("us-2") != "" {
		t.Error("which context goes with that of kubectl?")
	}
}
