package outbound_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/outbound"
)

// names resolves names as a test wants; each answer is of the next question.
type names struct {
	answers map[string][][]string
	asked   atomic.Int64
}

func (n *names) LookupNetIP(_ context.Context, _, host string) (out []netip.Addr, err error) {
	list := n.answers[strings.TrimSuffix(host, ".")]
	if list == nil {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	i := int(n.asked.Add(1)) - 1
	for _, a := range list[min(i, len(list)-1)] {
		out = append(out, netip.MustParseAddr(a))
	}
	return out, nil
}

// trap is a server that counts the connections it gets.
type trap struct {
	net.Listener
	got atomic.Int64
}

func (l *trap) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.got.Add(1)
	}
	return c, err
}

// lay listens on every address of this host.
func lay(t *testing.T, handler http.HandlerFunc) (l *trap, port string) {
	t.Helper()
	lis, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "[::]:0")
	if err != nil {
		t.Fatal(err)
	}
	l = &trap{Listener: lis}
	s := httptest.NewUnstartedServer(handler)
	_ = s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	_, port, err = net.SplitHostPort(lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return l, port
}

func get(t *testing.T, c *http.Client, address string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return "", err
	}
	res, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return string(body), err
}

// corpus are hosts that must not be reached, each with the trick.
func corpus() map[string]string {
	return map[string]string{
		"127.0.0.1": "loopback", "127.8.9.10": "all of the network is", "0.0.0.0": "the system takes it for loopback", "[::1]": "loopback", "[::]": "unspecified",
		"127.1": "short form", "127.0.1": "short form", "2130706433": "decimal", "017700000001": "octal", "0x7f000001": "hexadecimal", "0x7f.0x0.0x0.0x1": "hexadecimal by part",
		"0177.0.0.1": "octal part", "0177.0x0.1": "mixed", "127.0.0.1.": "final dot", "①②⑦.⓪.⓪.①": "digits that are normalised",
		"[::ffff:127.0.0.1]": "IPv4-mapped", "[::ffff:7f00:1]": "IPv4-mapped in hexadecimal", "[::127.0.0.1]": "IPv4-compatible", "[0:0:0:0:0:ffff:127.0.0.1]": "long form",
		"[64:ff9b::7f00:1]": "NAT64", "[64:ff9b::169.254.169.254]": "NAT64 of the metadata service", "[64:ff9b:1::1]": "local NAT64", "[2002:7f00:1::]": "6to4",
		"[2002:a9fe:a9fe::]": "6to4 of the metadata service", "[2001:0:4136:e378:8000:63bf:80ff:fffe]": "Teredo of loopback", "[fe80::5efe:7f00:1]": "ISATAP", "[2600:1::5efe:a9fe:a9fe]": "ISATAP of the metadata service",
		"169.254.169.254": "metadata", "2852039166": "metadata, decimal", "0xa9fea9fe": "metadata, hexadecimal", "0251.0376.0251.0376": "metadata, octal", "[::ffff:a9fe:a9fe]": "metadata, mapped",
		"[fd00:ec2::254]": "metadata", "[fd20:ce::254]": "metadata", "100.100.100.200": "metadata", "168.63.129.16": "metadata", "192.0.0.192": "metadata", "169.254.170.2": "metadata of containers",
		"10.0.0.1": "private", "172.16.0.1": "private", "172.31.255.255": "private", "192.168.1.1": "private", "100.64.0.1": "shared", "100.127.255.254": "shared", "[fc00::1]": "private", "[fd12:3456::1]": "private",
		"[fe80::1]": "link-local", "[fe80::1%25eth0]": "with a zone", "[fec0::1]": "site-local", "224.0.0.1": "multicast", "[ff02::1]": "multicast", "255.255.255.255": "broadcast", "240.0.0.1": "reserved",
		"192.0.2.1": "example", "198.51.100.1": "example", "203.0.113.1": "example", "198.18.0.1": "benchmarks", "192.88.99.1": "reserved", "[2001:db8::1]": "example", "[3fff::1]": "example", "[100::1]": "discard",
		"[4000::1]": "not assigned", "0.1.2.3": "this network",
		"localhost": "a name of loopback", "metadata.google.internal": "a name of the metadata service", "inside.example.test": "a name of a private address", "mapped.example.test": "a name of a mapped address",
		"both.example.test": "one good address does not excuse a bad one", "nat.example.test": "a name of a translated address",
	}
}

