// Package blobtest is the contract of a blob store, for every implementation.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"maps"
	"path"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// Blobs is what the stages use.
type Blobs interface {
	Put(ctx context.Context, key string, r io.Reader, size int64, contentType string) error
	Open(ctx context.Context, key string) (io.ReadSeekCloser, error)
	Delete(ctx context.Context, key string) error
	All(ctx context.Context) iter.Seq2[string, error]
}

// Run checks a store; keys are random, so that tests may share one.
func Run(t *testing.T, b Blobs) {
	t.Helper()
	tests := map[string]func(t *testing.T, b Blobs, key string){
		"RoundTrip": roundTrip, "Empty": empty, "UnknownSize": unknownSize, "Large": large, "Replaces": replaces, "Seeks": seeks,
		"Absent": absent, "All": all, "Delete": deletes, "BrokenReader": brokenReader, "ShortReader": shortReader, "BadKeys": badKeys, "Organizations": organizations,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, b, "org/"+uuid.NewString()+"/files/report.xml")
		})
	}
}

func put(t *testing.T, b Blobs, key, text string) {
	t.Helper()
	if err := b.Put(tenant.System(t.Context()), key, strings.NewReader(text), int64(len(text)), "text/plain"); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, b Blobs, key string) []byte {
	t.Helper()
	r, err := b.Open(tenant.System(t.Context()), key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func roundTrip(t *testing.T, b Blobs, key string) {
	put(t, b, key, "<testsuite/>")
	if got := string(read(t, b, key)); got != "<testsuite/>" {
		t.Errorf("read %q", got)
	}
}

func empty(t *testing.T, b Blobs, key string) {
	put(t, b, key, "")
	if got := read(t, b, key); len(got) != 0 {
		t.Errorf("read %q", got)
	}
}

func unknownSize(t *testing.T, b Blobs, key string) {
	if err := b.Put(tenant.System(t.Context()), key, strings.NewReader("abc"), -1, ""); err != nil {
		t.Fatal(err)
	}
	if got := string(read(t, b, key)); got != "abc" {
		t.Errorf("read %q", got)
	}
}

func large(t *testing.T, b Blobs, key string) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 20<<16) // 20 MiB: several parts
	if err := b.Put(tenant.System(t.Context()), key, bytes.NewReader(data), int64(len(data)), "application/octet-stream"); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read(t, b, key), data) {
		t.Error("20 MiB came back different")
	}
}

func replaces(t *testing.T, b Blobs, key string) {
	put(t, b, key, "a longer first version")
	put(t, b, key, "second")
	if got := string(read(t, b, key)); got != "second" {
		t.Errorf("read %q", got)
	}
}

func seeks(t *testing.T, b Blobs, key string) {
	put(t, b, key, "0123456789")
	r, err := b.Open(tenant.System(t.Context()), key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Seek(7, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if tail, err := io.ReadAll(r); err != nil || string(tail) != "789" {
		t.Errorf("after Seek(7): %q, %v", tail, err)
	}
	if size, err := r.Seek(0, io.SeekEnd); err != nil || size != 10 {
		t.Errorf("size by Seek: %d, %v", size, err)
	}
}

func absent(t *testing.T, b Blobs, key string) {
	if _, err := b.Open(tenant.System(t.Context()), key); !fault.Is(err, fault.NotFound) {
		t.Errorf("err = %v, want not found", err)
	}
}

func deletes(t *testing.T, b Blobs, key string) {
	put(t, b, key, "x")
	for range 2 {
		if err := b.Delete(tenant.System(t.Context()), key); err != nil {
			t.Fatal(err)
		}
	}
	absent(t, b, key)
}

var errBroken = errors.New("the connection broke")

type broken struct{ r io.Reader }

func (b broken) Read(p []byte) (int, error) {
	if n, err := b.r.Read(p); err == nil {
		return n, nil
	}
	return 0, errBroken
}

func brokenReader(t *testing.T, b Blobs, key string) {
	put(t, b, key, "old")
	if err := b.Put(tenant.System(t.Context()), key, broken{strings.NewReader("ne")}, 3, ""); !errors.Is(err, errBroken) {
		t.Errorf("err = %v, want the reader's", err)
	}
	if got := string(read(t, b, key)); got != "old" {
		t.Errorf("a broken upload left %q", got)
	}
}

func shortReader(t *testing.T, b Blobs, key string) {
	if err := b.Put(tenant.System(t.Context()), key, strings.NewReader("ab"), 3, ""); err == nil {
		t.Error("two bytes of three were taken")
	}
	absent(t, b, key)
}

func badKeys(t *testing.T, b Blobs, key string) {
	for _, bad := range []string{"", "/etc/passwd", "../x", key + "/../../x", "a//b", "a/./b", "a\x00b", `a\b`, "..", strings.Repeat("x", 2000)} {
		if err := b.Put(tenant.System(t.Context()), bad, strings.NewReader("x"), 1, ""); err == nil {
			t.Errorf("key %q was taken", bad)
		}
		if _, err := b.Open(tenant.System(t.Context()), bad); err == nil {
			t.Errorf("key %q was opened", bad)
		}
	}
}

// organizations proves that bytes of another organization are as good as absent, and stay as they are.
func organizations(t *testing.T, b Blobs, _ string) {
	own, other := uuid.New(), uuid.New()
	as := func(organization uuid.UUID) context.Context {
		return tenant.WithViewer(t.Context(), tenant.Viewer{Kind: tenant.KindMember, Organization: organization, Role: tenant.RoleOwner})
	}
	key := "org/" + other.String() + "/attempt/a"
	if err := b.Put(as(other), key, strings.NewReader("bytes"), 5, ""); err != nil {
		t.Fatal(err)
	}
	for who, ctx := range map[string]context.Context{"another organization": as(own), "nobody": t.Context()} {
		if _, err := b.Open(ctx, key); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s reads it: %v", who, err)
		}
		if err := b.Put(ctx, key, strings.NewReader("other"), 5, ""); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s replaces it: %v", who, err)
		}
		if err := b.Delete(ctx, key); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s deletes it: %v", who, err)
		}
		if _, err := b.Open(ctx, "org/"+other.String()+"/../"+own.String()+"/a"); err == nil {
			t.Errorf("%s reads by a detour", who)
		}
	}
	body, err := b.Open(as(other), key)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if text, err := io.ReadAll(body); err != nil || string(text) != "bytes" {
		t.Errorf("%q, %v", text, err)
	}
}

// all finds each key once, whatever other tests store meanwhile; a caller may stop early.
func all(t *testing.T, b Blobs, key string) {
	ctx := tenant.System(t.Context())
	keys := map[string]int{key: 1, key + ".2": 1, path.Dir(key) + "/deeper/" + path.Base(key): 1}
	for k := range keys {
		put(t, b, k, "x")
	}
	put(t, b, key+".gone", "x")
	if err := b.Delete(ctx, key+".gone"); err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for k, err := range b.All(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(k, path.Dir(key)) {
			found[k]++
		}
	}
	if !maps.Equal(found, keys) {
		t.Errorf("found %v, and stored %v", found, keys)
	}
	for _, err := range b.All(ctx) {
		if err != nil {
			t.Error(err)
		}
		break
	}
}
