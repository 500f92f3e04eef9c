package app

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestBehind(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	tests := map[string]struct {
		peer, header string
		want         string
		reason       string
	}{
		"Proxy":       {"10.1.1.1:5", "192.0.2.7", "192.0.2.7:0", "a trusted proxy says who it is"},
		"Chain":       {"10.1.1.1:5", "192.0.2.7, 10.2.2.2", "192.0.2.7:0", "several proxies of ours"},
		"Forged":      {"10.1.1.1:5", "127.0.0.1, 192.0.2.7", "192.0.2.7:0", "what the client wrote itself is not believed"},
		"Stranger":    {"198.51.100.9:5", "192.0.2.7", "198.51.100.9:5", "anybody can send the header"},
		"NoHeader":    {"10.1.1.1:5", "", "10.1.1.1:5", "the proxy says nothing"},
		"Nonsense":    {"10.1.1.1:5", "192.0.2.7, x", "10.1.1.1:5", "a proxy of ours writes addresses"},
		"OnlyProxies": {"10.1.1.1:5", "10.3.3.3", "10.3.3.3:0", "a client within the trusted network"},
		"IPv6":        {"[fd00::1]:5", "2001:db8::9", "[2001:db8::9]:0", "both families"},
		"Mapped":      {"[::ffff:10.1.1.1]:5", "::ffff:192.0.2.7", "192.0.2.7:0", "an IPv4 address in an IPv6 one"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := ""
			h := behind(trusted, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr }))
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			r.RemoteAddr = tc.peer
			if tc.header != "" {
				r.Header.Set("X-Forwarded-For", tc.header)
			}
			h.ServeHTTP(httptest.NewRecorder(), r)
			if got != tc.want {
				t.Errorf("%s, want %s: %s", got, tc.want, tc.reason)
			}
		})
	}
}
