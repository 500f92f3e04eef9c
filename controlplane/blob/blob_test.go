package blob_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/blob"
	"github.com/seatrial/seatrial/controlplane/blob/blobtest"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/integration/harness"
)

func TestDir(t *testing.T) {
	t.Parallel()
	d, err := blob.NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	blobtest.Run(t, d)
}

func TestS3(t *testing.T) {
	t.Parallel()
	s, err := blob.NewS3(tenant.System(t.Context()), blob.S3Options{
		Endpoint: harness.S3(t), Bucket: "contract", AccessKey: harness.S3AccessKey, SecretKey: harness.S3SecretKey, Insecure: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	blobtest.Run(t, s)
}

func TestNewS3_BadKeys(t *testing.T) {
	t.Parallel()
	_, err := blob.NewS3(tenant.System(t.Context()), blob.S3Options{Endpoint: harness.S3(t), Bucket: "refused", AccessKey: "x", SecretKey: "y", Insecure: true})
	if err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("err = %v, want one that names the bucket", err)
	}
}

func TestDir_FollowsNoLink(t *testing.T) {
	t.Parallel()
	outside, inside := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(inside, "org")); err != nil {
		t.Fatal(err)
	}
	d, err := blob.NewDir(inside)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if _, err := d.Open(tenant.System(t.Context()), "org/secret"); err == nil {
		t.Error("a link led out of the store")
	}
	if err := d.Put(tenant.System(t.Context()), "org/new", strings.NewReader("x"), 1, ""); err == nil {
		t.Error("wrote through a link")
	}
}

func TestDir_LeavesNothingBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d, err := blob.NewDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	_ = d.Put(tenant.System(t.Context()), "org/x", io.LimitReader(strings.NewReader("ab"), 2), 3, "") // fails: too short
	if left, err := os.ReadDir(filepath.Join(dir, ".uploads")); err != nil || len(left) != 0 {
		t.Errorf("%d unfinished files are left, %v", len(left), err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".uploads", "orphan"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_ = d.Close()
	if d, err = blob.NewDir(dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if _, err := os.Stat(filepath.Join(dir, ".uploads", "orphan")); !os.IsNotExist(err) {
		t.Error("what a dead process left was kept")
	}
}

func TestDir_FullDisk(t *testing.T) {
	t.Parallel()
	d, err := blob.NewDir(filepath.Join(harness.SmallDisk(t), "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	err = d.Put(tenant.System(t.Context()), "org/big", io.LimitReader(zeros{}, 64<<20), 64<<20, "")
	if !fault.Is(err, fault.Unavailable) {
		t.Fatalf("err = %v, want unavailable", err)
	}
	if !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("message %q does not say that the disk is full", err)
	}
	if err := d.Put(tenant.System(t.Context()), "org/small", strings.NewReader("x"), 1, ""); err != nil {
		t.Errorf("after the failed upload there is no room for one byte: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
