package cmd_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/ui/cli/cmd"
	"github.com/seatrial/seatrial/ui/cli/config"
)

// TestPlugin: as a plugin of kubectl the command talks to the control plane that goes with the context of kubectl, unless told otherwise.
func TestPlugin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var asked string
	contexts := map[string]config.Context{}
	for _, name := range []string{"default", "eu-1", "us-2"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked = name
			w.WriteHeader(http.StatusNotFound)
		}))
		t.Cleanup(server.Close)
		contexts[name] = config.Context{Server: server.URL, Token: name}
	}
	kube := filepath.Join(dir, "kubeconfig")
	env := map[string]string{"XDG_CONFIG_HOME": dir, "KUBECONFIG": kube}
	get := func(k string) string { return env[k] }
	if err := config.Save(config.Path(get), config.Config{Current: "default", Contexts: contexts}); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		plugin     bool
		kube, want string
		args       []string
	}{
		{true, "eu-1", "eu-1", nil}, {true, "unknown", "default", nil}, {false, "eu-1", "default", nil}, {true, "eu-1", "us-2", []string{"--context", "us-2"}},
	} {
		if err := os.WriteFile(kube, []byte("current-context: "+tc.kube+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		asked = ""
		var out bytes.Buffer
		cmd.Main(t.Context(), append([]string{"get", "clusters"}, tc.args...), cmd.Options{Out: &out, Err: &out, Env: get, Plugin: tc.plugin})
		if asked != tc.want {
			t.Errorf("%+v asked %q: %s", tc, asked, out.String())
		}
	}
	var out bytes.Buffer
	cmd.Main(t.Context(), []string{"run", "--help"}, cmd.Options{Out: &out, Err: &out, Env: get, Plugin: true})
	if !strings.Contains(out.String(), "kubectl seatrial run NAME") {
		t.Errorf("help: %s", out.String())
	}
}
