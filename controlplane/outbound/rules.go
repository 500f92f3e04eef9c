package outbound

import "net/netip"

// Reason says why an address is refused; empty when it is one of the public internet.
func Reason(ip netip.Addr) string {
	if !ip.IsValid() || ip.Zone() != "" {
		return "of one link only"
	}
	ip = ip.Unmap() // ::ffff:127.0.0.1 is 127.0.0.1 to the system
	for _, r := range rules() {
		if r.network.Contains(ip) {
			return r.reason
		}
	}
	if inner, how, ok := embedded(ip); ok {
		if reason := Reason(inner); reason != "" {
			return how + " for " + inner.String() + ", which is " + reason
		}
	}
	if ip.Is6() && !netip.MustParsePrefix("2000::/3").Contains(ip) && !netip.MustParsePrefix("64:ff9b::/96").Contains(ip) {
		return "not of the public internet"
	}
	return ""
}

// Reasons that do not count for servers of the operator's own.
const (
	thisHost = "this host"
	private  = "private"
	shared   = "shared by customers of a provider"
)

type rule struct {
	network netip.Prefix
	reason  string
}

// rules are the special-purpose registries of IANA, and the metadata services that lie outside them.
func rules() []rule {
	var out []rule
	for _, r := range []struct{ network, reason string }{
		{"169.254.169.254/32", "the metadata service of a cloud"},
		{"169.254.170.2/32", "the metadata service of a cloud"},
		{"169.254.170.23/32", "the metadata service of a cloud"},
		{"fd00:ec2::/32", "the metadata service of a cloud"},
		{"fd20:ce::/32", "the metadata service of a cloud"},
		{"100.100.100.200/32", "the metadata service of a cloud"},
		{"168.63.129.16/32", "the metadata service of a cloud"},
		{"192.0.0.192/32", "the metadata service of a cloud"},
		{"0.0.0.0/8", thisHost},
		{"127.0.0.0/8", thisHost},
		{"::/128", thisHost},
		{"::1/128", thisHost},
		{"10.0.0.0/8", private},
		{"172.16.0.0/12", private},
		{"192.168.0.0/16", private},
		{"fc00::/7", private},
		{"fec0::/10", private},
		{"100.64.0.0/10", shared},
		{"169.254.0.0/16", "of one link only"},
		{"fe80::/10", "of one link only"},
		{"192.0.0.0/24", "reserved"},
		{"192.0.2.0/24", "an example"},
		{"198.51.100.0/24", "an example"},
		{"203.0.113.0/24", "an example"},
		{"2001:db8::/32", "an example"},
		{"3fff::/20", "an example"},
		{"198.18.0.0/15", "for benchmarks"},
		{"2001:2::/48", "for benchmarks"},
		{"192.88.99.0/24", "reserved"},
		{"224.0.0.0/4", "multicast"},
		{"ff00::/8", "multicast"},
		{"240.0.0.0/4", "reserved"},
		{"100::/64", "reserved"},
		{"64:ff9b:1::/48", "a translation into a private network"},
		{"2001:10::/28", "reserved"},
		{"2001:20::/28", "reserved"},
		{"5f00::/16", "reserved"},
	} {
		out = append(out, rule{netip.MustParsePrefix(r.network), r.reason})
	}
	return out
}

// embedded returns the IPv4 address that a translator or tunnel takes out of one of IPv6.
func embedded(ip netip.Addr) (inner netip.Addr, how string, ok bool) {
	if !ip.Is6() {
		return netip.Addr{}, "", false
	}
	b := ip.As16()
	at := func(i int) netip.Addr { return netip.AddrFrom4([4]byte(b[i : i+4])) }
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(ip):
		return at(12), "a translation (NAT64)", true
	case netip.MustParsePrefix("2002::/16").Contains(ip):
		return at(2), "a tunnel (6to4)", true
	case netip.MustParsePrefix("2001::/32").Contains(ip): // Teredo: the client's address is inverted
		return netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]}), "a tunnel (Teredo)", true
	case netip.MustParsePrefix("::/96").Contains(ip):
		return at(12), "an old form", true
	case b[8]&^3 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe:
		return at(12), "a tunnel (ISATAP)", true
	}
	return netip.Addr{}, "", false
}