func resolver() *names {
	return &names{answers: map[string][][]string{
		"localhost": {{"127.0.0.1", "::1"}}, "metadata.google.internal": {{"169.254.169.254"}}, "inside.example.test": {{"10.1.2.3"}},
		"mapped.example.test": {{"::ffff:127.0.0.1"}}, "both.example.test": {{"93.184.216.34", "127.0.0.1"}}, "nat.example.test": {{"64:ff9b::a00:1"}},
	}}
}

// TestClient_Corpus asks for every address that must not be reached, by the port of a server that counts who comes.
func TestClient_Corpus(t *testing.T) {
	t.Parallel()
	l, port := lay(t, func(http.ResponseWriter, *http.Request) {})
	c := outbound.New(outbound.Options{Ports: []string{port}, Resolver: resolver()})
	for host, trick := range corpus() {
		_, err := get(t, c, "http://"+host+":"+port+"/")
		var refusal *outbound.RefusedError
		if !errors.As(err, &refusal) || !fault.Is(err, fault.Invalid) {
			t.Errorf("%s (%s): %v", host, trick, err)
		}
	}
	if n := l.got.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
	t.Logf("figures: %d addresses that must not be reached: %d connections", len(corpus()), l.got.Load())
	allowed := outbound.New(outbound.Options{Ports: []string{}, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Resolver: resolver()})
	for _, host := range []string{"127.0.0.1", "0x7f.1", "[::ffff:127.0.0.1]", "mapped.example.test"} {
		if _, err := get(t, allowed, "http://"+host+":"+port+"/"); err != nil {
			t.Errorf("%s is not reached though it is allowed: %v", host, err)
		}
	}
	if l.got.Load() == 0 {
		t.Error("the server counts nothing, so the test proves nothing")
	}
}

// TestClient_Rebinding has a name be of the public internet when it is checked, and of this host when it is dialled.
func TestClient_Rebinding(t *testing.T) {
	t.Parallel()
	l, port := lay(t, func(http.ResponseWriter, *http.Request) {})
	n := &names{answers: map[string][][]string{"turncoat.example.test": {{"127.0.0.1"}, {"::1"}, {"169.254.169.254"}, {"10.0.0.1"}}}}
	address := "http://turncoat.example.test:" + port + "/"
	rules := outbound.Rules{Ports: []string{port}}
	if err := rules.Check(address); err != nil {
		t.Fatalf("a name is judged before it is dialled: %v", err)
	}
	c := outbound.New(outbound.Options{Ports: rules.Ports, Resolver: n})
	for range 5 {
		var refusal *outbound.RefusedError
		if _, err := get(t, c, address); !errors.As(err, &refusal) {
			t.Errorf("not refused: %v", err)
		}
	}
	if n.asked.Load() != 5 || l.got.Load() != 0 {
		t.Errorf("resolved %d times for 5 requests, %d connections", n.asked.Load(), l.got.Load())
	}
}

// TestClient_Redirects has a server that is allowed send the client to one that is not.
func TestClient_Redirects(t *testing.T) {
	t.Parallel()
	secret, inside := lay(t, func(http.ResponseWriter, *http.Request) {})
	var to atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, to.Load().(string), http.StatusTemporaryRedirect)
	}))
	t.Cleanup(server.Close)
	outside, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	allow := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	for where, reason := range map[string]string{
		"http://127.0.0.2:" + inside: "another address of this host", "http://[::1]:" + inside: "the same host by IPv6", "http://169.254.169.254/latest/meta-data": "metadata",
		"ftp://127.0.0.1/": "another protocol", "file:///etc/passwd": "a file", server.URL: "for ever",
	} {
		to.Store(where)
		if _, err := get(t, outbound.New(outbound.Options{Allow: allow, Redirects: true, Ports: []string{inside}}), "http://"+outside.Host); err == nil {
			t.Errorf("a redirect to %s was followed: %s", where, reason)
		}
		if _, err := get(t, outbound.New(outbound.Options{Allow: allow}), "http://"+outside.Host); err != nil {
			t.Errorf("without following redirects to %s: %v", where, err)
		}
	}
	if n := secret.got.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

