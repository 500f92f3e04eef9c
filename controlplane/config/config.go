// Package config reads how the control plane is to run: defaults, then the environment, then flags. It is the only reader of the
// environment.
package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/seatrial/seatrial/controlplane/outbound"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// Config is how the control plane runs. The zero value, once completed, is one process with everything in its data directory.
type Config struct {
	DataDir string

	Listen       string // HTTP: pages and API
	TLSCert      string
	TLSKey       string
	InsecureHTTP bool // plaintext on an address that others can reach
	// TrustedProxies are the networks of proxies whose word on the address of a client is taken.
	TrustedProxies []string
	PublicURL      string // address that people use

	AgentListen  string // gRPC for agents, always TLS
	AgentAddress string // host:port that clusters dial
	AgentCert    string // own certificate instead of one of the authority in the data directory
	AgentKey     string
	AgentCA      string // PEM file that agents must trust beside it; empty when publicly trusted
	AgentChart   string // where the agent's chart is, for the command that people are shown

	Database       string // sqlite:PATH or postgres://…
	DatabaseSystem string // postgres://… of the owner of the tables; empty when Database is that
	Redis          string // empty for one replica
	S3             S3     // empty for files in the data directory

	AdminEmail    string // of the first start
	AdminPassword string // empty: made up and printed once

	OutboundAllow     []string // networks (CIDR) that requests on behalf of organizations may reach although they are not of the public internet
	OutboundProxy     string   // URL of the proxy for such requests; empty for none
	SMTP              SMTP     // for webhooks that send e-mail
	EncryptionKeyFile string   // of stored secrets; empty for one in the data directory
	EncryptionKeys    string   // instead of the file, for those who keep secrets in the environment

	KeepResults int // days that test results are kept which are no evidence for a release; 0 for all time

	Quota tenant.Quota // of an organization that has none of its own

	MetricsListen string
	OTLPEndpoint  string // URL of an OpenTelemetry collector; empty for no traces
	LogLevel      string
	LogFormat     string
	Drain         time.Duration // at a stop, how long agents have to move to another replica

	// Shown are the values of all flags by name, for who looks for a fault. Of what holds secrets it says only that it is set.
	Shown map[string]string
}

// S3 is an object store. Keys may be empty where the environment of a cloud provides them.
type S3 struct {
	Endpoint  string
	Bucket    string
	Region    string
	AccessKey string
	SecretKey string
	Insecure  bool
}

// SMTP is the mail server of the instance. Without an address no mail is sent.
type SMTP struct {
	Address  string // host:port
	From     string
	User     string
	Password string
	TLS      string   // starttls, tls or none
	CA       string   // PEM file; empty for the authorities of the system
	Domains  []string // to which mail is sent; any when there are none
}

// ErrHelp and ErrVersion mean that the answer was written and there is nothing to run.
var (
	ErrHelp    = errors.New("help was asked for")
	ErrVersion = errors.New("the version was asked for")
)

const envPrefix = "SEATRIAL_"

// Parse reads arguments (without the program's name) and environment, completes what is left out and checks the whole. All faults
// are reported at once.
func Parse(args []string, env func(string) (string, bool), version string, out io.Writer) (Config, error) {
	c := Config{}
	flags := c.flags()
	flags.SetOutput(out)
	help := flags.BoolP("help", "h", false, "print this text")
	about := flags.Bool("version", false, "print the version")
	if err := flags.Parse(args); err != nil {
		return c, fmt.Errorf("%w; --help lists the flags", err)
	}
	switch {
	case *help:
		usage(flags, out)
		return c, ErrHelp
	case *about:
		_, err := fmt.Fprintln(out, "seatrial-controlplane", version)
		return c, errors.Join(ErrVersion, err)
	}
	faults := fromEnvironment(flags, env)
	if flags.NArg() > 0 {
		faults = append(faults, fmt.Errorf("unexpected argument %q: everything is a flag", flags.Arg(0)))
	}
	c.complete()
	c.Shown = shown(flags)
	return c, errors.Join(append(faults, c.check()...)...)
}

// shown writes the values of flags. Addresses may hold passwords.
func shown(flags *pflag.FlagSet) map[string]string {
	secret := []string{
		"admin-password", "database", "database-system", "redis", "s3-access-key", "s3-secret-key", "smtp-user", "smtp-password", "encryption-keys", "outbound-proxy",
	}
	out := map[string]string{}
	flags.VisitAll(func(f *pflag.Flag) {
		value := f.Value.String()
		if value != "" && slices.Contains(secret, f.Name) {
			value = "(set)"
		}
		out[f.Name] = value
	})
	return out
}

// Flags returns a configuration and the flags that fill it, for commands beside the server's. Once they are parsed, call Finish.
func Flags() (*Config, *pflag.FlagSet) {
	c := &Config{}
	return c, c.flags()
}

