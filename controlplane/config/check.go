package config

import (
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"strings"
)

// leastResults is for how many days results are needed at least.
const leastResults = 30

// check returns every fault, each with the flag and what to do.
func (c *Config) check() (faults []error) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	for flag, address := range map[string]string{"listen": c.Listen, "agent-listen": c.AgentListen, "agent-address": c.AgentAddress} {
		if _, port, err := net.SplitHostPort(address); err != nil || port == "" {
			fault("--%s: %q is not of the form host:port", flag, address)
		}
	}
	if host, _, err := net.SplitHostPort(c.AgentAddress); err == nil && host == "" {
		fault("--agent-address: %q names no host: clusters must know where to dial", c.AgentAddress)
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		fault("--tls-cert and --tls-key belong together")
	}
	if c.TLSCert == "" && !c.InsecureHTTP && !loopback(c.Listen) {
		fault("--listen: plaintext on %s would send passwords and tokens readable over the network: give --tls-cert and --tls-key, "+
			"or --insecure-http when something in front of it speaks TLS", c.Listen)
	}
	if c.EncryptionKeyFile != "" && c.EncryptionKeys != "" {
		fault("--encryption-key-file and --encryption-keys exclude one another")
	}
	for _, text := range c.TrustedProxies {
		if _, err := network(text); err != nil {
			fault("--trusted-proxies: %q is neither a network such as 10.0.0.0/8 nor an address", text)
		}
	}
	if (c.AgentCert == "") != (c.AgentKey == "") {
		fault("--agent-tls-cert and --agent-tls-key belong together")
	}
	if c.AgentCA != "" && c.AgentCert == "" {
		fault("--agent-tls-ca is of use with --agent-tls-cert only")
	}
	if u, err := url.Parse(c.PublicURL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.Path != "" {
		fault("--public-url: %q is not of the form https://host", c.PublicURL)
	}
	if c.DatabaseSystem != "" && !strings.HasPrefix(c.Database, "postgres") {
		fault("--database-system is of use when --database is a PostgreSQL only")
	}
	if (c.S3.Endpoint == "") != (c.S3.Bucket == "") {
		fault("--s3-endpoint and --s3-bucket belong together")
	}
	if strings.Contains(c.S3.Endpoint, "/") {
		fault("--s3-endpoint: %q is not of the form host:port; --s3-insecure asks for plaintext", c.S3.Endpoint)
	}
	if _, err := mail.ParseAddress(c.AdminEmail); err != nil {
		fault("--admin-email: %q is not an e-mail address", c.AdminEmail)
	}
	if _, err := c.Level(); err != nil {
		fault("--log-level: %q is none of debug, info, warn, error", c.LogLevel)
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		fault("--log-format: %q is neither text nor json", c.LogFormat)
	}
	for flag, n := range map[string]int64{
		"quota-runs": c.Quota.Runs, "quota-queued": c.Quota.Queued, "quota-log-bytes": c.Quota.LogBytes, "quota-clusters": c.Quota.Clusters, "quota-api-calls": c.Quota.Calls,
	} {
		if n < 0 {
			fault("--%s: %d is below zero; 0 means without limit", flag, n)
		}
	}
	if _, err := c.Outbound(); err != nil {
		faults = append(faults, err)
	}
	if c.KeepResults != 0 && c.KeepResults < leastResults {
		fault("--keep-results: %d days are fewer than %d, by which tests are judged and releases find what ran before; 0 keeps all", c.KeepResults, leastResults)
	}
	if c.Drain < 0 {
		fault("--drain: %s is before now", c.Drain)
	}
	return faults
}

// loopback reports whether only this machine can reach an address.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}
