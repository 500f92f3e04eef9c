// Package config keeps which control plane to talk to and with which token.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

// Config is the configuration file.
type Config struct {
	Current  string             `json:"current"`
	Contexts map[string]Context `json:"contexts"`
}

// Context is one control plane and a credential for it.
type Context struct {
	Server       string `json:"server"`
	Token        string `json:"token"`
	Organization string `json:"organization,omitempty"`
}

// Path returns where the file is, after the XDG base directory rules.
func Path(env func(string) string) string {
	base := env("XDG_CONFIG_HOME")
	if base == "" {
		base = filepath.Join(env("HOME"), ".config")
	}
	return filepath.Join(base, "seatrial", "config.yaml")
}

// Load reads the file. A file that does not exist is an empty configuration.
func Load(path string) (Config, error) {
	c := Config{Current: "default", Contexts: map[string]Context{}}
	raw, err := os.ReadFile(path) //nolint:gosec // the person's own configuration
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("read configuration: %w", err)
	}
	if err := yaml.UnmarshalStrict(raw, &c); err != nil {
		return c, fmt.Errorf("configuration %s: %w", path, err)
	}
	if c.Contexts == nil {
		c.Contexts = map[string]Context{}
	}
	return c, nil
}

// Save replaces the file as a whole, readable by its owner only, because it holds tokens.
func Save(path string, c Config) error {
	raw, err := yaml.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode configuration: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, raw, 0o600); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}

// Resolve picks the context: a name given, else the current one; SEATRIAL_SERVER and SEATRIAL_TOKEN win over both.
func (c Config) Resolve(name string, env func(string) string) (Context, error) {
	if name == "" {
		name = c.Current
	}
	ctx, ok := c.Contexts[name]
	if s := env("SEATRIAL_SERVER"); s != "" {
		// A stored token is never sent to another server than the one it was stored for.
		if s != ctx.Server {
			ctx.Token = ""
		}
		ctx.Server, ok = s, true
	}
	if t := env("SEATRIAL_TOKEN"); t != "" {
		ctx.Token = t
	}
	if !ok || ctx.Server == "" {
		return ctx, fmt.Errorf("no control plane is known as %q: run `seatrial login --server URL`, or set SEATRIAL_SERVER and SEATRIAL_TOKEN", name)
	}
	return ctx, nil
}
