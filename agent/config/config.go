// Package config is what an agent can be told. It alone reads flags, environment and files named by them.
package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/agent/permit"
	"github.com/seatrial/seatrial/proto/runspec"
)

// Ways in which the runner's binary gets into a test pod.
const (
	DeliveryAuto        = "auto"
	DeliveryImageVolume = "image-volume"
	DeliveryInitCopy    = "init-copy"
)

// Config is what an agent needs to know. Each field has a flag and an environment variable; flags win.
type Config struct {
	// ControlPlane is host:port of the control plane's agent endpoint.
	ControlPlane string
	// CA is the PEM of the certificate authorities of the control plane; empty means those of the system.
	CA string
	// Insecure speaks without TLS to the control plane.
	Insecure bool
	// BootstrapToken is spent at the first start.
	BootstrapToken string
	// Namespace is the agent's own; RunNamespaces those in which it may create Jobs.
	Namespace     string
	RunNamespaces []string
	// Rules are what a test's pod may be and use, beside the namespaces.
	Rules permit.Rules
	// Signed is what people have to sign before it runs; without keys nothing.
	Signed runspec.Policy
	// Subjects say which pods are under test; a run namespace without any is observed itself.
	Subjects []Subject
	// Catalog are the namespaces whose custom resources belong to the catalog; "*" is all, none for a cluster without.
	Catalog []string
	// Triggers say which objects may be looked at, whose changes start tests.
	Triggers Triggers
	// SecretName names the Secret that holds the agent's key and certificate.
	SecretName string
	// Service is the host, with an optional port, at which runners reach the agent.
	Service string
	// Listen is the address of the runners' endpoint, Metrics that of health and metrics.
	Listen  string
	Metrics string
	// RunnerImage holds the runner at /seatrial-runner.
	RunnerImage      string
	RunnerPullPolicy string
	RunnerDelivery   string
	// ImageGrace is how long an image may fail to be pulled before the attempt ends.
	ImageGrace time.Duration
	// SchedulingGrace is how long no node may take a pod, or no quota have room for it, before the attempt ends; 0 means for ever.
	SchedulingGrace time.Duration
	// Rotate is how old the agent's key may become until it takes another one; 0 means never.
	Rotate time.Duration
	// Linger is how long a released Job stays.
	Linger time.Duration
	// Kubeconfig is used outside a cluster only.
	Kubeconfig string
	LogLevel   string
}

