package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/seatrial/seatrial/controlplane/backup"
	"github.com/seatrial/seatrial/controlplane/blob"
	"github.com/seatrial/seatrial/controlplane/certs"
	"github.com/seatrial/seatrial/controlplane/config"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/secretbox"
	"github.com/seatrial/seatrial/controlplane/store/snapshot"
)

// instance is what a configuration names, as backups see it.
func instance(c config.Config, box *secretbox.Box, files backup.Blobs, version string) (backup.Instance, error) {
	records, err := snapshot.Of(cmp.Or(c.DatabaseSystem, c.Database))
	if err != nil {
		return backup.Instance{}, err //nolint:wrapcheck // it names the flag
	}
	return backup.Instance{
		Records: records, Blobs: files, Box: box, Folder: c.DataDir, Authority: certs.FileNames(), OwnAuthority: c.AgentCert == "", Version: version, Now: time.Now,
	}, nil
}

// existingKeys are the encryption keys of an instance that has some. What is to be restored cannot be read with new ones.
func existingKeys(c config.Config) (*secretbox.Box, error) {
	if c.EncryptionKeys == "" && c.EncryptionKeyFile == "" {
		c.EncryptionKeyFile = filepath.Join(c.DataDir, keyFile)
	}
	keys, err := Keys(c)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(fault.Invalid, err, "there are no encryption keys").
			WithHint("A backup is sealed with the keys of the instance that it was made of, and its secrets are encrypted with them: put them there before.")
	}
	if err != nil {
		return nil, err
	}
	return secretbox.New(keys), nil
}

// target takes the place where an instance is to be restored, so that no control plane starts there meanwhile.
func target(ctx context.Context, c config.Config, version string) (in backup.Instance, done func() error, err error) {
	box, err := existingKeys(c)
	if err != nil {
		return in, nil, err
	}
	if err := os.MkdirAll(c.DataDir, private); err != nil {
		return in, nil, fmt.Errorf("make the data folder: %w; choose another with --data-dir", err)
	}
	lock, err := lockFolder(c.DataDir)
	if err != nil {
		return in, nil, err
	}
	if c.S3.Endpoint == "" {
		if err := os.MkdirAll(filepath.Join(c.DataDir, blobFolder, blob.Uploads), private); err != nil {
			return in, nil, errors.Join(fmt.Errorf("make the folder of files: %w", err), lock.Close())
		}
	}
	store, err := files(ctx, c)
	if err != nil {
		return in, nil, errors.Join(fmt.Errorf("open the store of files: %w", err), lock.Close())
	}
	done = func() error { return errors.Join(store.Close(), lock.Close()) }
	if in, err = instance(c, box, store, version); err != nil {
		return in, nil, errors.Join(err, done())
	}
	in.Temp = c.DataDir
	return in, done, nil
}
