package link

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seatrial/seatrial/agent/runner/pin"
)

// Keys of the Secret.
const (
	keyPrivate      = "key.pem"
	keyCertificate  = "cert.pem"
	keyAgent        = "agent-id"
	keyCluster      = "cluster-id"
	keyClusterName  = "cluster-name"
	keyOrganization = "organization-id"
	keySpent        = "bootstrap-spent"
)

// The certificate is pinned by its key in every pod, so its end would only break things.
const certificateLife = 100 * 365 * 24 * time.Hour

// Secrets reads and writes Secrets of the agent's namespace.
type Secrets interface {
	Get(ctx context.Context, name string, opts metav1.GetOptions) (*corev1.Secret, error)
	Update(ctx context.Context, secret *corev1.Secret, opts metav1.UpdateOptions) (*corev1.Secret, error)
}

// Identity is who the agent is: its key and certificate, and once enrolled the names that the control plane gave it.
type Identity struct {
	Key          ed25519.PrivateKey
	Certificate  tls.Certificate
	AgentID      string
	ClusterID    string
	ClusterName  string
	Organization string
	// Spent is the hex SHA-256 of the bootstrap token that brought these names.
	Spent string
}

// Enrolled reports whether the control plane knows the agent.
func (i Identity) Enrolled() bool { return i.AgentID != "" }

// Settled reports whether a bootstrap token brings nothing new: an operator who gives another one wants the agent enrolled again.
func (i Identity) Settled(token string) bool {
	return i.Enrolled() && (token == "" || digest(token) == i.Spent)
}

func digest(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// Pin returns the hex SHA-256 of the public key of the certificate, by which runners know the agent.
func (i Identity) Pin() string { return pin.Of(i.Certificate.Leaf) }

// Vault keeps the identity in one Secret, so that it survives a restart.
type Vault struct {
	Secrets Secrets
	Name    string
}

// Load reads the identity and makes key and certificate when there are none yet.
func (v Vault) Load(ctx context.Context) (Identity, error) {
	secret, err := v.get(ctx)
	if err != nil {
		return Identity{}, err
	}
	if len(secret.Data[keyPrivate]) == 0 {
		key, cert, err := generate()
		if err != nil {
			return Identity{}, err
		}
		// Another agent that is just starting may have won: then Update conflicts and the caller tries again with the winner's.
		if secret, err = v.put(ctx, secret, map[string]string{keyPrivate: string(key), keyCertificate: string(cert)}); err != nil {
			return Identity{}, err
		}
	}
	return parse(secret.Data)
}

// Save stores what enrolment brought.
func (v Vault) Save(ctx context.Context, i Identity) error {
	return v.Put(ctx, map[string]string{
		keyAgent: i.AgentID, keyCluster: i.ClusterID, keyClusterName: i.ClusterName, keyOrganization: i.Organization,
		keySpent: i.Spent,
	})
}

// Value returns a small fact that another part of the agent keeps beside the identity.
func (v Vault) Value(ctx context.Context, key string) (string, error) {
	secret, err := v.get(ctx)
	if err != nil {
		return "", err
	}
	return string(secret.Data[key]), nil
}

// Put adds values to the Secret.
func (v Vault) Put(ctx context.Context, values map[string]string) error {
	secret, err := v.get(ctx)
	if err != nil {
		return err
	}
	_, err = v.put(ctx, secret, values)
	return err
}

func (v Vault) get(ctx context.Context) (*corev1.Secret, error) {
	secret, err := v.Secrets.Get(ctx, v.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
		return nil, fmt.Errorf("the Secret %q for the agent's key cannot be read; the agent's chart creates it: upgrade the release: %w", v.Name, err)
	case err != nil:
		return nil, fmt.Errorf("read Secret %q: %w", v.Name, err)
	}
	return secret, nil
}

func (v Vault) put(ctx context.Context, secret *corev1.Secret, values map[string]string) (*corev1.Secret, error) {
	secret = secret.DeepCopy()
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	for k, value := range values {
		secret.Data[k] = []byte(value)
	}
	out, err := v.Secrets.Update(ctx, secret, metav1.UpdateOptions{})
	if err != nil {
		return nil, fmt.Errorf("write Secret %q: %w", v.Name, err)
	}
	return out, nil
}

func parse(data map[string][]byte) (Identity, error) {
	cert, err := tls.X509KeyPair(data[keyCertificate], data[keyPrivate])
	if err != nil {
		return Identity{}, fmt.Errorf("key and certificate in the agent's Secret: %w; empty the Secret and enrol the cluster again", err)
	}
	key, ok := cert.PrivateKey.(ed25519.PrivateKey)
	if !ok {
		return Identity{}, errors.New("the key in the agent's Secret is not an Ed25519 key; empty the Secret and enrol the cluster again")
	}
	return Identity{
		Key: key, Certificate: cert, AgentID: string(data[keyAgent]), ClusterID: string(data[keyCluster]),
		ClusterName: string(data[keyClusterName]), Organization: string(data[keyOrganization]),
		Spent: string(data[keySpent]),
	}, nil
}

// generate returns a new key and a certificate that it signs itself, as PEM.
func generate() (key, cert []byte, err error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("generate key: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "seatrial-agent"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateLife), DNSNames: []string{"seatrial-agent"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		return nil, nil, fmt.Errorf("make certificate: %w", err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, fmt.Errorf("encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