// Parse reads flags and environment over the defaults and reports all faults at once.
func Parse(args []string, env func(string) string, usage io.Writer) (Config, error) {
	r := reader{env: env}
	fs := flag.NewFlagSet("seatrial-agent", flag.ContinueOnError)
	fs.SetOutput(usage)
	var c Config
	var caFile, tokenFile, namespaces, subjects, rules, catalog, triggers string
	var keys, keysFile, signedAfter string
	r.text(fs, &c.ControlPlane, "control-plane", "", "host:port of the control plane's agent endpoint")
	r.text(fs, &c.CA, "ca", "", "PEM of the control plane's certificate authority")
	r.text(fs, &caFile, "ca-file", "", "file with that PEM")
	r.truth(fs, &c.Insecure, "insecure", "speak without TLS to the control plane; for loopback and trials")
	r.text(fs, &c.BootstrapToken, "bootstrap-token", "", "single-use token of the first start")
	r.text(fs, &tokenFile, "bootstrap-token-file", "", "file with that token")
	r.text(fs, &c.Namespace, "namespace", "", "the agent's own namespace")
	r.text(fs, &namespaces, "run-namespaces", "", "namespaces in which Jobs may be created, separated by commas")
	r.text(fs, &rules, "allow", "", "what a test's pod may be and use, as JSON: "+permit.Example)
	r.text(fs, &keys, "verify-keys", "", "Ed25519 public keys in PEM: the agent runs only what one of them has signed")
	r.text(fs, &keysFile, "verify-keys-file", "", "file with those keys")
	r.text(fs, &c.Signed.Organization, "verify-organization", "", "organization of the cluster: what was signed for another one is refused")
	r.text(fs, &signedAfter, "verify-signed-after", "", "time such as 2026-01-31T00:00:00Z: what was signed before is refused")
	r.text(fs, &subjects, "subjects", "", "which pods are under test, as JSON: "+subjectExample)
	r.text(fs, &catalog, "catalog", "", "namespaces whose custom resources belong to the catalog, separated by commas, or * for all")
	r.text(fs, &triggers, "triggers", "", "objects whose changes may start tests, as JSON: "+triggersExample)
	r.text(fs, &c.SecretName, "secret-name", "seatrial-agent", "Secret for the agent's key and certificate")
	r.text(fs, &c.Service, "service", "", "host at which runners reach the agent")
	r.text(fs, &c.Listen, "listen", ":9444", "address of the runners' endpoint")
	r.text(fs, &c.Metrics, "metrics", ":9445", "address of health and metrics")
	r.text(fs, &c.RunnerImage, "runner-image", "", "image that holds the runner")
	r.text(fs, &c.RunnerPullPolicy, "runner-pull-policy", "", "Always, IfNotPresent or Never; empty means the cluster's default")
	r.text(fs, &c.RunnerDelivery, "runner-delivery", DeliveryAuto, "auto, image-volume or init-copy")
	r.span(fs, &c.ImageGrace, "image-grace", time.Minute, "how long an image may fail to be pulled")
	r.span(fs, &c.SchedulingGrace, "scheduling-grace", time.Hour, "how long no node may take a pod, or no quota have room for it; 0 means for ever")
	r.span(fs, &c.Rotate, "key-rotation", 30*24*time.Hour, "how old the agent's key may become until it takes another one; 0 means never")
	r.span(fs, &c.Linger, "linger", 15*time.Minute, "how long a Job stays after its record is complete")
	r.text(fs, &c.Kubeconfig, "kubeconfig", "", "for an agent outside of its cluster")
	r.text(fs, &c.LogLevel, "log-level", "info", "debug, info, warn or error")
	if err := fs.Parse(args); err != nil {
		return Config{}, err //nolint:wrapcheck // the flag package has told the user already
	}
	c.RunNamespaces = split(namespaces)
	c.Catalog = split(catalog)
	c.Subjects = r.subjects(subjects)
	c.Triggers = r.triggers(triggers)
	c.Rules = r.rules(rules)
	r.file(caFile, &c.CA, "CA")
	r.file(tokenFile, &c.BootstrapToken, "bootstrap token")
	c.BootstrapToken = strings.TrimSpace(c.BootstrapToken)
	r.file(keysFile, &keys, "keys to verify with")
	r.signed(&c.Signed, keys, keysFile, signedAfter)
	if err := errors.Join(append(r.faults, c.Validate())...); err != nil {
		return Config{}, err
	}
	return c, nil
}

