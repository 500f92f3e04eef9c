// Package diagnose lets the operator of an instance look into a replica that runs: profiles, goroutines, metrics, settings. It answers on a
// Unix socket in the data folder, which nobody but the replica's own user may open: what it shows is of all organizations, so no token of
// one of them is enough.
package diagnose

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"runtime/trace"
	"strconv"
	"time"
)

// Socket is the name of the socket in the data folder.
const Socket = "debug.sock"

// MaxSeconds is how long a profile may take at most.
const MaxSeconds = 300

// Kinds are the profiles that there are: cpu, trace, block and mutex take time, the others are what is known at once.
func Kinds() []string {
	return []string{"cpu", "trace", "heap", "allocs", "goroutine", "block", "mutex", "threadcreate"}
}

// Options are what a replica shows.
type Options struct {
	Version string
	Started time.Time
	// Settings are the values of flags that are no secret, by name.
	Settings map[string]string
	Metrics  http.Handler
	Log      *slog.Logger
}

// About is what a replica says of itself.
type About struct {
	Version    string            `json:"version"`
	Go         string            `json:"go"`
	Started    time.Time         `json:"started"`
	Goroutines int               `json:"goroutines"`
	CPUs       int               `json:"cpus"`
	HeapBytes  uint64            `json:"heapBytes"`
	Settings   map[string]string `json:"settings"`
	Modules    []string          `json:"modules"`
}

// Serve answers on a socket until stop is called, which waits for what is under way as long as its context lets it. One that a replica before
// has left is replaced.
func Serve(path string, o Options) (stop func(context.Context) error, err error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("replace the socket of an earlier replica: %w", err)
	}
	listener, err := net.Listen("unix", path) //nolint:noctx // it does not block
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	const ownerOnly = 0o600
	if err := os.Chmod(path, ownerOnly); err != nil {
		return nil, errors.Join(fmt.Errorf("keep others from %s: %w", path, err), listener.Close())
	}
	const headers = 5 * time.Second
	quit := make(chan struct{})
	server := &http.Server{Handler: handler(o, quit), ReadHeaderTimeout: headers}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			o.Log.Warn("nobody can look into this replica any more", "error", err)
		}
	}()
	return func(ctx context.Context) error {
		close(quit) // a profile that is under way is one until now
		err := server.Shutdown(ctx)
		if err != nil {
			err = errors.Join(err, server.Close())
		}
		<-ended
		return err
	}, nil
}

func handler(o Options, quit <-chan struct{}) http.Handler {
	mux := http.NewServeMux()
	waiting := make(chan struct{}, 1)
	mux.HandleFunc("GET /profile/{kind}", func(w http.ResponseWriter, r *http.Request) { profile(w, r, waiting, quit) })
	mux.Handle("GET /metrics", o.Metrics)
	mux.HandleFunc("GET /about", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		_ = e.Encode(about(o)) // whoever asked is gone
	})
	return mux
}

func about(o Options) About {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	a := About{
		Version: o.Version, Go: runtime.Version(), Started: o.Started, Goroutines: runtime.NumGoroutine(), CPUs: runtime.GOMAXPROCS(0), HeapBytes: m.HeapAlloc,
		Settings: o.Settings,
	}
	if built, ok := debug.ReadBuildInfo(); ok {
		for _, d := range built.Deps {
			a.Modules = append(a.Modules, d.Path+" "+d.Version)
		}
	}
	return a
}

// profile writes a profile as the tools of Go read it; the stacks of goroutines as text with ?text=1.
func profile(w http.ResponseWriter, r *http.Request, waiting chan struct{}, quit <-chan struct{}) {
	kind := r.PathValue("kind")
	w.Header().Set("Content-Type", "application/octet-stream")
	start, end := timed(kind, w, waiting)
	if start == nil {
		p := pprof.Lookup(kind)
		if p == nil {
			http.Error(w, fmt.Sprintf("there is no profile %q; there are %v", kind, Kinds()), http.StatusNotFound)
			return
		}
		_ = p.WriteTo(w, format(r)) // whoever asked is gone
		return
	}
	seconds, err := strconv.Atoi(r.FormValue("seconds"))
	if err != nil || seconds < 1 || seconds > MaxSeconds {
		http.Error(w, fmt.Sprintf("say how many seconds it takes, from 1 to %d", MaxSeconds), http.StatusBadRequest)
		return
	}
	if err := start(); err != nil {
		http.Error(w, "somebody else is taking one: "+err.Error(), http.StatusConflict)
		return
	}
	timer := time.NewTimer(time.Duration(seconds) * time.Second)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-quit:
	case <-r.Context().Done():
	}
	end(format(r))
}

// format is how a profile is written: 2 for text.
func format(r *http.Request) int {
	if r.FormValue("text") != "" {
		return 2
	}
	return 0
}

var errTaken = errors.New("profiles of waiting are taken one at a time")

// timed returns how to begin and to end a profile that takes time, nil for one that is known at once. What waits is not noted unless somebody
// asks: it costs every lock a little.
func timed(kind string, w http.ResponseWriter, waiting chan struct{}) (start func() error, end func(format int)) {
	const (
		contended = 10     // one of as many events is noted
		blocked   = 10_000 // nanoseconds of waiting for each sample
	)
	var rate func(on bool)
	switch kind {
	case "cpu":
		return func() error { return pprof.StartCPUProfile(w) }, func(int) { pprof.StopCPUProfile() }
	case "trace":
		return func() error { return trace.Start(w) }, func(int) { trace.Stop() }
	case "mutex":
		rate = func(on bool) { runtime.SetMutexProfileFraction(map[bool]int{true: contended}[on]) }
	case "block":
		rate = func(on bool) { runtime.SetBlockProfileRate(map[bool]int{true: blocked}[on]) }
	default:
		return nil, nil
	}
	return func() error {
			select {
			case waiting <- struct{}{}:
				rate(true)
				return nil
			default:
				return errTaken
			}
		}, func(format int) {
			_ = pprof.Lookup(kind).WriteTo(w, format) // whoever asked is gone
			rate(false)
			<-waiting
		}
}
