package certs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/certs"
)

// issue writes a certificate with a serial number into a folder, as changed at a time.
func issue(t *testing.T, dir string, serial int64, changed time.Time) (cert, key string) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, secret.Public(), secret)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, changed, changed); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// served returns the serial number of the certificate that a handshake gets.
func served(t *testing.T, c *tls.Config) int64 {
	t.Helper()
	client, server := net.Pipe()
	defer client.Close()
	done := make(chan error, 1)
	go func() { done <- tls.Server(server, c).HandshakeContext(t.Context()) }()
	conn := tls.Client(client, &tls.Config{InsecureSkipVerify: true}) // only its number is asked for
	if err := conn.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestFiles_Renewal(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), time.Now()
	cert, key := issue(t, dir, 1, now)
	f, err := certs.OpenFiles(cert, key, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	c := f.TLS()
	if c.MinVersion != tls.VersionTLS12 {
		t.Errorf("TLS from %x on", c.MinVersion)
	}
	serves := func(want int64, reason string) {
		t.Helper()
		now = now.Add(time.Minute)
		if got := served(t, c); got != want {
			t.Errorf("serves %d, want %d: %s", got, want, reason)
		}
	}
	serves(1, "nothing has changed")
	issue(t, dir, 2, now)
	serves(2, "it was renewed")
	if err := os.WriteFile(cert, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	serves(2, "a renewal that is half done stops nobody")
	issue(t, dir, 3, now.Add(time.Hour))
	serves(3, "the renewal is finished")
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	serves(3, "the files are gone")
	if _, err := certs.OpenFiles(cert, key, time.Now, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("it starts without a key")
	}
}
