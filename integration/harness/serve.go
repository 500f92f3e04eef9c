package harness

import (
	"net"
	"net/http"
	"testing"
	"time"
)

// Serve serves on an address that pods reach until the test ends, and returns it.
func Serve(tb testing.TB, h http.Handler) (url string) {
	tb.Helper()
	lis, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		tb.Fatal(err)
	}
	_, port, err := net.SplitHostPort(lis.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(lis)
	}()
	tb.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return "http://" + net.JoinHostPort(Address(tb), port)
}
