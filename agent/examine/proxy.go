package examine

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
)

// proxy returns what stands between the agent and the control plane; nil for nothing.
func (e *Examiner) proxy(ctx context.Context) (*url.URL, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodConnect, "https://"+e.o.Address, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("find the proxy: %w", err)
	}
	return e.o.Proxy(r)
}

// dial connects to the control plane's address the way that the agent's connection goes.
func (e *Examiner) dial(ctx context.Context) (net.Conn, error) {
	through, err := e.proxy(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the proxy: %w", err)
	}
	var dialer net.Dialer
	if through == nil {
		return dialer.DialContext(ctx, "tcp", e.o.Address) //nolint:wrapcheck // says what it is about
	}
	conn, err := dialer.DialContext(ctx, "tcp", through.Host)
	if err != nil {
		return nil, fmt.Errorf("reach the proxy: %w", err)
	}
	if err := tunnel(ctx, conn, e.o.Address, through); err != nil {
		return nil, errors.Join(fmt.Errorf("proxy %s: %w", through.Host, err), conn.Close())
	}
	return conn, nil
}

// tunnel asks a proxy to let everything through to an address.
func tunnel(ctx context.Context, conn net.Conn, address string, through *url.URL) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // ends what waits for it
	defer stop()
	r := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if u := through.User; u != nil {
		password, _ := u.Password()
		r.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
	if err := r.Write(conn); err != nil {
		return err //nolint:wrapcheck // the caller says of what
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		return err //nolint:wrapcheck // the caller says of what
	}
	if err := res.Body.Close(); err != nil {
		return err //nolint:wrapcheck // the caller says of what
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s to CONNECT", res.Status)
	}
	return nil
}