// Validate reports every fault of the configuration.
func (c Config) Validate() error {
	var faults []error
	need := func(value, name, hint string) {
		if value == "" {
			faults = append(faults, fmt.Errorf("%s is not set: %s", envName(name), hint))
		}
	}
	oneOf := func(value, name string, allowed ...string) {
		if !slices.Contains(allowed, value) {
			faults = append(faults, fmt.Errorf("%s is %q: it must be one of %q", envName(name), value, allowed))
		}
	}
	need(c.ControlPlane, "control-plane", "give host:port of the control plane's agent endpoint")
	need(c.Namespace, "namespace", "give the agent's own namespace")
	need(c.SecretName, "secret-name", "name the Secret for the agent's key")
	need(c.Service, "service", "give the host at which test pods reach the agent, such as seatrial-agent.seatrial.svc")
	need(c.RunnerImage, "runner-image", "name the image that holds the runner")
	if len(c.RunNamespaces) == 0 {
		faults = append(faults, fmt.Errorf("%s is not set: name at least one namespace for tests", envName("run-namespaces")))
	}
	faults = append(faults, c.subjectFaults()...)
	faults = append(faults, c.Triggers.faults()...)
	if c.ControlPlane != "" {
		if _, _, err := net.SplitHostPort(c.ControlPlane); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w; give host:port", envName("control-plane"), err))
		}
	}
	for name, value := range map[string]string{"listen": c.Listen, "metrics": c.Metrics} {
		if _, _, err := net.SplitHostPort(value); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w; give an address such as :9444", envName(name), err))
		}
	}
	oneOf(c.RunnerPullPolicy, "runner-pull-policy", "", "Always", "IfNotPresent", "Never")
	oneOf(c.RunnerDelivery, "runner-delivery", DeliveryAuto, DeliveryImageVolume, DeliveryInitCopy)
	oneOf(c.LogLevel, "log-level", "debug", "info", "warn", "error")
	if c.Rotate < 0 || (c.Rotate > 0 && c.Rotate < time.Hour) {
		faults = append(faults, fmt.Errorf("%s is %s: it must be an hour or more, or 0 for never", envName("key-rotation"), c.Rotate))
	}
	if c.ImageGrace <= 0 {
		faults = append(faults, fmt.Errorf("%s is %s: give a time above 0", envName("image-grace"), c.ImageGrace))
	}
	if c.SchedulingGrace < 0 || c.Linger < 0 {
		faults = append(faults, fmt.Errorf("%s and %s must not be below 0", envName("scheduling-grace"), envName("linger")))
	}
	return errors.Join(faults...)
}

// Endpoint is where runners dial: the Service with a port, which is that of Listen unless Service names one.
func (c Config) Endpoint() string {
	if _, _, err := net.SplitHostPort(c.Service); err == nil {
		return c.Service
	}
	_, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return c.Service
	}
	return net.JoinHostPort(c.Service, port)
}

// reader binds flags whose defaults come from the environment.
type reader struct {
	env    func(string) string
	faults []error
}

func envName(flagName string) string {
	return "SEATRIAL_" + strings.ToUpper(strings.ReplaceAll(flagName, "-", "_"))
}

func (r *reader) text(fs *flag.FlagSet, into *string, name, value, help string) {
	if v := r.env(envName(name)); v != "" {
		value = v
	}
	fs.StringVar(into, name, value, help+" ("+envName(name)+")")
}

func (r *reader) truth(fs *flag.FlagSet, into *bool, name, help string) {
	value := false
	if v := r.env(envName(name)); v != "" {
		var err error
		if value, err = strconv.ParseBool(v); err != nil {
			r.faults = append(r.faults, fmt.Errorf("%s is %q: it must be true or false", envName(name), v))
		}
	}
	fs.BoolVar(into, name, value, help+" ("+envName(name)+")")
}

func (r *reader) span(fs *flag.FlagSet, into *time.Duration, name string, value time.Duration, help string) {
	if v := r.env(envName(name)); v != "" {
		d, err := time.ParseDuration(v)
		if err != nil {
			r.faults = append(r.faults, fmt.Errorf("%s is %q: it must be a duration such as 90s", envName(name), v))
		} else {
			value = d
		}
	}
	fs.DurationVar(into, name, value, help+" ("+envName(name)+")")
}

func (r *reader) file(name string, into *string, what string) {
	if name == "" || *into != "" {
		return
	}
	b, err := os.ReadFile(name) //nolint:gosec // the operator names the file
	switch {
	case errors.Is(err, os.ErrNotExist) && what == "bootstrap token":
		// Optional: the Secret with the token may be gone once it is spent.
	case err != nil:
		r.faults = append(r.faults, fmt.Errorf("read the %s: %w", what, err))
	default:
		*into = string(b)
	}
}

func (r *reader) rules(text string) permit.Rules {
	out, err := permit.Parse(text)
	if err != nil {
		r.faults = append(r.faults, fmt.Errorf("%s: %w", envName("allow"), err))
	}
	return out
}

func split(list string) []string {
	var out []string
	for s := range strings.SplitSeq(list, ",") {
		if s = strings.TrimSpace(s); s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
