package auth

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

const (
	issuer         = "seatrial"
	audienceWeb    = "web"
	audienceFactor = "second-factor"
	audienceAgent  = "agent-gateway"
	leeway         = 30 * time.Second // clocks of replicas differ
	keySize        = ed25519.SeedSize
)

// claims are those of all our tokens. Subject is the member or cluster, ID the session.
type claims struct {
	jwt.RegisteredClaims
	Organization uuid.UUID `json:"org"`
}

// keysAge is how long a signer signs with the keys that it knows before it looks whether there is a newer one.
const (
	keysAge   = 30 * time.Second
	maxKeys   = 2           // the one that signs, and the one before it, whose tokens hold until they expire
	askedOnce = time.Second // between two looks for a key that is not known
)

// signer makes and checks the tokens of one audience with keys of its own, so that a token can never be used elsewhere. The newest key signs;
// what the one before it has signed holds, too.
type signer struct {
	store    KeyStore
	name     string
	audience string
	now      func() time.Time
	parser   *jwt.Parser

	mu     sync.Mutex
	keys   []signingKey // the newest first
	looked time.Time
}

type signingKey struct {
	ed25519.PrivateKey
	kid string
}

func loadSigner(ctx context.Context, keys KeyStore, name, audience string, now func() time.Time) (*signer, error) {
	fresh, err := randomBytes(keySize)
	if err != nil {
		return nil, err
	}
	seeds, err := keys.SettingOrCreate(ctx, name, fresh)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", name, err)
	}
	s := &signer{store: keys, name: name, audience: audience, now: now, looked: now()}
	if s.keys, err = signingKeys(name, seeds); err != nil {
		return nil, err
	}
	s.parser = jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}), jwt.WithIssuer(issuer),
		jwt.WithAudience(audience), jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(leeway), jwt.WithTimeFunc(now),
		jwt.WithStrictDecoding())
	return s, nil
}

// signingKeys makes keys of the seeds that are stored, one after the other, the newest first.
func signingKeys(name string, seeds []byte) (out []signingKey, err error) {
	if len(seeds) == 0 || len(seeds)%keySize != 0 || len(seeds) > maxKeys*keySize {
		return nil, fmt.Errorf("load %s: it has %d bytes instead of %d for each key", name, len(seeds), keySize)
	}
	for seed := range slices.Chunk(seeds, keySize) {
		key := ed25519.NewKeyFromSeed(seed)
		public := sha256.Sum256(key[keySize:]) // the second half of a private key is the public one
		out = append(out, signingKey{key, hex.EncodeToString(public[:8])})
	}
	return out, nil
}

// known returns the keys. It looks for newer ones when the last look is longer ago than an age; when that fails, the ones that are known
// will do.
func (s *signer) known(ctx context.Context, age time.Duration) []signingKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.now(); now.Sub(s.looked) >= age {
		s.looked = now
		if seeds, err := s.store.Setting(ctx, s.name); err == nil {
			if keys, err := signingKeys(s.name, seeds); err == nil {
				s.keys = keys
			}
		}
	}
	return s.keys
}

// sign makes a token that lives for a time from now.
func (s *signer) sign(ctx context.Context, subject, id, organization uuid.UUID, life time.Duration) (token string, expires time.Time, err error) {
	now := s.now().UTC().Truncate(time.Second)
	expires = now.Add(life)
	t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: issuer, Audience: jwt.ClaimStrings{s.audience}, Subject: subject.String(), ID: id.String(),
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expires),
		},
		Organization: organization,
	})
	key := s.known(ctx, keysAge)[0]
	t.Header["kid"] = key.kid
	token, err = t.SignedString(key.PrivateKey)
	return token, expires, err
}

// public returns the key with an id. One that is not known may be new: another replica signs with it already.
func (s *signer) public(ctx context.Context, kid string) (crypto.PublicKey, bool) {
	for _, age := range []time.Duration{keysAge, askedOnce} {
		for _, key := range s.known(ctx, age) {
			if key.kid == kid {
				return key.Public(), true
			}
		}
	}
	return nil, false
}

// credential is what a token that holds says.
type credential struct {
	subject, id, organization uuid.UUID
	issued, expires           time.Time
}

// check returns what a token says. With jwt.ErrTokenExpired it still tells when it expired.
func (s *signer) check(ctx context.Context, token string) (credential, error) {
	var c claims
	_, err := s.parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		key, ok := s.public(ctx, kid)
		if !ok {
			return nil, errors.New("signed with a key that is not ours")
		}
		return key, nil
	})
	out := credential{organization: c.Organization}
	if c.ExpiresAt != nil {
		out.expires = c.ExpiresAt.UTC()
	}
	if c.IssuedAt != nil {
		out.issued = c.IssuedAt.UTC()
	}
	if err != nil {
		return out, err
	}
	if out.subject, err = uuid.Parse(c.Subject); err != nil {
		return out, fmt.Errorf("subject: %w", err)
	}
	if out.id, err = uuid.Parse(c.ID); err != nil {
		return out, fmt.Errorf("id: %w", err)
	}
	return out, nil
}

func randomBytes(n int) ([]byte, error) {
	out := make([]byte, n)
	_, err := rand.Read(out)
	return out, err
}
