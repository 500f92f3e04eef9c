package auth

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
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

// signer makes and checks the tokens of one audience with a key of its own, so that a token can never be used elsewhere.
type signer struct {
	key      ed25519.PrivateKey
	kid      string
	audience string
	now      func() time.Time
	parser   *jwt.Parser
}

func loadSigner(ctx context.Context, keys KeyStore, name, audience string, now func() time.Time) (*signer, error) {
	fresh, err := randomBytes(keySize)
	if err != nil {
		return nil, err
	}
	seed, err := keys.SettingOrCreate(ctx, name, fresh)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", name, err)
	}
	if len(seed) != keySize {
		return nil, fmt.Errorf("load %s: it has %d bytes instead of %d", name, len(seed), keySize)
	}
	key := ed25519.NewKeyFromSeed(seed)
	public := sha256.Sum256(key[keySize:]) // the second half of a private key is the public one
	s := &signer{key: key, kid: hex.EncodeToString(public[:8]), audience: audience, now: now}
	s.parser = jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}), jwt.WithIssuer(issuer),
		jwt.WithAudience(audience), jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(leeway), jwt.WithTimeFunc(now),
		jwt.WithStrictDecoding())
	return s, nil
}

// sign makes a token that lives for a time from now.
func (s *signer) sign(subject, id, organization uuid.UUID, life time.Duration) (token string, expires time.Time, err error) {
	now := s.now().UTC().Truncate(time.Second)
	expires = now.Add(life)
	t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: issuer, Audience: jwt.ClaimStrings{s.audience}, Subject: subject.String(), ID: id.String(),
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expires),
		},
		Organization: organization,
	})
	t.Header["kid"] = s.kid
	token, err = t.SignedString(s.key)
	return token, expires, err
}

// credential is what a token that holds says.
type credential struct {
	subject, id, organization uuid.UUID
	issued, expires           time.Time
}

// check returns what a token says. With jwt.ErrTokenExpired it still tells when it expired.
func (s *signer) check(token string) (credential, error) {
	var c claims
	_, err := s.parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		if kid, ok := t.Header["kid"].(string); !ok || kid != s.kid {
			return nil, errors.New("signed with a key that is not ours")
		}
		return s.key.Public(), nil
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
