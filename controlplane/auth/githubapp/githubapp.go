// Package githubapp makes the tokens by which a GitHub App says who it is.
package githubapp

import (
	"crypto/rsa"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/seatrial/seatrial/controlplane/fault"
)

const (
	// early is how long before now a token is valid already, as the clock of GitHub may be behind.
	early = time.Minute
	// life is how long a token is valid. GitHub takes none that is for longer than ten minutes.
	life = 8 * time.Minute
	// minBits is the size of the smallest key that is taken. GitHub makes those of 2048 bits.
	minBits = 2048
	// Larger keys take long to read and to sign with.
	maxBits, maxText = 8192, 16 << 10
)

// Key reads the private key of an app, a PEM text of an RSA key. Errors are fault.Invalid, and never hold anything of the key.
func Key(pem []byte) (*rsa.PrivateKey, error) {
	var key *rsa.PrivateKey
	err := errors.New("too long")
	if len(pem) <= maxText {
		key, err = jwt.ParseRSAPrivateKeyFromPEM(pem)
	}
	if err != nil || key.N.BitLen() < minBits || key.N.BitLen() > maxBits {
		return nil, fault.New(fault.Invalid, "the private key is no RSA key of at least %d and at most %d bits in PEM", minBits, maxBits).WithField("private_key").
			WithHint("Make one on the page of the app, under \"Private keys\", and give the file that GitHub sends.")
	}
	return key, nil
}

// Token says for a few minutes that its bearer is the app, which is named by its client id or its number.
func Token(app string, key *rsa.PrivateKey, now time.Time) (string, error) {
	text, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.RegisteredClaims{
		Issuer: app, IssuedAt: jwt.NewNumericDate(now.Add(-early)), ExpiresAt: jwt.NewNumericDate(now.Add(life)),
	}).SignedString(key)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "the token of the app could not be signed")
	}
	return text, nil
}
