package app

import (
	"fmt"
	"path/filepath"

	"github.com/seatrial/seatrial/controlplane/config"
	"github.com/seatrial/seatrial/controlplane/secretbox"
)

// keyFile is the key file that a data folder gets when nobody names another.
const keyFile = "encryption.keys"

// Keys returns the keys that stored secrets are encrypted with.
func Keys(c config.Config) (*secretbox.Ring, error) {
	var keys *secretbox.Ring
	var err error
	switch {
	case c.EncryptionKeys != "":
		if keys, err = secretbox.Parse(c.EncryptionKeys); err != nil {
			err = fmt.Errorf("--encryption-keys: %w", err)
		}
	case c.EncryptionKeyFile != "":
		if keys, err = secretbox.Load(c.EncryptionKeyFile, false); err != nil {
			err = fmt.Errorf("--encryption-key-file: %w", err)
		}
	default:
		keys, err = secretbox.Load(filepath.Join(c.DataDir, keyFile), true)
	}
	return keys, err
}
