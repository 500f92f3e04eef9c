// Package outbound is the one way by which the control plane asks other servers for something: webhooks, chat, git hosts, identity providers.
//
// Those addresses come from people of organizations, who must not reach by them what only the control plane can: the metadata service of its
// cloud, databases beside it, other pods. What counts is the address that is dialled, after names were resolved: so a name that changes its
// mind between a check and the connection gains nothing.
package outbound

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// Limits of a request that its maker did not choose.
const (
	Timeout = 10 * time.Second // for all of it, redirects and body included
	MaxBody = 64 << 10         // of an answer, in bytes

	dialTimeout  = 5 * time.Second
	headTimeout  = 8 * time.Second
	maxHead      = 64 << 10
	maxRedirects = 3
	idleConns    = 16
	idleLife     = 30 * time.Second
)

// Options are what an operator decides. The zero value reaches the public internet by the ports of HTTP and HTTPS and nothing else.
type Options struct {
	// Allow are networks that are reached although the rules refuse them, by any port: a git host or an identity provider of one's own.
	Allow []netip.Prefix
	// Ports may be dialled beyond those networks; those of DefaultPorts when nil.
	Ports []string
	// Proxy is the proxy that all requests go through; nil for none. The environment is not asked. The proxy is dialled whatever its address,
	// and it is the proxy that then has to refuse private addresses: names are resolved there.
	Proxy *url.URL
	// Timeout and MaxBody replace the constants when they are not zero.
	Timeout time.Duration
	MaxBody int64
	// Redirects says whether to follow redirects, each under the same rules. Webhooks do not.
	Redirects bool
	// Resolver replaces the system's in tests.
	Resolver Resolver
}

// Resolver finds the addresses of a name. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// RefusedError is why an address was not dialled.
type RefusedError struct {
	Address string // as it was dialled
	Reason  string
}

// Error says it.
func (r *RefusedError) Error() string {
	return fmt.Sprintf("the address %s is refused: it is %s", r.Address, r.Reason)
}

// New returns the client. Its answers end with an error after MaxBody bytes; a refused address is fault.Invalid and wraps a *RefusedError.
func New(o Options) *http.Client {
	d := &dialer{rules: Rules{Allow: o.Allow, Ports: o.Ports}, resolver: o.Resolver}
	if d.resolver == nil {
		d.resolver = net.DefaultResolver
	}
	transport := &http.Transport{
		Proxy: nil, DialContext: d.dial, ForceAttemptHTTP2: true, TLSHandshakeTimeout: dialTimeout, ResponseHeaderTimeout: headTimeout,
		MaxResponseHeaderBytes: maxHead, MaxIdleConns: idleConns, MaxIdleConnsPerHost: 2, IdleConnTimeout: idleLife,
	}
	if o.Proxy != nil {
		transport.Proxy = http.ProxyURL(o.Proxy)
		transport.DialContext = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	client := &http.Client{Transport: &bounded{transport, cmp.Or(o.MaxBody, MaxBody)}, Timeout: cmp.Or(o.Timeout, Timeout)}
	client.CheckRedirect = func(to *http.Request, via []*http.Request) error {
		switch {
		case !o.Redirects:
			return http.ErrUseLastResponse
		case len(via) > maxRedirects:
			return fmt.Errorf("more than %d redirects", maxRedirects)
		case via[0].URL.Scheme == "https" && to.URL.Scheme != "https":
			return errors.New("a redirect from https to plaintext")
		}
		return nil
	}
	return client
}

// Address returns the address of a host that may be dialled at a port, for clients that dial by themselves. They have to dial it and not the
// name, which may mean another one by then. Behind a proxy there is none.
func (o Options) Address(ctx context.Context, host, port string) (netip.Addr, error) {
	if o.Proxy != nil {
		return netip.Addr{}, fault.New(fault.Invalid, "the control plane reaches other servers through a proxy for https alone")
	}
	d := &dialer{rules: Rules{Allow: o.Allow, Ports: o.Ports}, resolver: o.Resolver}
	if d.resolver == nil {
		d.resolver = net.DefaultResolver
	}
	all, err := d.resolve(ctx, host)
	if err != nil {
		return netip.Addr{}, err
	}
	for _, ip := range all {
		if err := d.rules.judge(ip, port); err != nil {
			return netip.Addr{}, err
		}
	}
	return all[0], nil
}

// DefaultPorts are those of HTTP and HTTPS.
func DefaultPorts() []string { return []string{"80", "443", "8080", "8443"} }

// Rules are what an operator decides about addresses.
type Rules struct {
	Allow []netip.Prefix // as in Options
	Ports []string       // as in Options

	own bool // this host and private networks may be reached
}

// Relay returns what dials a server that the operator has named, at one port. The operator's own mail server is often on the same host or in a
// private network, and it is no person of an organization who says where it is, so that these are reached. What never is a server of one's own
// is refused all the same, whatever its name means by now: the metadata service of a cloud, multicast, what is reserved.
func Relay(port string) func(ctx context.Context, network, address string) (net.Conn, error) {
	d := &dialer{rules: Rules{Ports: []string{port}, own: true}, resolver: net.DefaultResolver}
	return d.dial
}

// Check says early, to whoever enters an address, what is wrong with it: the form, the port, an address in place of a name. It is a
// courtesy: names are judged when they are dialled.
func (r Rules) Check(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return fault.New(fault.Invalid, "%q is not of the form https://host/path", address)
	case u.User != nil:
		return fault.New(fault.Invalid, "the address has a user name or password in it").WithHint("Give the secret where it is asked for.")
	}
	port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	if ip, ok := literal(u.Hostname()); ok {
		return r.judge(ip, port)
	}
	if reason := r.portReason(port); reason != "" && len(r.Allow) == 0 { // otherwise the name may be of a network that is allowed
		return refused(&RefusedError{u.Host, reason})
	}
	return nil
}