// TestClient_Bounds has a server send too much, and another that never ends.
func TestClient_Bounds(t *testing.T) {
	t.Parallel()
	stop := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/much":
			_, _ = w.Write(bytes.Repeat([]byte("x"), 2*outbound.MaxBody))
		case "/right":
			_, _ = w.Write(bytes.Repeat([]byte("x"), outbound.MaxBody))
		case "/long":
			w.Header().Set("X-Long", strings.Repeat("x", 1<<20))
		default:
			select {
			case <-stop:
			case <-r.Context().Done():
			}
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(stop) })
	allow := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	c := outbound.New(outbound.Options{Allow: allow})
	if body, err := get(t, c, server.URL+"/much"); !errors.Is(err, outbound.ErrTooLong) || len(body) != outbound.MaxBody {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	if body, err := get(t, c, server.URL+"/right"); err != nil || len(body) != outbound.MaxBody {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	if _, err := get(t, c, server.URL+"/long"); err == nil {
		t.Error("a head of a megabyte is taken")
	}
	if _, err := get(t, outbound.New(outbound.Options{Allow: allow, Timeout: 50 * time.Millisecond}), server.URL+"/never"); err == nil {
		t.Error("it waits for ever")
	}
}

// TestClient_Proxy proves that the environment names no proxy, and that the operator can.
func TestClient_Proxy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	l, port := lay(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.String()) })
	var refusal *outbound.RefusedError
	if _, err := get(t, outbound.New(outbound.Options{Resolver: resolver()}), "http://inside.example.test/"); !errors.As(err, &refusal) {
		t.Errorf("by the environment's proxy: %v", err)
	}
	proxy := &url.URL{Scheme: "http", Host: "127.0.0.1:" + port}
	if body, err := get(t, outbound.New(outbound.Options{Proxy: proxy}), "http://hooks.example.test/a"); err != nil || body != "http://hooks.example.test/a" || l.got.Load() != 1 {
		t.Errorf("%q, %v, %d connections", body, err, l.got.Load())
	}
}

func TestRules_Check(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		address string
		rules   outbound.Rules
		fine    bool
		reason  string
	}{
		"Public":      {"https://hooks.example.test/a?b", outbound.Rules{}, true, "a name"},
		"PublicIP":    {"https://93.184.216.34/", outbound.Rules{}, true, "an address of the internet"},
		"PublicIPv6":  {"https://[2606:2800:220:1:248:1893:25c8:1946]/", outbound.Rules{}, true, "an address of the internet"},
		"NAT64Public": {"https://[64:ff9b::5db8:d822]/", outbound.Rules{}, true, "where there is IPv6 only, this is how the internet is reached"},
		"Scheme":      {"ftp://example.test/", outbound.Rules{}, false, "HTTP only"},
		"NoHost":      {"https:///a", outbound.Rules{}, false, "nowhere"},
		"Password":    {"https://u:p@example.test/", outbound.Rules{}, false, "it would be in logs"},
		"Port":        {"https://example.test:6379/", outbound.Rules{}, false, "Redis understands some HTTP"},
		"OwnPort":     {"https://example.test:6379/", outbound.Rules{Ports: []string{"6379"}}, true, "the operator says so"},
		"Private":     {"https://10.0.0.1/", outbound.Rules{}, false, "private"},
		"Allowed":     {"https://10.0.0.1:3000/", outbound.Rules{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}}, true, "the operator says so"},
		"NotAllowed":  {"https://10.0.1.1/", outbound.Rules{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}}, false, "another network"},
		"Octal":       {"https://0177.0.0.1/", outbound.Rules{}, false, "loopback"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := tc.rules.Check(tc.address); (err == nil) != tc.fine || (err != nil && !fault.Is(err, fault.Invalid)) {
				t.Errorf("%s: %v: %s", tc.address, err, tc.reason)
			}
		})
	}
}

// FuzzReason looks for an address that is taken for a public one though the standard library knows better.
func FuzzReason(f *testing.F) {
	for host := range corpus() {
		if ip, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
			b := ip.As16()
			f.Add(b[:])
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		ip, ok := netip.AddrFromSlice(b)
		if !ok {
			return
		}
		bad := ip.Unmap()
		if (bad.IsLoopback() || bad.IsPrivate() || bad.IsLinkLocalUnicast() || bad.IsMulticast() || bad.IsUnspecified()) && outbound.Reason(ip) == "" {
			t.Errorf("%s is taken for a public address", ip)
		}
		if ip.Is4() && outbound.Reason(ip) != outbound.Reason(netip.AddrFrom16(ip.As16())) {
			t.Errorf("%s is another when it is mapped", ip)
		}
	})
}
