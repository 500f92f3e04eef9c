package e2e_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/seatrial/seatrial/integration/harness"
)

// gate lets a test decide when a step in a pod goes on: the step fetches an address and waits for the answer.
type gate struct {
	url string

	mu      sync.Mutex
	doors   map[string]chan struct{}
	reached map[string]chan struct{}
	visits  map[string]int
}

func newGate(tb testing.TB) *gate {
	tb.Helper()
	g := &gate{doors: map[string]chan struct{}{}, reached: map[string]chan struct{}{}, visits: map[string]int{}}
	g.url = harness.Serve(tb, g)
	return g
}

func (g *gate) channels(name string) (door, reached chan struct{}) {
	if g.doors[name] == nil {
		g.doors[name], g.reached[name] = make(chan struct{}), make(chan struct{})
	}
	return g.doors[name], g.reached[name]
}

// ServeHTTP answers a step once the test has opened its door.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	door, reached := g.channels(r.URL.Path)
	if g.visits[r.URL.Path]++; g.visits[r.URL.Path] == 1 {
		close(reached)
	}
	g.mu.Unlock()
	select {
	case <-door:
	case <-r.Context().Done():
	}
	_, _ = fmt.Fprintln(w, "go")
}

// await returns when a step stands at the door.
func (g *gate) await(tb testing.TB, name string) {
	tb.Helper()
	g.mu.Lock()
	_, reached := g.channels("/" + name)
	g.mu.Unlock()
	select {
	case <-reached:
	case <-time.After(patience):
		tb.Fatalf("no step came to the door %s", name)
	}
}

// open lets whoever stands at the door go on, and everybody after.
func (g *gate) open(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	door, _ := g.channels("/" + name)
	close(door)
}

// count returns how often steps came to a door.
func (g *gate) count(name string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.visits["/"+name]
}

// wait is the line of a script that waits at a door.
func (g *gate) wait(name string) string {
	return `python3 -c 'import sys,urllib.request; urllib.request.urlopen(sys.argv[1]).read()' ` + g.url + "/" + name
}
