package sim

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

var errReset = errors.New("connection reset by the simulation")

// pipe is one direction of a connection. It takes any number of bytes: flow control is that of HTTP/2 above.
type pipe struct {
	mu       sync.Mutex
	buf      bytes.Buffer
	err      error // what the reader gets once buf is empty
	deaf     bool  // what is written goes nowhere
	deadline time.Time
	changed  chan struct{}
}

func newPipe() *pipe { return &pipe{changed: make(chan struct{})} }

// change wakes the reader; the caller holds the lock.
func (p *pipe) change() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *pipe) read(b []byte) (int, error) {
	for {
		p.mu.Lock()
		if p.buf.Len() > 0 {
			n, _ := p.buf.Read(b) // not empty, so it never fails
			p.mu.Unlock()
			return n, nil
		}
		err, changed, deadline := p.err, p.changed, p.deadline
		p.mu.Unlock()
		if err != nil {
			return 0, err
		}
		if deadline.IsZero() {
			<-changed
			continue
		}
		left := time.Until(deadline)
		if left <= 0 {
			return 0, os.ErrDeadlineExceeded
		}
		timer := time.NewTimer(left)
		select {
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (p *pipe) write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return 0, io.ErrClosedPipe
	}
	if !p.deaf {
		p.buf.Write(b)
		p.change()
	}
	return len(b), nil
}

// end lets the reader have what is buffered, unless that is lost, and then an error.
func (p *pipe) end(err error, lost bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.deaf && !lost {
		return // nobody hears of the end
	}
	if lost {
		p.buf.Reset()
	}
	if p.err == nil {
		p.err = err
		p.change()
	}
}

func (p *pipe) setDeaf(deaf bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaf = deaf
}

func (p *pipe) setDeadline(t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deadline = t
	p.change()
}

// cable is a connection between two parties.
type cable struct {
	from, to owner
	up, down *pipe
}

// cut ends it for both sides at once.
func (c *cable) cut() {
	c.up.end(errReset, true)
	c.down.end(errReset, true)
}

// deafen makes bytes vanish in one direction or both, without anybody being told.
func (c *cable) deafen(up, down bool) {
	c.up.setDeaf(up)
	c.down.setDeaf(down)
}

// end is one end of a cable.
type end struct {
	in, out *pipe
}

func (e *end) Read(b []byte) (int, error)  { return e.in.read(b) }
func (e *end) Write(b []byte) (int, error) { return e.out.write(b) }

// Close implements net.Conn.
func (e *end) Close() error {
	e.out.end(io.EOF, false)
	e.in.end(net.ErrClosed, true)
	return nil
}

func (e *end) LocalAddr() net.Addr               { return address("sim") }
func (e *end) RemoteAddr() net.Addr              { return address("sim") }
func (e *end) SetReadDeadline(t time.Time) error { e.in.setDeadline(t); return nil }
func (e *end) SetWriteDeadline(time.Time) error  { return nil } // writing never waits
func (e *end) SetDeadline(t time.Time) error     { return e.SetReadDeadline(t) }

type address string

func (a address) Network() string { return "sim" }
func (a address) String() string  { return string(a) }

// listener hands the far ends of cables to a server.
type listener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newListener() *listener {
	return &listener{conns: make(chan net.Conn, 64), done: make(chan struct{})}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return address("sim") }

// network knows all cables there are.
type network struct {
	mu               sync.Mutex
	cables           map[*cable]struct{}
	deafUp, deafDown map[string]bool // by the name of the host at the near end
}

func newNetwork() *network {
	return &network{cables: map[*cable]struct{}{}, deafUp: map[string]bool{}, deafDown: map[string]bool{}}
}

// dial lays a cable to a listener.
func (n *network) dial(from, to owner, l *listener) (net.Conn, error) {
	if to.gone() || from.gone() {
		return nil, errReset
	}
	c := &cable{from: from, to: to, up: newPipe(), down: newPipe()}
	n.mu.Lock()
	c.deafen(n.deafUp[from.host()], n.deafDown[from.host()])
	n.cables[c] = struct{}{}
	n.mu.Unlock()
	select {
	case l.conns <- &end{in: c.up, out: c.down}:
		return &end{in: c.down, out: c.up}, nil
	case <-l.done:
		return nil, errReset
	}
}

// each does something to the cables of a party.
func (n *network) each(of owner, do func(*cable)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.cables {
		if c.from == of || c.to == of {
			do(c)
		}
	}
}

// cutAll cuts the cables of a party, which is gone or has lost them, and forgets them.
func (n *network) cutAll(of owner) {
	n.each(of, func(c *cable) {
		c.cut()
		delete(n.cables, c)
	})
}

// partition makes bytes of the cables from a host vanish, those of new ones too, until it is called again.
func (n *network) partition(host string, up, down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	was := n.deafUp[host] || n.deafDown[host]
	n.deafUp[host], n.deafDown[host] = up, down
	if !was && !up && !down {
		return
	}
	for c := range n.cables {
		if c.from.host() != host {
			continue
		}
		if !up && !down { // what vanished is missing in the middle: no peer would go on with that
			c.cut()
			delete(n.cables, c)
			continue
		}
		c.deafen(up, down)
	}
}
