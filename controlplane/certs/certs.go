// Package certs keeps the certificate authority of the agents' port and issues the port's certificate from it.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"sync"
	"time"
)

const (
	certFile = "agent-ca.crt"
	keyFile  = "agent-ca.key"

	authorityLife = 10 * 365 * 24 * time.Hour
	leafLife      = 90 * 24 * time.Hour
	// Clocks of clusters may be behind.
	slack = time.Hour
)

// FileNames are the files of an authority in its directory.
func FileNames() []string { return []string{keyFile, certFile} }

// Authority signs the certificate of the agents' port. Agents trust it and nothing else.
type Authority struct {
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
	pem   []byte
	clock func() time.Time
	hosts []string

	mu   sync.Mutex
	leaf *tls.Certificate
}

// Open reads the authority of a directory, which it makes at the first start. The certificate it issues is for hosts, which are
// names and IP addresses.
func Open(dir string, clock func() time.Time, hosts ...string) (*Authority, error) {
	a := &Authority{clock: clock, hosts: hosts}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the agents' certificate authority: %w", err)
	}
	defer root.Close() //nolint:errcheck // every file in it is closed
	certPEM, err := root.ReadFile(certFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := a.create(root); err != nil {
			return nil, fmt.Errorf("make the agents' certificate authority in %s: %w", dir, err)
		}
		return a, nil
	case err != nil:
		return nil, fmt.Errorf("read the agents' certificate authority: %w", err)
	}
	keyPEM, err := root.ReadFile(keyFile)
	if err != nil {
		return nil, fmt.Errorf("read the key of the agents' certificate authority: %w; without it every agent must be installed anew: "+
			"restore it, or remove %s to make another authority", err, certFile)
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("the agents' certificate authority in %s: %w", dir, err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("the agents' certificate authority in %s has a key of type %T", dir, pair.PrivateKey)
	}
	a.cert, a.key, a.pem = pair.Leaf, key, certPEM
	return a, nil
}

// create makes an authority. The key is written first: a start that died between the two leaves no authority, and the next start
// makes another.
func (a *Authority) create(dir *os.Root) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make key: %w", err)
	}
	now := a.clock()
	der, err := sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "Seatrial agents"}, NotBefore: now.Add(-slack), NotAfter: now.Add(authorityLife),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, MaxPathLenZero: true,
	}, nil, key, key)
	if err != nil {
		return err
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return fmt.Errorf("parse certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode key: %w", err)
	}
	a.key, a.pem = key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	err = write(dir, keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600)
	if err != nil {
		return err
	}
	return write(dir, certFile, a.pem, 0o644)
}

// write makes a file appear with all of its bytes or not at all.
func write(dir *os.Root, name string, data []byte, mode fs.FileMode) error {
	next := name + ".next"
	if err := dir.WriteFile(next, data, mode); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if err := dir.Rename(next, name); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// sign returns a certificate with a random serial number. Without a parent it signs itself.
func sign(template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make serial number: %w", err)
	}
	template.SerialNumber = serial
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	return der, nil
}

// PEM returns the certificate that agents must trust.
func (a *Authority) PEM() string { return string(a.pem) }

// TLS returns the configuration of a server. Its certificate is made when it is needed and made anew long before it ends, so a
// process may run for years.
func (a *Authority) TLS() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS13,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return a.certificate() },
	}
}

func (a *Authority) certificate() (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.clock()
	if a.leaf != nil && now.Before(a.leaf.Leaf.NotAfter.Add(-leafLife/3)) {
		return a.leaf, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Seatrial control plane"}, NotBefore: now.Add(-slack), NotAfter: now.Add(leafLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, host := range a.hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else if host != "" {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := sign(template, a.cert, key, a.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parse certificate: %w", err)
	}
	a.leaf = &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key, Leaf: leaf}
	return a.leaf, nil
}
