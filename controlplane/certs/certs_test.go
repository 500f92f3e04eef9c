package certs_test

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/certs"
)

func open(t *testing.T, dir string, now *time.Time) *certs.Authority {
	t.Helper()
	a, err := certs.Open(dir, func() time.Time { return *now }, "cp.test", "192.0.2.7", "")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func leaf(t *testing.T, a *certs.Authority) *x509.Certificate {
	t.Helper()
	c, err := a.TLS().GetCertificate(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf
}

// verify checks a certificate as an agent does, with what it was given when it was installed.
func verify(t *testing.T, trusted string, c *x509.Certificate, host string, now time.Time) error {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(trusted)) {
		t.Fatal("no certificate in PEM")
	}
	_, err := c.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, CurrentTime: now})
	return err
}

func TestAuthority_AgentsTrustItAcrossRestarts(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), time.Now()
	first := open(t, dir, &now)
	trusted := first.PEM()
	for name, a := range map[string]*certs.Authority{"First": first, "Restarted": open(t, dir, &now)} {
		for _, host := range []string{"cp.test", "192.0.2.7"} {
			if err := verify(t, trusted, leaf(t, a), host, now); err != nil {
				t.Errorf("%s, %s: %v", name, host, err)
			}
		}
		if verify(t, trusted, leaf(t, a), "other.test", now) == nil {
			t.Errorf("%s: good for any name", name)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "agent-ca.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v, %v", info, err)
	}
}

func TestAuthority_RenewsItsCertificate(t *testing.T) {
	t.Parallel()
	now := time.Now()
	a := open(t, t.TempDir(), &now)
	first := leaf(t, a)
	if !leaf(t, a).Equal(first) {
		t.Error("a new certificate for every connection")
	}
	now = now.Add(80 * 24 * time.Hour)
	if second := leaf(t, a); second.Equal(first) || verify(t, a.PEM(), second, "cp.test", now.Add(24*time.Hour)) != nil {
		t.Error("a process that runs for months serves a certificate that has ended")
	}
}

func TestOpen_LostKeySaysWhatToDo(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), time.Now()
	open(t, dir, &now)
	if err := os.Remove(filepath.Join(dir, "agent-ca.key")); err != nil {
		t.Fatal(err)
	}
	_, err := certs.Open(dir, time.Now, "cp.test")
	if err == nil || !strings.Contains(err.Error(), "restore it") {
		t.Errorf("error %v", err)
	}
}