func (r Rules) portReason(port string) string {
	allowed := r.Ports
	if allowed == nil {
		allowed = DefaultPorts()
	}
	if slices.Contains(allowed, port) {
		return ""
	}
	return "of port " + port + ", and requests go to the ports " + strings.Join(allowed, ", ") + " only"
}

// judge refuses what the rules refuse and the operator does not allow.
func (r Rules) judge(ip netip.Addr, port string) error {
	for _, p := range r.Allow {
		if p.Contains(ip.Unmap()) {
			return nil
		}
	}
	reason := Reason(ip)
	if r.own && slices.Contains([]string{thisHost, private, shared}, reason) {
		reason = ""
	}
	if reason = cmp.Or(reason, r.portReason(port)); reason != "" {
		return refused(&RefusedError{net.JoinHostPort(ip.String(), port), reason})
	}
	return nil
}

func refused(r *RefusedError) error {
	return fault.Wrap(fault.Invalid, r, "the control plane does not connect there").
		WithHint("An operator can allow a network of one's own with --outbound-allow.")
}

// dialer connects to what its rules let it.
type dialer struct {
	rules    Rules
	resolver Resolver
}

// dial resolves a name, refuses when any of its addresses is refused, and dials those that were judged and no others. The system judges
// again, right before it connects, by what it was really given.
func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", address, err)
	}
	all, err := d.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	for _, ip := range all {
		if err := d.rules.judge(ip, port); err != nil {
			return nil, err
		}
	}
	to := net.Dialer{Timeout: dialTimeout, ControlContext: d.control}
	var failed error
	for _, ip := range all {
		conn, err := to.DialContext(ctx, network, net.JoinHostPort(ip.String(), port))
		if err == nil {
			return conn, nil
		}
		failed = errors.Join(failed, err)
	}
	return nil, failed
}

func (d *dialer) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, ok := literal(host); ok {
		return []netip.Addr{ip}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	all, err := d.resolver.LookupNetIP(ctx, "ip", host)
	switch {
	case err != nil:
		return nil, fault.Wrap(fault.Unavailable, err, fmt.Sprintf("the name %q cannot be resolved", host))
	case len(all) == 0:
		return nil, fault.New(fault.Unavailable, "the name %q has no address", host)
	}
	return all, nil
}

// control is called with the address of a socket before it connects.
func (d *dialer) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") {
		return refused(&RefusedError{address, "no TCP"})
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("address %q: %w", address, err)
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return fmt.Errorf("address %q: %w", address, err)
	}
	return d.rules.judge(ip, port)
}

// literal reads a host that is an address: also in the forms that the C library knows, such as 0x7f.1, 0177.0.0.1 and 2130706433, which
// somebody's resolver may take for one.
func literal(host string) (netip.Addr, bool) {
	host = strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), ".")
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip, true
	}
	parts := strings.Split(host, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var whole uint64
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 0, 32)
		if err != nil || strings.ContainsAny(part, "_oObB") {
			return netip.Addr{}, false
		}
		size := 8
		if i == len(parts)-1 {
			size = 8 * (5 - len(parts))
		}
		if n >= 1<<size {
			return netip.Addr{}, false
		}
		whole = whole<<size | n
	}
	return netip.AddrFrom4([4]byte{byte(whole >> 24), byte(whole >> 16), byte(whole >> 8), byte(whole)}), true
}

// bounded ends answers that are too long.
type bounded struct {
	next http.RoundTripper
	max  int64
}

// RoundTrip asks.
func (b *bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err //nolint:wrapcheck // http.Client says of which request
	}
	res.Body = &bound{res.Body, b.max}
	return res, nil
}

// ErrTooLong ends the body of an answer that is longer than allowed.
var ErrTooLong = errors.New("the answer is too long")

type bound struct {
	io.ReadCloser
	left int64
}

// Read reads while there is room.
func (b *bound) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, ErrTooLong
	}
	return n, err //nolint:wrapcheck // io.EOF is expected as it is
}
