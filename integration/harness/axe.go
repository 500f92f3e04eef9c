package harness

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The accessibility rules that pages are held to, as npm serves them (https://github.com/dequelabs/axe-core, MPL-2.0).
const (
	axePackage   = "axe-core@4.14.1"
	axeFile      = "package/axe.min.js"
	axeIntegrity = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
)

// Axe returns the script of axe-core, from npm's registry or from the cache of an earlier test. Without npm the test is skipped and says so.
func Axe(tb testing.TB) string {
	tb.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		tb.Fatal(err)
	}
	kept := filepath.Join(cache, "seatrial", "npm", axePackage+".tgz")
	raw, err := os.ReadFile(kept)
	if err != nil || !genuine(raw) {
		raw = pack(tb, kept)
	}
	text, err := member(raw, axeFile)
	if err != nil {
		tb.Fatalf("%s of %s: %v", axeFile, axePackage, err)
	}
	return string(text)
}

func genuine(raw []byte) bool {
	sum := sha512.Sum512(raw)
	return base64.StdEncoding.EncodeToString(sum[:]) == axeIntegrity
}

// pack fetches the package and keeps it.
func pack(tb testing.TB, kept string) []byte {
	tb.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		tb.Skip("no npm: install it to hold the pages to the rules of accessibility")
	}
	dir := tb.TempDir()
	cmd := exec.CommandContext(tb.Context(), "npm", "pack", axePackage, "--silent", "--pack-destination", dir)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("npm pack %s: %v: %s", axePackage, err, out)
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(found) != 1 {
		tb.Fatalf("npm pack %s left %v, %v", axePackage, found, err)
	}
	raw, err := os.ReadFile(found[0])
	if err != nil {
		tb.Fatal(err)
	}
	if !genuine(raw) {
		tb.Fatalf("%s has another checksum than the one that is known", axePackage)
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(kept), 0o750), os.WriteFile(kept, raw, 0o600)); err != nil {
		tb.Logf("not kept for the next time: %v", err)
	}
	return raw
}

// member returns a file of a compressed archive.
func member(archive []byte, name string) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, err
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err != nil {
			return nil, err
		}
		if h.Name == name {
			return io.ReadAll(r)
		}
	}
}
