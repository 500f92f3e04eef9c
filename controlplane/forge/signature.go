package forge

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// tolerance is how old or early a signed message may be that says when it was signed.
const tolerance = 5 * time.Minute

// Verify checks that a message was sent by whoever has the secret. Comparisons take the same time wherever they fail. Errors are
// fault.Unauthenticated.
func Verify(kind Kind, secret string, header http.Header, body []byte, now time.Time) error {
	if secret == "" {
		return refused("the receiver has no secret")
	}
	switch kind {
	case GitHub:
		return hexSignature(header.Get("X-Hub-Signature-256"), "sha256=", secret, body)
	case Gitea:
		if v := header.Get("X-Gitea-Signature"); v != "" {
			return hexSignature(v, "", secret, body)
		}
		return hexSignature(header.Get("X-Hub-Signature-256"), "sha256=", secret, body)
	case Bitbucket:
		return hexSignature(header.Get("X-Hub-Signature"), "sha256=", secret, body)
	case GitLab:
		if header.Get("Webhook-Signature") != "" {
			return StandardSignature(secret, header, body, now)
		}
		return token(header.Get("X-Gitlab-Token"), secret)
	}
	return refused("nobody signs for %q", kind)
}

func refused(format string, args ...any) error {
	return fault.New(fault.Unauthenticated, format, args...).
		WithHint("Enter the secret of the receiver at the forge; seatrial trigger receiver rotate makes a new one.")
}

func sum(secret, body []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	_, _ = mac.Write(body) // it never fails
	return mac.Sum(nil)
}

// hexSignature checks an HMAC of the body in hex.
func hexSignature(given, prefix, secret string, body []byte) error {
	text, ok := strings.CutPrefix(given, prefix)
	if given == "" || !ok {
		return refused("the message is not signed with HMAC-SHA256")
	}
	said, err := hex.DecodeString(text)
	if err != nil || !hmac.Equal(said, sum([]byte(secret), body)) {
		return refused("the signature is not that of the receiver's secret")
	}
	return nil
}

// token checks a secret that is sent as it is. The hashes are compared, so that not even the length of the secret can be found out.
func token(given, secret string) error {
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(secret))
	if subtle.ConstantTimeCompare(a[:], b[:]) != 1 {
		return refused("the token is not the receiver's secret")
	}
	return nil
}

// StandardSignature checks a message that is signed as Standard Webhooks says: GitLab does so with a signing token, and so may anybody.
// One that is too old is refused, as somebody may have kept it.
func StandardSignature(secret string, header http.Header, body []byte, now time.Time) error {
	id, at := header.Get("Webhook-Id"), header.Get("Webhook-Timestamp")
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || id == "" {
		return refused("the message has no webhook-id or webhook-timestamp")
	}
	if off := now.Sub(time.Unix(seconds, 0)); off > tolerance || off < -tolerance {
		return refused("the message was signed at another time than it came")
	}
	key := keyOf(secret)
	want := sum(key, append([]byte(id+"."+at+"."), body...))
	right := 0
	for one := range strings.FieldsSeq(header.Get("Webhook-Signature")) {
		text, ok := strings.CutPrefix(one, "v1,")
		if said, err := base64.StdEncoding.DecodeString(text); ok && err == nil {
			right |= subtle.ConstantTimeCompare(said, want)
		}
	}
	if right != 1 {
		return refused("the signature is not that of the receiver's secret")
	}
	return nil
}

// keyOf is the key that a secret stands for.
func keyOf(secret string) []byte {
	if encoded, ok := strings.CutPrefix(secret, "whsec_"); ok {
		if raw, err := base64.StdEncoding.DecodeString(encoded); err == nil {
			return raw
		}
	}
	return []byte(secret)
}

// Sign returns the headers of a message as Standard Webhooks says.
func Sign(secret, id string, body []byte, now time.Time) http.Header {
	key := keyOf(secret)
	at := strconv.FormatInt(now.Unix(), 10)
	h := http.Header{}
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", at)
	h.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(sum(key, append([]byte(id+"."+at+"."), body...))))
	return h
}
