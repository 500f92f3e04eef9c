package config_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/agent/config"
)

func complete() map[string]string {
	return map[string]string{
		"SEATRIAL_CONTROL_PLANE": "cp.example:9443", "SEATRIAL_NAMESPACE": "seatrial", "SEATRIAL_RUN_NAMESPACES": "a, b,a,",
		"SEATRIAL_SERVICE": "agent.seatrial.svc", "SEATRIAL_RUNNER_IMAGE": "runner:1",
	}
}

func TestParse_FlagsWinOverEnvironmentAndDefaults(t *testing.T) {
	t.Parallel()
	env := complete()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("st_boot_x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env["SEATRIAL_BOOTSTRAP_TOKEN_FILE"] = token
	c, err := config.Parse([]string{"--control-plane", "other:1"}, func(k string) string { return env[k] }, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if c.ControlPlane != "other:1" || c.BootstrapToken != "st_boot_x" || strings.Join(c.RunNamespaces, " ") != "a b" {
		t.Errorf("read %+v", c)
	}
	if got := c.Endpoint(); got != "agent.seatrial.svc:9444" {
		t.Errorf("endpoint %q lacks the port of the listener", got)
	}
}

func TestParse_ReportsAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	env := map[string]string{"SEATRIAL_INSECURE": "perhaps", "SEATRIAL_RUNNER_DELIVERY": "pigeon", "SEATRIAL_CA_FILE": "/does/not/exist"}
	_, err := config.Parse(nil, func(k string) string { return env[k] }, io.Discard)
	if err == nil {
		t.Fatal("nothing is set and nothing was reported")
	}
	for _, want := range []string{
		"SEATRIAL_INSECURE", "SEATRIAL_RUNNER_DELIVERY", "SEATRIAL_CONTROL_PLANE", "SEATRIAL_NAMESPACE", "SEATRIAL_SERVICE",
		"SEATRIAL_RUNNER_IMAGE", "SEATRIAL_RUN_NAMESPACES", "/does/not/exist",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is missing from:\n%v", want, err)
		}
	}
}

func TestConfig_EndpointKeepsANamedPort(t *testing.T) {
	t.Parallel()
	if got := (config.Config{Service: "10.0.0.1:443", Listen: ":9444"}).Endpoint(); got != "10.0.0.1:443" {
		t.Errorf("endpoint %q", got)
	}
}
