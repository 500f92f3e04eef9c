package app

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// behind gives requests that come from a trusted proxy the address of the client, as the proxy says it in X-Forwarded-For. The header is
// read from its end, where trusted proxies write, up to the first address that is none of them: what stands before that is the client's
// own claim. Whoever is no trusted proxy is who the connection says.
func behind(trusted []netip.Prefix, next http.Handler) http.Handler {
	if len(trusted) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if client, ok := forwarded(trusted, r); ok {
			r = r.WithContext(r.Context()) // a copy: the server reads its own
			r.RemoteAddr = net.JoinHostPort(client.String(), "0")
		}
		next.ServeHTTP(w, r)
	})
}

func forwarded(trusted []netip.Prefix, r *http.Request) (client netip.Addr, ok bool) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !among(trusted, peer.Addr()) {
		return client, false
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil { // what a proxy of ours would not write ends what can be relied on
			return client, ok
		}
		client, ok = hop.Unmap().WithZone(""), true
		if !among(trusted, client) {
			return client, true
		}
	}
	return client, ok
}

func among(trusted []netip.Prefix, a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
