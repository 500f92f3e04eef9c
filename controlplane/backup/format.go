// Package backup writes everything of an instance to one file, and brings it back into an empty instance.
//
// The file is a tar, compressed with zstd:
//
//	database/records       the database as of one moment: a SQLite file, or what pg_dump wrote
//	authority/NAME         the authority of the agents' port, if it has one of its own, encrypted
//	blobs/KEY              each file of the store of files, under its key
//	SHA256SUMS             the digest of each member before it, as sha256sum writes and checks them
//	manifest.json          what this is: version, schema, how many members, the digest of SHA256SUMS
//	manifest.sealed        the digest of manifest.json, sealed with the newest encryption key of the instance
//
// The seal shows that nothing was changed since, and that whoever restores has the keys without which the secrets in the database cannot be
// read. The keys themselves are not in the backup: who has both can read everything, so that they are to be kept apart.
package backup

import (
	"context"
	"io"
	"iter"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// Format names the layout of a backup.
const Format = "seatrial-backup/v1"

// Names of members.
const (
	recordsName  = "database/records"
	authorityDir = "authority/"
	blobsDir     = "blobs/"
	sumsName     = "SHA256SUMS"
	manifestName = "manifest.json"
	sealName     = "manifest.sealed"
)

// place is what the seal is for: it opens nowhere else.
const place = "seal of a backup"

// maxText bounds the members that are read into memory: manifest, seal and authority.
const maxText = 1 << 20

// Manifest says what a backup is.
type Manifest struct {
	Format   string    `json:"format"`
	Version  string    `json:"version"`  // of the program that made it
	Made     time.Time `json:"made"`     // when it was begun: the database is as of then
	Database string    `json:"database"` // sqlite or postgres
	Schema   int64     `json:"schema"`   // last migration of the database
	Members  int       `json:"members"`  // that SHA256SUMS lists
	Bytes    int64     `json:"bytes"`    // of these
	Blobs    int       `json:"blobs"`    // of these
	Sums     string    `json:"sums"`     // SHA-256 of SHA256SUMS, in hexadecimal
}

// Box seals values with the keys of the instance, each for its place.
type Box interface {
	Seal(place string, value []byte) ([]byte, error)
	Open(place string, sealed []byte) ([]byte, error)
}

// Records is the database of an instance.
type Records interface {
	// Kind is sqlite or postgres.
	Kind() string
	// Latest is the last migration that this program knows.
	Latest() (int64, error)
	// Snapshot writes the state of one moment to a file that does not exist yet, while others use the database. It returns the last migration.
	Snapshot(ctx context.Context, file string) (schema int64, err error)
	// Empty is fault.Conflict when there is anything that a restored database would take the place of.
	Empty(ctx context.Context) error
	// Load makes the empty database what a snapshot holds: all of it, or nothing.
	Load(ctx context.Context, file string) error
}

// Blobs is the store of files.
type Blobs interface {
	// All are the keys of the files that there are, in any order.
	All(ctx context.Context) iter.Seq2[string, error]
	Open(ctx context.Context, key string) (io.ReadSeekCloser, error)
	Put(ctx context.Context, key string, r io.Reader, size int64, contentType string) error
	DeleteAll(ctx context.Context, folder string) error
}

// Instance is what is backed up, or restored into.
type Instance struct {
	Records   Records
	Blobs     Blobs
	Box       Box
	Folder    string   // where the authority of the agents' port is
	Authority []string // names of its files
	// OwnAuthority tells that the agents' port has that authority: a backup without it would lose the agents.
	OwnAuthority bool
	Version      string // of the program
	Temp         string // folder with room for the database; empty for that of the system
	Now          func() time.Time
}

func damaged(format string, args ...any) error {
	return fault.New(fault.Invalid, "the backup is damaged: "+format, args...).WithHint("Nothing was restored. Take another backup; seatrial-controlplane backup verify FILE tells whether one is whole.")
}
