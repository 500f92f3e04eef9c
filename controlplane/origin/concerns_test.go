package origin_test

import (
	"testing"

	"github.com/seatrial/seatrial/controlplane/origin"
)

func TestRepository_Concerns(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		url, own, path, branch string
		want                   bool
		reason                 string
	}{
		"Https":       {"https://git.example.test/acme/shop.git", "main", "acme/shop", "main", true, "the ending says nothing"},
		"Bare":        {"https://git.example.test/acme/shop", "main", "acme/shop", "main", true, "nor does its absence"},
		"SSH":         {"git@git.example.test:acme/shop.git", "main", "acme/shop", "main", true, "a colon begins the path"},
		"Case":        {"https://git.example.test/Acme/Shop/", "main", "acme/shop", "main", true, "forges do not tell apart"},
		"OtherBranch": {"https://git.example.test/acme/shop", "main", "acme/shop", "topic", false, "it is not read"},
		"OwnBranch":   {"https://git.example.test/acme/shop", "", "acme/shop", "trunk", true, "which one it is, the repository knows"},
		"Other":       {"https://git.example.test/acme/workshop", "main", "shop", "main", false, "a part of a name is none"},
		"Group":       {"https://git.example.test/big/acme/shop", "main", "acme/shop", "main", true, "a forge may be below a path"},
		"Nothing":     {"https://git.example.test/acme/shop", "main", "", "main", false, "nobody knows which"},
	} {
		r := origin.Repository{URL: tc.url, Branch: tc.own}
		if got := r.Concerns(tc.path, tc.branch); got != tc.want {
			t.Errorf("%s: %t: %s", name, got, tc.reason)
		}
	}
}
