package diagnose_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/diagnose"
	"github.com/seatrial/seatrial/controlplane/fault"
)

func serve(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), diagnose.Socket)
	if err := os.WriteFile(path, nil, 0o600); err != nil { // left by a replica that was killed
		t.Fatal(err)
	}
	stop, err := diagnose.Serve(path, diagnose.Options{
		Version: "v1", Started: time.Unix(1, 0), Settings: map[string]string{"redis": "(set)"}, Log: slog.New(slog.DiscardHandler),
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "seatrial_up 1\n") }),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return path
}

// TestBundle reads everything that a bundle holds.
func TestBundle(t *testing.T) { //nolint:paralleltest // a process has one profile of time
	path := serve(t)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket is for others as well: %v, %v", info.Mode(), err)
	}
	var out bytes.Buffer
	if err := diagnose.At(path).Bundle(t.Context(), &out, 1); err != nil {
		t.Fatal(err)
	}
	all, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range all.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		got[f.Name] = string(text)
	}
	var about diagnose.About
	if err := json.Unmarshal([]byte(got["about.json"]), &about); err != nil || about.Version != "v1" || about.Goroutines == 0 || about.Settings["redis"] != "(set)" {
		t.Errorf("%+v, %v", about, err)
	}
	if got["metrics.txt"] != "seatrial_up 1\n" || !strings.Contains(got["goroutines.txt"], "TestBundle") {
		t.Errorf("metrics %q, goroutines %.300q", got["metrics.txt"], got["goroutines.txt"])
	}
	for _, name := range []string{"heap.pprof", "mutex.pprof", "cpu.pprof"} {
		if !strings.HasPrefix(got[name], "\x1f\x8b") { // profiles are compressed
			t.Errorf("%s begins with %.10q", name, got[name])
		}
	}
}

func TestProfile(t *testing.T) { //nolint:paralleltest // as above
	path := serve(t)
	for _, kind := range diagnose.Kinds() {
		var out bytes.Buffer
		if err := diagnose.At(path).Profile(t.Context(), &out, kind, 1); err != nil || out.Len() == 0 {
			t.Errorf("%s: %d bytes, %v", kind, out.Len(), err)
		}
	}
	for why, c := range map[string]struct {
		path, kind string
		seconds    int
		want       fault.Kind
		says       string
	}{
		"a kind that there is not":               {path, "money", 1, fault.Invalid, "there is no profile"},
		"time without an end":                    {path, "cpu", 301, fault.Invalid, "from 1 to 300"},
		"nobody is there":                        {filepath.Join(t.TempDir(), "none.sock"), "heap", 1, fault.NotFound, "no control plane runs"},
		"what a replica left when it was killed": {dead(t), "heap", 1, fault.NotFound, "no control plane runs"},
	} {
		var out bytes.Buffer
		if err := diagnose.At(c.path).Profile(t.Context(), &out, c.kind, c.seconds); !fault.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", why, err)
		}
	}
}

// TestProfile_Waiting: who waits for a lock is in the profile, which costs nothing while nobody asks.
func TestProfile_Waiting(t *testing.T) { //nolint:paralleltest // as above
	path := serve(t)
	var out bytes.Buffer
	over := make(chan struct{})
	var running sync.WaitGroup
	var lock sync.Mutex
	for range 2 {
		running.Go(func() { contend(&lock, over) })
	}
	err := diagnose.At(path).Profile(t.Context(), &out, "mutex", 1)
	close(over)
	running.Wait()
	raw, failed := gzip.NewReader(&out)
	if err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	if text, err := io.ReadAll(raw); err != nil || !bytes.Contains(text, []byte("contend")) {
		t.Errorf("nobody waits, %v", err)
	}
	if runtime.SetMutexProfileFraction(-1) != 0 {
		t.Error("locks go on being watched")
	}
}

func contend(lock *sync.Mutex, over <-chan struct{}) {
	for {
		select {
		case <-over:
			return
		default:
			lock.Lock()
			for range 1000 {
				runtime.Gosched()
			}
			lock.Unlock()
		}
	}
}

// TestServe_StopDuringProfile: a profile that is under way does not hold up a stop.
func TestServe_StopDuringProfile(t *testing.T) { //nolint:paralleltest // as above
	path := filepath.Join(t.TempDir(), diagnose.Socket)
	stop, err := diagnose.Serve(path, diagnose.Options{Log: slog.New(slog.DiscardHandler), Metrics: http.NotFoundHandler()})
	if err != nil {
		t.Fatal(err)
	}
	taken := make(chan error, 1)
	began := &began{at: make(chan struct{})}
	go func() { taken <- diagnose.At(path).Profile(t.Context(), began, "trace", diagnose.MaxSeconds) }()
	<-began.at
	if err := stop(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-taken; err != nil {
		t.Errorf("what was taken until then is lost: %v", err)
	}
}

// began tells when something was written.
type began struct {
	at   chan struct{}
	once sync.Once
}

func (b *began) Write(p []byte) (int, error) {
	b.once.Do(func() { close(b.at) })
	return len(p), nil
}

// dead is a socket that nobody listens on any more.
func dead(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
