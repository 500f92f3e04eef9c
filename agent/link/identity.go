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
	// The key towards the control plane, which may change; that of the certificate while there is none. The one that is about to take its
	// place stands beside it, until it was used.
	keyIdentity = "identity-key.pem"
	keyNext     = "next-key.pem"
	keySince    = "key-since"
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
	// Key is that towards the control plane. Runners know the agent by that of the certificate, which stays the same for as long as there
	// are pods.
	Key ed25519.PrivateKey
	// Next is about to take the place of Key; nil when no change is under way. The control plane may know either, or both.
	Next ed25519.PrivateKey
	// Since is when Key was made; zero when nobody knows.
	Since        time.Time
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
		if secret, err = v.put(ctx, secret, map[string]string{
			keyPrivate: string(key), keyCertificate: string(cert), keySince: time.Now().UTC().Format(time.RFC3339),
		}); err != nil {
			return Identity{}, err
		}
	}
	return parse(secret.Data)
}

// Save stores what enrolment brought, its key included.
func (v Vault) Save(ctx context.Context, i Identity) error {
	values, err := keyValues(i.Key, i.Since)
	if err != nil {
		return err
	}
	for k, value := range map[string]string{
		keyAgent: i.AgentID, keyCluster: i.ClusterID, keyClusterName: i.ClusterName, keyOrganization: i.Organization, keySpent: i.Spent,
	} {
		values[k] = value
	}
	return v.Put(ctx, values, keyNext)
}

// Propose stores a key that is about to take the place of the agent's, before anybody is told of it.
func (v Vault) Propose(ctx context.Context, next ed25519.PrivateKey) error {
	text, err := encodeKey(next)
	if err != nil {
		return err
	}
	return v.Put(ctx, map[string]string{keyNext: text})
}

// Adopt stores a key as the agent's own. The one before is forgotten.
func (v Vault) Adopt(ctx context.Context, key ed25519.PrivateKey, since time.Time) error {
	values, err := keyValues(key, since)
	if err != nil {
		return err
	}
	return v.Put(ctx, values, keyNext)
}

func keyValues(key ed25519.PrivateKey, since time.Time) (map[string]string, error) {
	text, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	values := map[string]string{keyIdentity: text}
	if !since.IsZero() {
		values[keySince] = since.UTC().Format(time.RFC3339)
	}
	return values, nil
}

// Value returns a small fact that another part of the agent keeps beside the identity.
func (v Vault) Value(ctx context.Context, key string) (string, error) {
	secret, err := v.get(ctx)
	if err != nil {
		return "", err
	}
	return string(secret.Data[key]), nil
}

// Put adds values to the Secret and takes others out, all at once.
func (v Vault) Put(ctx context.Context, values map[string]string, without ...string) error {
	secret, err := v.get(ctx)
	if err != nil {
		return err
	}
	_, err = v.put(ctx, secret, values, without...)
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

func (v Vault) put(ctx context.Context, secret *corev1.Secret, values map[string]string, without ...string) (*corev1.Secret, error) {
	secret = secret.DeepCopy()
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	for k, value := range values {
		secret.Data[k] = []byte(value)
	}
	for _, k := range without {
		delete(secret.Data, k)
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
	if len(data[keyIdentity]) > 0 {
		if key, err = decodeKey(data[keyIdentity]); err != nil {
			return Identity{}, fmt.Errorf("%s in the agent's Secret: %w; empty the Secret and enrol the cluster again", keyIdentity, err)
		}
	}
	var next ed25519.PrivateKey
	if len(data[keyNext]) > 0 {
		if next, err = decodeKey(data[keyNext]); err != nil {
			return Identity{}, fmt.Errorf("%s in the agent's Secret: %w; remove that key from the Secret", keyNext, err)
		}
	}
	since, _ := time.Parse(time.RFC3339, string(data[keySince])) // zero is as good as unknown
	return Identity{
		Key: key, Next: next, Since: since, Certificate: cert, AgentID: string(data[keyAgent]), ClusterID: string(data[keyCluster]),
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
	text, err := encodeKey(private)
	if err != nil {
		return nil, nil, err
	}
	return []byte(text), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

func encodeKey(key ed25519.PrivateKey) (string, error) {
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("encode key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})), nil
}

func decodeKey(text []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("not PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("decode key: %w", err)
	}
	own, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, errors.New("not an Ed25519 key")
	}
	return own, nil
}
