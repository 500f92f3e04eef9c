package config_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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

func TestParse_Subjects(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text   string
		want   []config.Subject
		faults []string
		reason string
	}{
		"None":  {text: " ", reason: "the run namespaces are observed themselves"},
		"Empty": {text: "[]", want: []config.Subject{}, reason: "so they are"},
		"Several": {
			text: `[{"runNamespace":"a","namespace":"shop","selector":"app in (shop),tier!=cache"},{"namespace":"a"}]`,
			want: []config.Subject{{RunNamespace: "a", Namespace: "shop", Selector: "app in (shop),tier!=cache"}, {Namespace: "a"}}, reason: "as the chart writes it",
		},
		"NotJSON":  {text: "shop", faults: []string{"SEATRIAL_SUBJECTS is no list of subjects"}, reason: "a name alone does not say of what"},
		"Followed": {text: `[] []`, faults: []string{"something follows it"}, reason: "half of it would be left out"},
		"Unknown":  {text: `[{"namespace":"shop","labels":"app=shop"}]`, faults: []string{"labels"}, reason: "it would observe more than was meant"},
		"Every": {
			text: `[{"namespace":""},{"namespace":"Shop","runNamespace":"c","selector":"app=("}]`,
			faults: []string{
				`SEATRIAL_SUBJECTS[0]: namespace is ""`, `[1]: namespace is "Shop"`, `[1]: runNamespace is "c"`, "[1]: selector",
			},
			reason: "all faults at once",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := complete()
			env["SEATRIAL_SUBJECTS"] = tc.text
			c, err := config.Parse(nil, func(k string) string { return env[k] }, io.Discard)
			if (err != nil) != (len(tc.faults) > 0) {
				t.Fatalf("%v: %s", err, tc.reason)
			}
			for _, want := range tc.faults {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is missing from:\n%v\n%s", want, err, tc.reason)
				}
			}
			if d := cmp.Diff(tc.want, c.Subjects); d != "" {
				t.Errorf("%s: %s", tc.reason, d)
			}
		})
	}
}

const publicKey = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAW4ZJwM/Nvnil/5Yu36SJFN/UWvIq/jWN4fTdfkVn1co=\n-----END PUBLIC KEY-----\n"

func TestParse_Signed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys.pem")
	if err := os.WriteFile(file, []byte(publicKey+publicKey), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		env    map[string]string
		keys   int
		fault  string
		reason string
	}{
		"None":           {reason: "signing is optional"},
		"File":           {env: map[string]string{"KEYS_FILE": file, "ORGANIZATION": "acme", "SIGNED_AFTER": "2026-01-31T00:00:00Z"}, keys: 2, reason: "as the chart says it"},
		"Text":           {env: map[string]string{"KEYS": publicKey, "ORGANIZATION": "acme"}, keys: 1},
		"NoFile":         {env: map[string]string{"KEYS_FILE": file + "x", "ORGANIZATION": "acme"}, fault: "read the keys to verify with", reason: "not a reason to run anything"},
		"NoKey":          {env: map[string]string{"KEYS": "key", "ORGANIZATION": "acme"}, fault: "SEATRIAL_VERIFY_KEYS: "},
		"NoOrganization": {env: map[string]string{"KEYS": publicKey}, fault: "SEATRIAL_VERIFY_ORGANIZATION: is not set"},
		"NoKeys":         {env: map[string]string{"ORGANIZATION": "acme"}, fault: "SEATRIAL_VERIFY_KEYS: is not set, so that nothing would have to be signed", reason: "half a setting protects nobody"},
		"BadTime":        {env: map[string]string{"KEYS": publicKey, "ORGANIZATION": "acme", "SIGNED_AFTER": "yesterday"}, fault: `"yesterday" is no time`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := complete()
			for k, v := range tc.env {
				env["SEATRIAL_VERIFY_"+k] = v
			}
			c, err := config.Parse(nil, func(k string) string { return env[k] }, io.Discard)
			if tc.fault != "" {
				if err == nil || !strings.Contains(err.Error(), tc.fault) {
					t.Errorf("got %v, want %q: %s", err, tc.fault, tc.reason)
				}
				return
			}
			if err != nil || len(c.Signed.Keys) != tc.keys || c.Signed.Demands() != (tc.keys > 0) {
				t.Errorf("%+v, %v: %s", c.Signed, err, tc.reason)
			}
		})
	}
}
