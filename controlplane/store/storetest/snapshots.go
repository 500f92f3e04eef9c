package storetest

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// sharing holds that a snapshot keeps what was shared, is found by the hash of its secret alone, and ends when it expires or is revoked.
func sharing(t *testing.T, f *fixture) {
	r := f.releasing(t, "1.0", "", shopImage)
	keep := func(secret string) release.Snapshot {
		t.Helper()
		kept, err := f.SaveSnapshot(f.as(t), r.ID, release.Snapshot{
			State: verdict.NotReady, Maker: "ann", Hash: []byte(secret), Content: bytes.Repeat([]byte("x"), 1000), ExpiresAt: f.now.Add(2 * time.Hour),
		})
		if err != nil {
			t.Fatal(err)
		}
		return kept
	}
	first, second := keep("first"), keep("second")
	listed := func(application, version string) int {
		t.Helper()
		list, err := f.Snapshots(f.as(t), application, version)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range list {
			if one.Application != "shop" || one.Version != "1.0" || one.Maker != "ann" || one.State != verdict.NotReady || one.Content != nil || one.Hash != nil {
				t.Errorf("listed %+v", one)
			}
		}
		return len(list)
	}
	if all, of, none := listed("", ""), listed("shop", "1.0"), listed("shop", "2.0"); all != 2 || of != 2 || none != 0 {
		t.Errorf("listed %d, of the release %d, of another %d", all, of, none)
	}

	ctx, note := audit.Begin(t.Context(), "OpenSnapshot", "192.0.2.1")
	got, err := f.OpenSnapshot(ctx, []byte("first"))
	if err != nil || len(got.Content) != 1000 || got.ID != first.ID || !note.Kept() {
		t.Fatalf("opened %+v, on record %t, %v", got, note.Kept(), err)
	}
	page, err := f.AuditEntries(f.as(t), audit.Filter{Action: "OpenSnapshot", Size: 10})
	if err != nil || len(page.Entries) != 1 || page.Entries[0].Object.Name != "shop 1.0" || page.Entries[0].Actor.Kind != tenant.KindSystem {
		t.Errorf("on record %+v, %v", page.Entries, err)
	}
	ctx, note = audit.Begin(t.Context(), "OpenSnapshot", "192.0.2.1")
	if _, err := f.OpenSnapshot(ctx, []byte("first")); err != nil || note.Kept() {
		t.Errorf("whoever opens it again fills the record: %t, %v", note.Kept(), err)
	}

	eve := foreigner(t)
	if list, err := f.Snapshots(eve, "", ""); err != nil || len(list) != 0 {
		t.Errorf("a stranger lists %+v, %v", list, err)
	}
	if err := f.RevokeSnapshot(eve, first.ID, "eve"); !fault.Is(err, fault.NotFound) {
		t.Errorf("a stranger revokes: %v", err)
	}
	if _, err := f.SaveSnapshot(eve, r.ID, release.Snapshot{Hash: []byte("third"), ExpiresAt: f.now.Add(time.Hour)}); !fault.Is(err, fault.NotFound) {
		t.Errorf("a stranger shares: %v", err)
	}
	if _, err := f.OpenSnapshot(t.Context(), []byte("third")); !fault.Is(err, fault.NotFound) {
		t.Errorf("a link that there is not: %v", err)
	}

	if err := f.RevokeSnapshot(f.as(t), first.ID, "bob"); err != nil {
		t.Fatal(err)
	}
	for _, id := range []uuid.UUID{first.ID, uuid.New()} {
		if err := f.RevokeSnapshot(f.as(t), id, "bob"); !fault.Is(err, fault.NotFound) {
			t.Errorf("what is not there is revoked: %v", err)
		}
	}
	if _, err := f.OpenSnapshot(t.Context(), []byte("first")); !fault.Is(err, fault.NotFound) || listed("", "") != 1 {
		t.Errorf("after it was revoked: %v", err)
	}
	f.now = f.now.Add(3 * time.Hour)
	if _, err := f.OpenSnapshot(t.Context(), []byte("second")); !fault.Is(err, fault.NotFound) || listed("", "") != 0 || second.Open(f.now) {
		t.Errorf("after it has expired: %v", err)
	}
}