// Finish reads from the environment what no flag said, completes what is left out and checks the whole.
func (c *Config) Finish(flags *pflag.FlagSet, env func(string) (string, bool)) error {
	faults := fromEnvironment(flags, env)
	c.complete()
	return errors.Join(append(faults, c.check()...)...)
}

func usage(flags *pflag.FlagSet, out io.Writer) {
	_, _ = fmt.Fprint(out, "seatrial-controlplane runs tests on Kubernetes clusters: pages, API and the agents' port.\n\n",
		"It works without any flag. Commands for its operator: org, member, rotate-keys, backup, restore, debug; each has --help. Each flag can be given as ", envPrefix, "<FLAG_NAME> in the environment as well.\n\n", flags.FlagUsages())
}

// fromEnvironment sets the flags that were not given from the environment.
func fromEnvironment(flags *pflag.FlagSet, env func(string) (string, bool)) (faults []error) {
	flags.VisitAll(func(f *pflag.Flag) {
		name := EnvName(f.Name)
		value, ok := env(name)
		if f.Changed || !ok || value == "" || f.Name == "help" || f.Name == "version" {
			return
		}
		if err := flags.Set(f.Name, value); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		}
	})
	return faults
}

// EnvName returns the variable of the environment that stands for a flag.
func EnvName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func (c *Config) flags() *pflag.FlagSet {
	f := pflag.NewFlagSet("seatrial-controlplane", pflag.ContinueOnError)
	f.Usage = func() {}
	f.SortFlags = false
	f.StringVar(&c.DataDir, "data-dir", "./seatrial-data", "folder of the database, the files and the agents' certificate authority")
	f.StringVar(&c.Listen, "listen", "127.0.0.1:8080", "address of pages and API")
	f.StringVar(&c.TLSCert, "tls-cert", "", "certificate file for pages and API (PEM)")
	f.StringVar(&c.TLSKey, "tls-key", "", "key file for pages and API (PEM)")
	f.BoolVar(&c.InsecureHTTP, "insecure-http", false, "allow plaintext on an address that others can reach, such as behind an Ingress")
	f.StringSliceVar(&c.TrustedProxies, "trusted-proxies", nil, "networks of proxies, such as 10.0.0.0/8, whose X-Forwarded-For says where people come from (default: none)")
	f.StringVar(&c.PublicURL, "public-url", "", "address that people use (default: that of --listen)")
	f.StringVar(&c.AgentListen, "agent-listen", ":9443", "address of the agents' port, always TLS")
	f.StringVar(&c.AgentAddress, "agent-address", "", "host:port that clusters dial (default: this machine's first address and the agents' port)")
	f.StringVar(&c.AgentCert, "agent-tls-cert", "", "certificate file for the agents' port (default: one of the authority in the data folder)")
	f.StringVar(&c.AgentKey, "agent-tls-key", "", "key file for the agents' port")
	f.StringVar(&c.AgentCA, "agent-tls-ca", "", "file of the authority that agents must trust for --agent-tls-cert; none when publicly trusted")
	f.StringVar(&c.AgentChart, "agent-chart", "./charts/agent", "path or address of the agent's Helm chart, for the install command that people are shown")
	f.StringVar(&c.Database, "database", "", "sqlite:PATH or postgres://… (default: a SQLite file in the data folder)")
	f.StringVar(&c.DatabaseSystem, "database-system", "", "postgres://… as the owner of the tables, for migrations and work across organizations; "+
		"then --database may be of a role that the database itself keeps within one organization at a time (default: --database does all)")
	f.StringVar(&c.Redis, "redis", "", "redis://… for hints between replicas (default: none, for one replica)")
	f.StringVar(&c.S3.Endpoint, "s3-endpoint", "", "host:port of an S3 object store for reports and artifacts (default: files in the data folder)")
	f.StringVar(&c.S3.Bucket, "s3-bucket", "", "bucket in the object store")
	f.StringVar(&c.S3.Region, "s3-region", "", "region of the object store")
	f.StringVar(&c.S3.AccessKey, "s3-access-key", "", "access key of the object store; better in the environment")
	f.StringVar(&c.S3.SecretKey, "s3-secret-key", "", "secret key of the object store; better in the environment")
	f.BoolVar(&c.S3.Insecure, "s3-insecure", false, "plaintext to the object store")
	f.StringVar(&c.AdminEmail, "admin-email", "admin@localhost", "e-mail of the first administrator, used at the first start")
	f.StringVar(&c.AdminPassword, "admin-password", "", "password of the first administrator (default: made up and printed once)")
	f.Int64Var(&c.Quota.Runs, "quota-runs", 0, "runs that an organization may have at once; 0 for no limit, as with all quotas")
	f.Int64Var(&c.Quota.Queued, "quota-queued", 0, "runs of an organization that may wait")
	f.Int64Var(&c.Quota.LogBytes, "quota-log-bytes", 0, "bytes of logs of an organization a day; beyond them no run begins")
	f.Int64Var(&c.Quota.Clusters, "quota-clusters", 0, "clusters that an organization may enroll")
	f.Int64Var(&c.Quota.Calls, "quota-api-calls", 0, "calls of the API that an organization may make a minute, with each replica")
	f.StringSliceVar(&c.OutboundAllow, "outbound-allow", nil, "networks (CIDR) that webhooks and the like may reach although they are private, such as that of your git host")
	f.StringVar(&c.OutboundProxy, "outbound-proxy", "", "http://… of a proxy for webhooks and the like, which then has to refuse private addresses (default: none; the environment is not asked)")
	f.StringVar(&c.SMTP.Address, "smtp-address", "", "host:port of the mail server for webhooks that send e-mail, which may be private (default: none is sent)")
	f.StringVar(&c.SMTP.From, "smtp-from", "", "sender, such as 'Seatrial <seatrial@example.com>'")
	f.StringVar(&c.SMTP.User, "smtp-user", "", "user at the mail server; none when it asks for nobody")
	f.StringVar(&c.SMTP.Password, "smtp-password", "", "password at the mail server; better in the environment")
	f.StringVar(&c.SMTP.TLS, "smtp-tls", "starttls", "starttls, tls (from the first byte, as on port 465) or none")
	f.StringVar(&c.SMTP.CA, "smtp-ca", "", "file of the authority of the mail server's certificate (PEM); none when publicly trusted")
	f.StringSliceVar(&c.SMTP.Domains, "smtp-domains", nil, "domains that mail is sent to, such as example.com (default: any, so that members may have mail sent to anybody)")
	f.StringVar(&c.EncryptionKeyFile, "encryption-key-file", "", "file of the keys that stored secrets are encrypted with, the newest first, each as ID:BASE64 (default: one in the data folder, made at the first start)")
	f.StringVar(&c.EncryptionKeys, "encryption-keys", "", "such keys themselves, separated by commas; for the environment only")
	f.IntVar(&c.KeepResults, "keep-results", 400, "days that test results are kept; those that are evidence for a release stay; 0 keeps all")
	f.StringVar(&c.MetricsListen, "metrics-listen", "", "address of /metrics (default: on --listen when that is loopback, else none)")
	f.StringVar(&c.OTLPEndpoint, "otlp-endpoint", "", "URL of an OpenTelemetry collector (gRPC) for traces")
	f.StringVar(&c.LogLevel, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&c.LogFormat, "log-format", "text", "text or json")
	f.DurationVar(&c.Drain, "drain", 0, "how long agents have to move to another replica at a stop")
	return f
}

