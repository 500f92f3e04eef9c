package harness

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
)

// Forward returns an address that pods reach, behind which is one that only this machine does, until the test ends.
func Forward(tb testing.TB, target string) (address string) {
	tb.Helper()
	lis, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background()) // the test's ends before what is cleaned up after it
	var work sync.WaitGroup
	work.Go(func() {
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			work.Go(func() { join(ctx, conn, target) })
		}
	})
	tb.Cleanup(func() {
		cancel()
		if err := lis.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			tb.Logf("close: %v", err)
		}
		work.Wait()
	})
	_, port, err := net.SplitHostPort(lis.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	return net.JoinHostPort(Address(tb), port)
}

// join copies both ways until one side has ended, or the context.
func join(ctx context.Context, conn net.Conn, target string) {
	defer conn.Close()
	other, err := (&net.Dialer{}).DialContext(ctx, "tcp", target)
	if err != nil {
		return
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
}
