package harness

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Account is somebody whom an identity provider knows.
type Account struct {
	ID, Username, Password, Name, Email string
	Verified                            bool
	Groups                              []string
}

// IdentityProvider is a real OpenID Connect provider of a test. Its client is "seatrial".
type IdentityProvider struct {
	Issuer, Secret string
	file           string
}

var providers = sync.OnceValues(buildProvider)

// OpenID starts an OpenID Connect provider that sends people back to an address.
func OpenID(tb testing.TB, redirect string) *IdentityProvider {
	tb.Helper()
	bin, err := providers()
	if err != nil {
		tb.Fatalf("build an identity provider: %v", err)
	}
	p := &IdentityProvider{Secret: "c1ient-secret-of-the-test", file: filepath.Join(tb.TempDir(), "accounts.json")}
	p.Know(tb)
	server := exec.Command(bin, "--accounts", p.file, "--redirect", redirect, "--secret", p.Secret)
	server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := server.StdoutPipe()
	if err == nil {
		err = server.Start()
	}
	if err != nil {
		tb.Fatalf("start an identity provider: %v", err)
	}
	tb.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		tb.Fatalf("start an identity provider: %v", err)
	}
	p.Issuer = strings.TrimSpace(line)
	return p
}

// Know says whom the provider knows from now on.
func (p *IdentityProvider) Know(tb testing.TB, accounts ...Account) {
	tb.Helper()
	text, err := json.Marshal(accounts)
	if err == nil {
		err = os.WriteFile(p.file, text, 0o600)
	}
	if err != nil {
		tb.Fatal(err)
	}
}

// buildProvider builds the module in integration/idp, which keeps its dependencies out of the program's.
func buildProvider() (string, error) {
	module, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the source folder: %w", err)
	}
	dir, err := dataDir()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "idp")
	if programs := os.Getenv("SEATRIAL_TEST_PROGRAMS"); programs != "" {
		bin = filepath.Join(programs, "idp") // kept: it is linked only when it has changed
	}
	build := exec.Command("go", "build", "-trimpath", "-gcflags=all=-dwarf=0", "-ldflags=-s -w", "-o", bin, ".")
	build.Dir = filepath.Join(filepath.Dir(strings.TrimSpace(string(module))), "integration", "idp")
	build.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return bin, nil
}