// complete fills in what follows from the rest.
func (c *Config) complete() {
	if c.Database == "" {
		c.Database = "sqlite:" + filepath.Join(c.DataDir, "seatrial.db")
	}
	if c.PublicURL == "" {
		c.PublicURL = c.ownURL()
	}
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	if _, port, err := net.SplitHostPort(c.AgentListen); err == nil && c.AgentAddress == "" {
		c.AgentAddress = net.JoinHostPort(reachable(), port)
	}
	if c.MetricsListen == "" && loopback(c.Listen) {
		c.MetricsListen = c.Listen
	}
}

func (c *Config) ownURL() string {
	scheme := "http"
	if c.TLSCert != "" {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = hostname()
	}
	return (&url.URL{Scheme: scheme, Host: net.JoinHostPort(host, port)}).String()
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	return name
}

// reachable returns the first address of this machine that others may reach: clusters seldom know its name.
func reachable() string {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return hostname()
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	return hostname()
}

// Trusted returns the networks of trusted proxies. What is no network was refused before.
func (c *Config) Trusted() []netip.Prefix {
	var out []netip.Prefix
	for _, text := range c.TrustedProxies {
		if p, err := network(text); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// network reads a network, or an address, which is one of its own.
func network(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err //nolint:wrapcheck // the caller names the flag
}

// Level returns the level to log at.
func (c *Config) Level() (slog.Level, error) {
	var l slog.Level
	err := l.UnmarshalText([]byte(c.LogLevel))
	return l, err //nolint:wrapcheck // the caller names the flag
}

// Outbound returns the rules of requests that the control plane makes on behalf of organizations. Parse has checked them.
func (c Config) Outbound() (outbound.Options, error) {
	o := outbound.Options{}
	for _, text := range c.OutboundAllow {
		network, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil || network != network.Masked() {
			return o, fmt.Errorf("--outbound-allow: %q is not a network such as 10.1.0.0/16", text)
		}
		o.Allow = append(o.Allow, network)
	}
	if c.OutboundProxy == "" {
		return o, nil
	}
	u, err := url.Parse(c.OutboundProxy)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return o, fmt.Errorf("--outbound-proxy: %q is not of the form http://host:port", c.OutboundProxy)
	}
	o.Proxy = u
	return o, nil
}
