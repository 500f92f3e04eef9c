package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"

	"github.com/seatrial/seatrial/controlplane/auth"
	"github.com/seatrial/seatrial/controlplane/backup"
	"github.com/seatrial/seatrial/controlplane/blob"
	"github.com/seatrial/seatrial/controlplane/config"
	"github.com/seatrial/seatrial/controlplane/diagnose"
	"github.com/seatrial/seatrial/controlplane/operator"
	"github.com/seatrial/seatrial/controlplane/secretbox"
	"github.com/seatrial/seatrial/controlplane/store"
	"github.com/seatrial/seatrial/controlplane/telemetry"
)

// Operation is a command line of the operator, without the program's name.
type Operation struct {
	Args     []string
	Env      func(string) (string, bool)
	Version  string
	Out, Err io.Writer
}

// Operate runs a command of the operator.
func Operate(ctx context.Context, o Operation) error {
	c, flags := config.Flags()
	finish := sync.OnceValue(func() error { return c.Finish(flags, o.Env) })
	return operator.Run(ctx, o.Args, operator.Options{ //nolint:wrapcheck // it speaks for itself
		Flags: flags, Out: o.Out, Err: o.Err, Log: telemetry.Log(o.Err, "text", 0),
		Socket: func() (string, error) {
			if err := finish(); err != nil {
				return "", err //nolint:wrapcheck // each names its flag
			}
			return filepath.Join(c.DataDir, diagnose.Socket), nil
		},
		Open: func(ctx context.Context) (operator.Instance, error) {
			if err := finish(); err != nil {
				return operator.Instance{}, err //nolint:wrapcheck // each names its flag
			}
			return open(ctx, *c, o)
		},
		Box: func() (backup.Box, error) {
			if err := finish(); err != nil {
				return nil, err //nolint:wrapcheck // each names its flag
			}
			return existingKeys(*c)
		},
		Empty: func(ctx context.Context) (backup.Instance, func() error, error) {
			if err := finish(); err != nil {
				return backup.Instance{}, nil, err //nolint:wrapcheck // each names its flag
			}
			return target(ctx, *c, o.Version)
		},
	})
}

// open opens an instance that control planes may be serving at the same time.
func open(ctx context.Context, c config.Config, o Operation) (in operator.Instance, err error) {
	keys, err := Keys(c)
	if err != nil {
		return in, err
	}
	box := secretbox.New(keys)
	records, err := store.Open(ctx, c.Database, store.WithSecrets(box), store.WithSystem(c.DatabaseSystem))
	if err != nil {
		return in, fmt.Errorf("open the database: %w", err)
	}
	if _, err := records.SealSettings(ctx); err != nil { // the command may be the first that this version does
		return in, errors.Join(fmt.Errorf("encrypt the stored secrets: %w", err), records.Close())
	}
	files, err := files(ctx, c)
	if err != nil {
		return in, errors.Join(fmt.Errorf("open the store of files: %w", err), records.Close())
	}
	accounts, err := auth.New(ctx, auth.Config{Accounts: records, Agents: records, Keys: records, Log: telemetry.Log(o.Err, "text", 0)})
	if err != nil {
		return in, errors.Join(fmt.Errorf("load the keys: %w", err), records.Close(), files.Close())
	}
	whole, err := instance(c, box, files, o.Version)
	if err != nil {
		return in, errors.Join(err, records.Close(), files.Close())
	}
	return operator.Instance{
		Store: records, Blobs: files, Accounts: accounts, Keys: keys, Backup: whole, Close: func() error { return errors.Join(files.Close(), records.Close()) },
	}, nil
}

type fileStore interface {
	operator.Blobs
	backup.Blobs
	io.Closer
}

// files opens the store of files, and leaves alone what is being uploaded.
func files(ctx context.Context, c config.Config) (fileStore, error) {
	if c.S3.Endpoint != "" {
		return blob.NewS3(ctx, blob.S3Options{ //nolint:wrapcheck // the caller says what for
			Endpoint: c.S3.Endpoint, Bucket: c.S3.Bucket, Region: c.S3.Region, AccessKey: c.S3.AccessKey, SecretKey: c.S3.SecretKey, Insecure: c.S3.Insecure,
		})
	}
	return blob.OpenDir(filepath.Join(c.DataDir, blobFolder)) //nolint:wrapcheck // the caller says what for
}
