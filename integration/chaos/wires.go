package chaos

import (
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// wire is what the connections to one server pass.
type wire struct {
	proxy  *toxiproxy.Proxy
	mu     sync.Mutex
	toxics []string
}

// newWire returns a wire to an address, until the test ends.
func newWire(tb testing.TB, name, to string) *wire {
	tb.Helper()
	zerolog.SetGlobalLevel(zerolog.Disabled) // some toxics have a log of their own
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	w := &wire{proxy: toxiproxy.NewProxy(server, name, "127.0.0.1:0", to)}
	if err := w.proxy.Start(); err != nil {
		tb.Fatalf("wire to %s: %v", name, err)
	}
	tb.Cleanup(w.proxy.Stop)
	return w
}

func (w *wire) address() string { return w.proxy.Listen }

// cut ends all connections and takes no other.
func (w *wire) cut() { w.proxy.Stop() }

// mend undoes cut.
func (w *wire) mend(tb testing.TB) {
	tb.Helper()
	if err := w.proxy.Start(); err != nil {
		tb.Errorf("mend the wire to %s: %v", w.proxy.Name, err)
	}
}

// Directions of a wire.
const (
	up   = "upstream"   // towards the server
	down = "downstream" // from it
)

// spoil makes a direction behave in a bad way, that of a toxic of toxiproxy.
func (w *wire) spoil(tb testing.TB, toxic, direction string, attributes map[string]any) {
	tb.Helper()
	name := toxic + " " + direction
	text, err := json.Marshal(map[string]any{"name": name, "type": toxic, "stream": direction, "attributes": attributes})
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := w.proxy.Toxics.AddToxicJson(strings.NewReader(string(text))); err != nil {
		tb.Errorf("spoil the wire to %s: %v", w.proxy.Name, err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.toxics = append(w.toxics, name)
}

// clean undoes spoil.
func (w *wire) clean(tb testing.TB) {
	tb.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range w.toxics {
		if err := w.proxy.Toxics.RemoveToxic(context.WithoutCancel(tb.Context()), name); err != nil {
			tb.Errorf("clean the wire to %s: %v", w.proxy.Name, err)
		}
	}
	w.toxics = nil
}

// balance returns an address behind which is one of some servers for each connection, as a Service of Kubernetes does it: at random among
// those that take connections. It ends with the test.
func balance(tb testing.TB, servers func() []string) (address string) {
	tb.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	var work sync.WaitGroup
	work.Go(func() {
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			work.Go(func() { pick(ctx, conn, servers()) })
		}
	})
	tb.Cleanup(func() {
		cancel()
		_ = lis.Close() // nothing is written to it
		work.Wait()
	})
	return lis.Addr().String()
}

// pick joins a connection with one of some servers until either side ends it.
func pick(ctx context.Context, conn net.Conn, servers []string) {
	defer conn.Close()
	rand.Shuffle(len(servers), func(i, j int) { servers[i], servers[j] = servers[j], servers[i] })
	for _, address := range servers {
		other, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			continue
		}
		defer other.Close()
		stop := context.AfterFunc(ctx, func() {
			_ = conn.Close()
			_ = other.Close()
		})
		defer stop()
		done := make(chan struct{}, 2)
		for _, way := range [][2]net.Conn{{conn, other}, {other, conn}} {
			go func() {
				_, _ = io.Copy(way[0], way[1])
				done <- struct{}{}
			}()
		}
		<-done
		return
	}
}
