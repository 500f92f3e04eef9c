// Package attest says in signed statements what was tested and what the verdict on a release was, so that anybody can check it
// without asking Seatrial.
//
// A Statement is an in-toto Statement v1 about images and a commit. An Envelope (DSSE) carries the bytes of one with signatures. A
// Bundle is one file with all envelopes of a release, and a key.Ring holds the public keys that are trusted. The package is pure:
// keys, times and bytes come in, and it opens no file and asks no clock.
//
// What comes from outside is foreign until a signature was verified: reading is bounded, and only the bytes that the signature
// covers are looked into.
package attest

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/attest/canonical"
)

// Digest returns the SHA-256 of data in lower-case hex, as statements write it.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// isHex reports whether text is size bytes in lower-case hex.
func isHex(text string, size int) bool {
	return len(text) == 2*size && strings.Trim(text, "0123456789abcdef") == ""
}

// decode reads JSON that is foreign. Members that are not known are ignored, as in-toto demands.
func decode(data []byte, into any, what string) error {
	if err := canonical.Decode(data, into); err != nil {
		return fault.Wrap(fault.Invalid, err, what)
	}
	return nil
}
