package config_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/config"
)

func parse(t *testing.T, env map[string]string, args ...string) (config.Config, error) {
	t.Helper()
	lookup := func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	}
	return config.Parse(args, lookup, "v1", io.Discard)
}

func TestParse_NoFlagWorks(t *testing.T) {
	t.Parallel()
	c, err := parse(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:8080" || c.AgentListen != ":9443" || c.Database != "sqlite:seatrial-data/seatrial.db" ||
		c.PublicURL != "http://127.0.0.1:8080" || !strings.HasSuffix(c.AgentAddress, ":9443") || c.MetricsListen != c.Listen ||
		c.KeepResults != 400 {
		t.Errorf("%+v", c)
	}
}

func TestParse_FlagsWinOverTheEnvironment(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"SEATRIAL_DATA_DIR": "/env", "SEATRIAL_DRAIN": "7s", "SEATRIAL_INSECURE_HTTP": "true", "SEATRIAL_LISTEN": ":80", "SEATRIAL_VERSION": "x",
	}
	c, err := parse(t, env, "--data-dir", "/flag")
	if err != nil {
		t.Fatal(err)
	}
	if c.DataDir != "/flag" || c.Drain != 7*time.Second || c.Listen != ":80" || !c.InsecureHTTP || c.MetricsListen != "" {
		t.Errorf("%+v", c)
	}
}

func TestParse_Faults(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		args   []string
		env    map[string]string
		shown  []string
		reason string
	}{
		"Plaintext":    {[]string{"--listen", "0.0.0.0:8080"}, nil, []string{"--insecure-http", "--tls-cert"}, "passwords would be readable"},
		"Wildcard":     {[]string{"--listen", ":8080"}, nil, []string{"--insecure-http"}, "no host is every address"},
		"HalfTLS":      {[]string{"--tls-cert", "c"}, nil, []string{"--tls-key"}, "a certificate without a key"},
		"HalfAgentTLS": {[]string{"--agent-tls-key", "k"}, nil, []string{"--agent-tls-cert"}, "a key without a certificate"},
		"NoPort":       {[]string{"--agent-listen", "here"}, nil, []string{"--agent-listen", "host:port"}, "not an address"},
		"NoHost":       {[]string{"--agent-address", ":9443"}, nil, []string{"--agent-address"}, "agents cannot dial it"},
		"System":       {[]string{"--database-system", "postgres://owner@db/seatrial"}, nil, []string{"--database-system", "--database"}, "SQLite has no roles"},
		"Network":      {[]string{"--outbound-allow", "10.0.0.0/8,10.1.2.3/8"}, nil, []string{"--outbound-allow", "10.1.2.3/8"}, "a network with bits of a host is a mistake"},
		"Proxy":        {[]string{"--outbound-proxy", "proxy:3128"}, nil, []string{"--outbound-proxy", "http://"}, "no scheme"},
		"Bucket":       {[]string{"--s3-bucket", "b"}, nil, []string{"--s3-endpoint"}, "a bucket of nothing"},
		"KeepResults":  {[]string{"--keep-results", "7"}, nil, []string{"--keep-results", "30"}, "histories would be too short to judge"},
		"KeepNegative": {[]string{"--keep-results", "-1"}, nil, []string{"--keep-results"}, "no time"},
		"URL":          {[]string{"--public-url", "seatrial.test"}, nil, []string{"--public-url"}, "not an address of a site"},
		"Proxies":      {[]string{"--trusted-proxies", "10.0.0.0/8,ingress"}, nil, []string{"--trusted-proxies", "ingress"}, "not a network"},
		"Stray":        {[]string{"serve"}, nil, []string{"serve"}, "no commands"},
		"Unknown":      {[]string{"--colour"}, nil, []string{"--colour", "--help"}, "a typing mistake"},
		"Environment":  {nil, map[string]string{"SEATRIAL_DRAIN": "soon"}, []string{"SEATRIAL_DRAIN"}, "names the variable"},
		"AllAtOnce": {
			[]string{"--log-level", "loud", "--log-format", "xml", "--admin-email", "root", "--drain", "-1s"},
			nil,
			[]string{"--log-level", "--log-format", "--admin-email", "--drain"},
			"one start shows every fault",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parse(t, tc.env, tc.args...)
			if err == nil {
				t.Fatalf("accepted: %s", tc.reason)
			}
			for _, want := range tc.shown {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q: %s", err, want, tc.reason)
				}
			}
		})
	}
}

func TestConfig_Outbound(t *testing.T) {
	t.Parallel()
	c, err := parse(t, map[string]string{"SEATRIAL_OUTBOUND_ALLOW": "10.1.0.0/16, fd00:1::/32", "SEATRIAL_OUTBOUND_PROXY": "http://proxy:3128"})
	if err != nil {
		t.Fatal(err)
	}
	o, err := c.Outbound()
	if err != nil || len(o.Allow) != 2 || o.Allow[1].String() != "fd00:1::/32" || o.Proxy.Host != "proxy:3128" {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestParse_PlaintextIsAllowedWhereItIsSafeOrAskedFor(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"Loopback6": {"--listen", "[::1]:8080"}, "Localhost": {"--listen", "localhost:1"},
		"Asked": {"--listen", ":8080", "--insecure-http"}, "TLS": {"--listen", ":8443", "--tls-cert", "c", "--tls-key", "k"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := parse(t, nil, args...); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestParse_HelpAndVersion(t *testing.T) {
	t.Parallel()
	for flag, tc := range map[string]struct {
		err   error
		shown string
	}{"--help": {config.ErrHelp, "--data-dir"}, "--version": {config.ErrVersion, "v1"}} {
		var out bytes.Buffer
		_, err := config.Parse([]string{flag}, func(string) (string, bool) { return "", false }, "v1", &out)
		if !errors.Is(err, tc.err) || !strings.Contains(out.String(), tc.shown) {
			t.Errorf("%s: %v, %q", flag, err, out.String())
		}
	}
}

// TestShown: what is shown to who looks for a fault holds no secret, and every other value.
func TestShown(t *testing.T) {
	t.Parallel()
	secrets := []string{"--database", "postgres://u:hidden@db.example.test/x", "--redis", "redis://:hidden@r.example.test", "--smtp-password", "hidden", "--smtp-user", "hidden", "--admin-password", "hidden-and-long", "--s3-access-key", "hidden", "--s3-secret-key", "hidden"}
	c, err := config.Parse(append(secrets, "--log-format", "json"), func(string) (string, bool) { return "", false }, "v1", io.Discard)
	if err != nil && c.Shown == nil {
		t.Fatal(err)
	}
	for name, value := range c.Shown {
		if strings.Contains(value, "hidden") {
			t.Errorf("--%s shows %q", name, value)
		}
	}
	if c.Shown["log-format"] != "json" || c.Shown["database"] != "(set)" || c.Shown["outbound-proxy"] != "" {
		t.Errorf("shown %v", c.Shown)
	}
}
