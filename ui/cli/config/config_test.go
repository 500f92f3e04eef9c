package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/ui/cli/config"
)

func TestConfig_Resolve(t *testing.T) {
	t.Parallel()
	c := config.Config{Current: "default", Contexts: map[string]config.Context{
		"default": {Server: "https://a.example", Token: "ta"}, "other": {Server: "https://b.example", Token: "tb"}, "broken": {},
	}}
	tests := map[string]struct {
		config config.Config
		name   string
		env    map[string]string
		want   config.Context
		fails  bool
		reason string
	}{
		"Current":         {c, "", nil, config.Context{Server: "https://a.example", Token: "ta"}, false, "the one that was logged in to last"},
		"Named":           {c, "other", nil, config.Context{Server: "https://b.example", Token: "tb"}, false, "the one asked for"},
		"EnvToken":        {c, "", map[string]string{"SEATRIAL_TOKEN": "te"}, config.Context{Server: "https://a.example", Token: "te"}, false, "pipelines bring their own"},
		"EnvServer":       {c, "", map[string]string{"SEATRIAL_SERVER": "https://evil.example"}, config.Context{Server: "https://evil.example"}, false, "a stored token goes to no other server"},
		"EnvSameServer":   {c, "", map[string]string{"SEATRIAL_SERVER": "https://a.example"}, config.Context{Server: "https://a.example", Token: "ta"}, false, "the token was stored for this server"},
		"EnvOnly":         {config.Config{}, "", map[string]string{"SEATRIAL_SERVER": "https://a.example", "SEATRIAL_TOKEN": "t"}, config.Context{Server: "https://a.example", Token: "t"}, false, "no file is needed"},
		"Unknown":         {c, "none", nil, config.Context{}, true, "nothing is guessed"},
		"WithoutServer":   {c, "broken", nil, config.Context{}, true, "nowhere to go"},
		"NothingAtAll":    {config.Config{}, "", nil, config.Context{}, true, "nowhere to go"},
		"TokenWithoutAny": {config.Config{}, "", map[string]string{"SEATRIAL_TOKEN": "t"}, config.Context{Token: "t"}, true, "nowhere to go"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := tc.config.Resolve(tc.name, func(k string) string { return tc.env[k] })
			if (err != nil) != tc.fails {
				t.Fatalf("error %v: %s", err, tc.reason)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" && err == nil {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if err != nil && !strings.Contains(err.Error(), "seatrial login") {
				t.Errorf("%q does not say what to do", err)
			}
		})
	}
}

func TestSave(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "config.yaml")
	if c, err := config.Load(path); err != nil || c.Current != "default" {
		t.Errorf("a file that does not exist is an empty configuration: %+v, %v", c, err)
	}
	want := config.Config{Current: "a", Contexts: map[string]config.Context{"a": {Server: "https://a.example", Token: "t", Organization: "acme"}}}
	if err := config.Save(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("tokens can be read by others: %v", info.Mode())
	}
}

func TestLoad_Faults(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"NotYAML": "{", "UnknownField": "unknown: a\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "config.yaml")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := config.Load(path); err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("the message must name the file: %v", err)
			}
		})
	}
}

func TestPath(t *testing.T) {
	t.Parallel()
	for want, env := range map[string]map[string]string{
		"/x/seatrial/config.yaml":              {"XDG_CONFIG_HOME": "/x", "HOME": "/home/ada"},
		"/home/a/.config/seatrial/config.yaml": {"HOME": "/home/a"},
	} {
		if got := config.Path(func(k string) string { return env[k] }); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
