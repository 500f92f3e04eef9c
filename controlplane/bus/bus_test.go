package bus_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seatrial/seatrial/controlplane/bus"
	"github.com/seatrial/seatrial/controlplane/bus/bustest"
	"github.com/seatrial/seatrial/integration/harness"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLocal(t *testing.T) {
	t.Parallel()
	bustest.Run(t, func(*testing.T) (a, b bustest.Bus) {
		l := bus.NewLocal()
		return l, l
	})
}

func TestRedis(t *testing.T) {
	t.Parallel()
	addr := harness.Redis(t)
	bustest.Run(t, func(t *testing.T) (a, b bustest.Bus) {
		t.Helper()
		return open(t, addr), open(t, addr)
	})
}

func open(t *testing.T, addr string, options ...bus.Option) *bus.Redis {
	t.Helper()
	r, err := bus.NewRedis(t.Context(), "redis://"+addr, slog.New(slog.DiscardHandler), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func TestNewRedis_BadURL(t *testing.T) {
	t.Parallel()
	if _, err := bus.NewRedis(t.Context(), "http://somewhere", slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a URL that is not Redis's was taken")
	}
}

// TestRedis_Lost cuts the connection: hints within the replica go on, and when Redis is back every waiter looks once, even
// though nothing was published.
func TestRedis_Lost(t *testing.T) {
	t.Parallel()
	cable := newCable(t, harness.Redis(t))
	here, there := open(t, cable.addr()), open(t, harness.Redis(t))
	wake, cancel := here.Subscribe(t.Context(), "org/lost")
	defer cancel()
	bustest.Await(t, there, "org/lost", wake)

	cable.cut()
	bustest.Await(t, here, "org/lost", wake) // within the replica
	quiet, cancelQuiet := here.Subscribe(t.Context(), "org/quiet")
	defer cancelQuiet()
	cable.mend()
	<-quiet // nobody publishes about it
	bustest.Await(t, there, "org/lost", wake)
}

// TestRedis_Absent shows that a bus whose Redis was never there still works within the replica.
func TestRedis_Absent(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r := open(t, addr)
	wake, cancel := r.Subscribe(t.Context(), "org/x")
	defer cancel()
	bustest.Await(t, r, "org/x", wake)
}

// TestRedis_HalfOpen swallows all bytes of a connection that stays open: it is noticed and replaced, and nobody waits meanwhile.
func TestRedis_HalfOpen(t *testing.T) {
	t.Parallel()
	cable := newCable(t, harness.Redis(t))
	here, there := open(t, cable.addr(), bus.WithQuiet(50*time.Millisecond)), open(t, harness.Redis(t))
	topic := "org/" + t.Name()
	wake, cancel := here.Subscribe(t.Context(), topic)
	defer cancel()
	bustest.Await(t, there, topic, wake)

	cable.swallow()
	begun := time.Now()
	for i := range 3 * 4096 {
		here.Publish(t.Context(), topic+strconv.Itoa(i))
	}
	if took := time.Since(begun); took > time.Minute { // a wait for each of them would take far longer
		t.Errorf("publishing took %s: commits wait for it", took)
	}
	bustest.Await(t, there, topic, wake) // by a new connection, which the cable lets through
}

// cable is a TCP connection that can be cut and mended.
type cable struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	cuts  bool
	dead  *atomic.Bool // of the connections there are: their bytes are swallowed
	conns []net.Conn
	wg    sync.WaitGroup
}

func newCable(t *testing.T, target string) *cable {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{listener: l, target: target, dead: &atomic.Bool{}}
	c.wg.Go(c.accept)
	t.Cleanup(func() {
		_ = l.Close()
		c.cut()
		c.wg.Wait()
	})
	return c
}

func (c *cable) addr() string { return c.listener.Addr().String() }

func (c *cable) accept() {
	for {
		conn, err := c.listener.Accept()
		if err != nil {
			return
		}
		up, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", c.target)
		if err != nil || !c.keep(conn, up) {
			_ = conn.Close()
			if up != nil {
				_ = up.Close()
			}
			continue
		}
		dead := c.fate()
		c.wg.Go(func() { _, _ = io.Copy(valve{up, dead}, conn); _ = up.Close() })
		c.wg.Go(func() { _, _ = io.Copy(valve{conn, dead}, up); _ = conn.Close() })
	}
}

// valve swallows what is written once it is dead.
type valve struct {
	io.Writer
	dead *atomic.Bool
}

func (v valve) Write(p []byte) (int, error) {
	if v.dead.Load() {
		return len(p), nil
	}
	return v.Writer.Write(p)
}

func (c *cable) fate() *atomic.Bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead
}

// swallow makes the connections there are half open; new ones work.
func (c *cable) swallow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead.Store(true)
	c.dead = &atomic.Bool{}
}

func (c *cable) keep(conns ...net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cuts {
		return false
	}
	c.conns = append(c.conns, conns...)
	return true
}

func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cuts = true
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}

func (c *cable) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cuts = false
}
