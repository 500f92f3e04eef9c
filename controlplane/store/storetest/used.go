package storetest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// used hold what is kept of what steps use, and of files that are compressed.
func used() map[string]func(t *testing.T, f *fixture) {
	return map[string]func(t *testing.T, f *fixture){"OfStep": usageOfStep, "Compressed": compressedFile}
}

// appliedEnvironments holds that a document describes an environment that was there before, and that it is changed only by another one.
func appliedEnvironments(t *testing.T, f *fixture) {
	other, _ := f.enroll(t, "second", "production")
	e := cluster.Environment{
		Name: "staging", ClusterID: f.cluster.ID, ClusterName: f.cluster.Name, Namespace: "shop", Labels: map[string]string{"region": "eu"}, Tier: "staging",
		Description: "first", Digest: "d1", Source: "kind: Environment",
	}
	apply := func(created, changed bool, reason string) cluster.Environment {
		got, c, ch, err := f.ApplyEnvironment(f.as(t), e)
		if err != nil || c != created || ch != changed {
			t.Fatalf("created %t, changed %t, %v: %s", c, ch, err, reason)
		}
		return got
	}
	if got := apply(false, true, "enrolling has made it"); got.ID != f.env.ID || got.Namespace != "shop" {
		t.Errorf("got %+v", got)
	}
	apply(false, false, "again")
	e.ClusterID, e.ClusterName, e.Digest = other.ID, other.Name, "d2"
	apply(false, true, "it moves")
	e.Name, e.Labels = "lab", nil
	apply(true, true, "it is new")
	all, err := f.Environments(f.as(t))
	if err != nil || len(all) != 3 {
		t.Fatalf("%v, %v", all, err)
	}
	got := all[2] // lab, production, staging
	if got.Name != "staging" || got.ClusterName != "second" || cluster.Words(got.Selectable()) != "region=eu, tier=staging" || got.Source != "kind: Environment" {
		t.Errorf("got %+v", got)
	}
	stranger := tenant.WithViewer(t.Context(), tenant.Viewer{Kind: tenant.KindMember, Organization: uuid.New(), Role: tenant.RoleOwner})
	if _, _, _, err := f.ApplyEnvironment(stranger, e); err == nil {
		t.Error("another organization uses the cluster of this one")
	}
}

// enrolledAgain holds that a cluster gets another token although a document has moved the environment that it was enrolled with, and that
// this changes nothing of the environment.
func enrolledAgain(t *testing.T, f *fixture) {
	other, _ := f.enroll(t, "second", "production")
	n, last := 0, ""
	again := func(name string) (cluster.Cluster, cluster.Environment, error) {
		n++
		last = fmt.Sprint("again ", n)
		return f.EnrollCluster(f.as(t), cluster.Enrolment{
			Name: name, Environment: "staging", Namespace: "tests", TokenHash: hash(last), ExpiresAt: f.now.Add(time.Hour),
		})
	}
	e := cluster.Environment{Name: "staging", ClusterID: f.cluster.ID, ClusterName: f.cluster.Name, Namespace: "shop", Digest: "d1", Source: "kind: Environment"}
	for _, to := range []cluster.Cluster{f.cluster, other} {
		e.ClusterID, e.ClusterName, e.Digest = to.ID, to.Name, "of "+to.Name
		if _, _, _, err := f.ApplyEnvironment(f.as(t), e); err != nil {
			t.Fatal(err)
		}
		c, place, err := again(f.cluster.Name)
		if err != nil || c.ID != f.cluster.ID || place.ID != f.env.ID || place.ClusterName != to.Name || place.Namespace != "shop" {
			t.Fatalf("in %s: %+v, %+v, %v", to.Name, c, place, err)
		}
	}
	if _, err := f.SpendBootstrap(t.Context(), cluster.Arrival{TokenHash: hash(last), PublicKey: make([]byte, 32)}); err != nil {
		t.Errorf("the last token: %v", err)
	}
	if _, _, err := again("third"); !fault.Is(err, fault.Conflict) {
		t.Errorf("a new cluster with an environment of another one: %v", err)
	}
}

// usageOfStep holds that what a step has used is known once it has ended, that the first word counts, and that it may come late.
func usageOfStep(t *testing.T, f *fixture) {
	n := f.assigned(t)
	want := &execution.Usage{CPU: 1500 * time.Millisecond, Throttled: time.Microsecond, MemoryPeak: 1 << 40, Read: 1, Written: 2, Note: "a\x00b"}
	tell := func(status execution.Status, u *execution.Usage) *execution.Usage {
		f.report(t, execution.Report{Attempt: n.AttemptID, Status: execution.Running, Steps: []execution.Step{{Index: 1, Name: "test", Status: status, Usage: u}}})
		for _, s := range f.execution(t, n.Execution.ID).Runs[0].Attempts[0].Steps {
			if s.Index == 1 {
				return s.Usage
			}
		}
		return nil
	}
	if got := tell(execution.Running, want); got != nil {
		t.Errorf("a step that runs has used %v in all", got)
	}
	if got := tell(execution.Passed, nil); got != nil {
		t.Errorf("nothing was said, and it used %v", got)
	}
	got := tell(execution.Passed, want)
	if got == nil || got.CPU != want.CPU || got.Throttled != want.Throttled || got.MemoryPeak != want.MemoryPeak || got.Read != 1 || got.Written != 2 {
		t.Errorf("got %v, want %v", got, want)
	}
	if again := tell(execution.Passed, &execution.Usage{CPU: 1}); !reflect.DeepEqual(again, got) {
		t.Errorf("a later word changed it to %v", again)
	}
}

func compressedFile(t *testing.T, f *fixture) {
	n := f.assigned(t)
	want := execution.File{
		ID: uuid.New(), Attempt: n.AttemptID, Step: 1, Kind: execution.FileArtifact, Path: "out/trace.txt", Size: 9000, SHA256: "of the file",
		ContentType: "text/plain", Blob: "b", Encoding: execution.Zstandard, StoredSize: 90, StoredSum: "of what is stored",
	}
	if _, err := f.SaveFile(f.agent(t, f.cluster), want, nil); err != nil {
		t.Fatal(err)
	}
	got, err := f.File(f.as(t), want.ID)
	if err != nil || got.Size != want.Size || got.SHA256 != want.SHA256 || got.Encoding != want.Encoding {
		t.Fatalf("%+v, %v", got, err)
	}
	if size, sum := got.Stored(); size != 90 || sum != "of what is stored" {
		t.Errorf("stored are %d bytes with %q", size, sum)
	}
	again := want
	again.ID = uuid.New()
	if existed, err := f.SaveFile(f.agent(t, f.cluster), again, nil); err != nil || !existed {
		t.Errorf("the same file again: %t, %v", existed, err)
	}
}
