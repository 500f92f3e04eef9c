package deploy_test

import (
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	agent "github.com/seatrial/seatrial/agent/config"
	"github.com/seatrial/seatrial/controlplane/config"
)

// composed is what is read of a compose file.
type composed struct {
	Services map[string]struct {
		Image       string            `yaml:"image"`
		Environment map[string]string `yaml:"environment"`
		Volumes     []string          `yaml:"volumes"`
		Ports       []string          `yaml:"ports"`
		DependsOn   map[string]struct {
			Condition string `yaml:"condition"`
		} `yaml:"depends_on"`
		Healthcheck map[string]any `yaml:"healthcheck"`
	} `yaml:"services"`
	Volumes map[string]any `yaml:"volumes"`
}

var (
	variable = regexp.MustCompile(`\$\{([A-Z0-9_]+)(?::[-?]([^}]*))?\}`)
	pinned   = regexp.MustCompile(`:(v?[0-9][0-9.]*|\$\{SEATRIAL_TAG:-local\})$`)
)

// TestCompose: the control plane starts with what the file says, and the file refers to nothing that there is not.
func TestCompose(t *testing.T) {
	t.Parallel()
	var file composed
	decode(t, "deploy/compose/compose.yaml", &file)
	given := variables(t, "deploy/compose/env.example")
	for name, s := range file.Services {
		if !pinned.MatchString(s.Image) {
			t.Errorf("%s: the image %s is whatever is the newest", name, s.Image)
		}
		for on, how := range s.DependsOn {
			if of, ok := file.Services[on]; !ok || (how.Condition == "service_healthy" && of.Healthcheck == nil) {
				t.Errorf("%s waits for %s, which is not there or cannot tell", name, on)
			}
		}
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			if strings.HasPrefix(from, "./") {
				if _, err := os.Stat(filepath.Join(root, "deploy/compose", from)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			} else if _, ok := file.Volumes[from]; !ok {
				t.Errorf("%s: there is no volume %s", name, from)
			}
		}
		for _, text := range s.Environment {
			for _, m := range variable.FindAllStringSubmatch(text, -1) {
				if _, ok := given[m[1]]; !ok {
					t.Errorf("%s: %s is not in env.example", name, m[1])
				}
			}
		}
	}
	starts(t, file.Services["controlplane"].Environment)
}

// starts has the control plane read an environment.
func starts(t *testing.T, environment map[string]string) {
	t.Helper()
	_, flags := config.Flags()
	var known []string
	for _, name := range flagNames(flags) {
		known = append(known, config.EnvName(name))
	}
	for name := range environment {
		if !slices.Contains(known, name) {
			t.Errorf("the control plane does not know %s", name)
		}
	}
	_, err := config.Parse(nil, func(name string) (string, bool) {
		value, ok := environment[name]
		return variable.ReplaceAllStringFunc(value, filled), ok
	}, "v1", io.Discard)
	if err != nil {
		t.Errorf("the control plane refuses it: %v", err)
	}
}

// filled is a value that somebody could have given a variable.
func filled(name string) string {
	switch {
	case strings.Contains(name, "PUBLIC_URL"):
		return "https://seatrial.example.com"
	case strings.Contains(name, "AGENT_ADDRESS"):
		return "seatrial.example.com:9443"
	}
	if strings.Contains(name, "EMAIL") {
		return "you@example.com"
	}
	return "secret"
}

// variables reads a file of an environment.
func variables(t *testing.T, path string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			t.Fatalf("%s: %q", path, line)
		}
		out[name] = value
	}
	return out
}

// TestCompose_Database: the role that the control plane gets owns its database and is nothing special otherwise.
func TestCompose_Database(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command("bash", "-n", filepath.Join(root, "deploy/compose/database.sh")).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	raw, err := os.ReadFile(filepath.Join(root, "deploy/compose/database.sh"))
	if err != nil || strings.Contains(string(raw), "SUPERUSER") || !strings.Contains(string(raw), "CREATE DATABASE seatrial OWNER seatrial") {
		t.Errorf("%s, %v", raw, err)
	}
}

// TestUnits: systemd takes the units, finds little that they could do without, and their programs read what they are given.
func TestUnits(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("no systemd here")
	}
	dir := t.TempDir()
	for _, program := range []string{"seatrial-controlplane", "seatrial-agent"} {
		raw, err := os.ReadFile(filepath.Join(root, "deploy/systemd", program+".service"))
		if err != nil {
			t.Fatal(err)
		}
		// systemd looks for the program, which is not installed here
		unit := filepath.Join(dir, program+".service")
		if err := os.WriteFile(unit, []byte(strings.ReplaceAll(string(raw), "/usr/local/bin/"+program, "/bin/true")), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("systemd-analyze", "verify", "--man=no", unit).CombinedOutput(); err != nil || strings.Contains(string(out), program) {
			t.Errorf("%s: %v\n%s", program, err, out)
		}
		if out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=20", unit).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", program, err, out)
		}
	}
	starts(t, variables(t, "deploy/systemd/controlplane.env"))
	environment := variables(t, "deploy/systemd/agent.env")
	read := map[string]bool{}
	_, err := agent.Parse(nil, func(name string) string {
		read[name] = true
		return environment[name]
	}, io.Discard)
	if err != nil {
		t.Errorf("the agent refuses it: %v", err)
	}
	for _, name := range slices.Sorted(maps.Keys(environment)) {
		if !read[name] {
			t.Errorf("the agent does not know %s", name)
		}
	}
	for _, name := range []string{"SEATRIAL_KUBECONFIG", "SEATRIAL_BOOTSTRAP_TOKEN_FILE", "SEATRIAL_CA_FILE"} { // of the unit itself
		if !read[name] {
			t.Errorf("the agent does not know %s", name)
		}
	}
}

func flagNames(set *pflag.FlagSet) (names []string) {
	set.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return names
}
