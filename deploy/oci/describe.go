package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime/debug"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// The kinds of what is attached to an image.
const (
	spdxKind   = "application/spdx+json"
	inTotoKind = "application/vnd.in-toto+json"
)

// repository is where the sources are.
const repository = "https://github.com/seatrial/seatrial"

// program is a binary of an image, and what Go says it is made of.
type program struct {
	name, sha256 string
	info         *debug.BuildInfo
}

// describe attaches to an image of one platform what is in it and how it was made, and lays both beside the layout as files.
func (l *layout) describe(from source, o options, i image, about v1.Descriptor, dir string) error {
	programs, err := inspect(dir, i.programs)
	if err != nil {
		return err
	}
	name := i.name + "-" + about.Platform.Architecture
	for _, d := range []struct {
		kind, file string
		document   any
		notes      map[string]string
	}{
		{spdxKind, name + ".spdx.json", bill(from, i, about, programs), nil},
		{inTotoKind, name + ".provenance.json", provenance(from, o, i, about, programs), map[string]string{"in-toto.io/predicate-type": provenanceType}},
	} {
		raw, err := json.MarshalIndent(d.document, "", "  ")
		if err != nil {
			return err
		}
		raw = append(raw, '\n')
		if err := l.attach(about, d.kind, raw, d.notes); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(o.out, d.file), raw, 0o644); err != nil { //nolint:gosec // as public as the image
			return err
		}
	}
	return nil
}

func inspect(dir string, names []string) ([]program, error) {
	var all []program
	for _, name := range names {
		file := filepath.Join(dir, name)
		info, err := buildinfo.ReadFile(file)
		if err != nil {
			return nil, err
		}
		raw, err := os.ReadFile(file) //nolint:gosec // a program that was just built
		if err != nil {
			return nil, err
		}
		all = append(all, program{name: name, sha256: sum(raw), info: info})
	}
	return all, nil
}

func sum(raw []byte) string {
	s := sha256.Sum256(raw)
	return hex.EncodeToString(s[:])
}
