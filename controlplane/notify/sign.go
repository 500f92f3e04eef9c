package notify

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// secretPrefix is how secrets of Standard Webhooks begin.
const secretPrefix = "whsec_"

const (
	secretSize              = 32 // of a new one, in bytes
	minSecret, maxSecret    = 24, 64
	headerID                = "Webhook-Id"
	headerTime, headerProof = "Webhook-Timestamp", "Webhook-Signature"
)

// NewSecret makes a secret of Standard Webhooks.
func NewSecret() string {
	b := make([]byte, secretSize)
	_, _ = rand.Read(b) // it never fails
	return secretPrefix + base64.StdEncoding.EncodeToString(b)
}

// CheckSecret says what is wrong with a secret that a person gives.
func CheckSecret(secret string) error {
	_, err := key(secret)
	return err
}

func key(secret string) ([]byte, error) {
	text, ok := strings.CutPrefix(secret, secretPrefix)
	b, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(b) < minSecret || len(b) > maxSecret {
		return nil, fault.New(fault.Invalid, "the secret is not %s with %d to %d bytes in base64 after it", secretPrefix, minSecret, maxSecret).
			WithField("secret").WithHint("Leave it out and one is made.")
	}
	return b, nil
}

// Sign sets the headers of Standard Webhooks: the id, the time in seconds, and a signature with each secret. The receiver takes the message
// when one of them is right.
func Sign(h http.Header, secrets []string, id string, at time.Time, body []byte) error {
	stamp := strconv.FormatInt(at.Unix(), 10)
	var proofs []string
	for _, secret := range secrets {
		k, err := key(secret)
		if err != nil {
			return err
		}
		mac := hmac.New(sha256.New, k)
		_, _ = fmt.Fprintf(mac, "%s.%s.%s", id, stamp, body)
		proofs = append(proofs, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	h.Set(headerID, id)
	h.Set(headerTime, stamp)
	h.Set(headerProof, strings.Join(proofs, " "))
	return nil
}
