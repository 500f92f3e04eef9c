package bench_test

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/seatrial/seatrial/integration/harness"
)

// keptFor is how long kept data are measured: pages ask for the last days, which have to have something in them.
const keptFor = 4 * 24 * time.Hour

// uiSources decide what is filled.
//
//go:embed uifill_test.go uiseed_test.go uiaround_test.go
var uiSources embed.FS

// kept is what the benchmark has to know of data that it filled.
type kept struct {
	Fill     string // fingerprint of how it was filled
	FilledAt time.Time
	Seeds    *seeds
}

// uiWorld returns a running program with its data.
func uiWorld(tb testing.TB, sh shape) (*program, *seeds) {
	tb.Helper()
	if *uiKept != "" {
		return keptWorld(tb, sh, *uiKept)
	}
	dir := tb.TempDir()
	roomFor(tb, sh, os.TempDir())
	owner := harness.Postgres(tb)
	db := harness.Kept{Owner: owner, User: harness.PostgresUser(tb, owner), Admin: harness.PostgresAdmin(tb, owner)}
	s := fillWorld(tb, sh, dir, db)
	return openWorld(tb, dir, db), s
}

// keptWorld returns a running program with the data in dir, which are filled when there are none.
func keptWorld(tb testing.TB, sh shape, dir string) (*program, *seeds) {
	tb.Helper()
	known, data := filepath.Join(dir, "bench.json"), filepath.Join(dir, "data")
	text, err := os.ReadFile(known)
	var k kept
	if err == nil {
		ok(tb, json.Unmarshal(text, &k))
		switch age := time.Since(k.FilledAt); {
		case k.Fill != fingerprint(tb, sh):
			tb.Fatalf("the data in %s were filled by another version of the benchmark, or are of another size: remove the folder, or name another one", dir)
		case age > keptFor:
			tb.Fatalf("the data in %s were filled %d days ago, and pages of the last days would find too little: remove the folder", dir, int(age.Hours()/24))
		}
		k.Seeds.shape = sh
		return openWorld(tb, data, harness.PostgresKept(tb, filepath.Join(dir, "postgres"))), k.Seeds
	}
	if found, _ := os.ReadDir(dir); len(found) > 0 {
		tb.Fatalf("%s has no bench.json, so it was not filled to the end, or is another folder: remove it, or name another one", dir)
	}
	ok(tb, os.MkdirAll(dir, 0o755))
	roomFor(tb, sh, dir)
	db := harness.PostgresKept(tb, filepath.Join(dir, "postgres"))
	k = kept{Fill: fingerprint(tb, sh), FilledAt: time.Now(), Seeds: fillWorld(tb, sh, data, db)}
	text, err = json.Marshal(k)
	ok(tb, err)
	ok(tb, os.WriteFile(known, text, 0o600))
	return openWorld(tb, data, db), k.Seeds
}

// fillWorld has the program make what is copied, and copies it.
func fillWorld(tb testing.TB, sh shape, dir string, db harness.Kept) *seeds {
	tb.Helper()
	p, stop := start(tb, dir, db.User, db.Owner)
	maker := newSeeder(tb, p, db.User, db.Owner)
	begun := time.Now()
	s := maker.all(sh)
	maker.surround(s)
	_ = maker.store.Close()
	stop()
	tb.Logf("%6.1f s  the program has made what is copied", time.Since(begun).Seconds())
	newFiller(tb, db.Admin).all(s)
	return s
}

// openWorld starts the program with data that are filled.
func openWorld(tb testing.TB, dir string, db harness.Kept) *program {
	tb.Helper()
	newFiller(tb, db.Admin).connect()
	p, _ := start(tb, dir, db.User, db.Owner)
	return p
}

// connect has the clusters look as if their agents were there, and the releases as if they had been decided in turn, as they are where the
// program runs.
func (f *filler) connect() {
	f.do(`UPDATE releases AS r SET decided_at = now() - interval '10 minutes' * n / total
FROM (SELECT id, row_number() OVER (ORDER BY id) AS n, count(*) OVER () AS total FROM releases) AS o WHERE o.id = r.id`)
	f.do(`UPDATE clusters SET connected = true, enrolled_at = coalesce(enrolled_at, now()), connected_at = now(), last_seen_at = now(), gateway = 'bench', session_epoch = 1,
agent_version = '1.0.0', kubernetes_version = 'v1.34.1', runner_delivery = 'image-volume'`)
}

// fingerprint is of what decides which data are filled: the source of the fill, and how much is asked for.
func fingerprint(tb testing.TB, sh shape) string {
	tb.Helper()
	sum := sha256.New()
	ok(tb, fs.WalkDir(uiSources, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := uiSources.ReadFile(path)
		sum.Write(text)
		return err
	}))
	fmt.Fprintf(sum, "%+v", sh)
	return hex.EncodeToString(sum.Sum(nil))
}

// roomFor ends the benchmark before it fills a disk that is used for other things too.
func roomFor(tb testing.TB, sh shape, dir string) {
	tb.Helper()
	const each = 16 << 10 // bytes of an execution with all it has, while it is filled
	var disk syscall.Statfs_t
	ok(tb, syscall.Statfs(dir, &disk))
	free, needed := disk.Bavail*uint64(disk.Bsize), uint64(sh.executions)*each+1<<30
	if free < needed {
		tb.Fatalf("%d executions need about %d GiB in %s, which has %d GiB left: make room, set TMPDIR, or measure fewer with -ui.executions",
			sh.executions, needed>>30, dir, free>>30)
	}
}
