package subject_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/agent/subject"
)

func TestDigest(t *testing.T) {
	t.Parallel()
	a := digest("a")
	for name, tc := range map[string]struct{ imageID, want, reason string }{
		"Containerd":   {"docker.io/library/nginx@" + a, a, "as containerd and CRI-O write it"},
		"Dockershim":   {"docker-pullable://nginx@" + a, a, "as cri-dockerd writes it"},
		"DockerLocal":  {"docker://" + a, a, "built on the node"},
		"Bare":         {a, a, "loaded without a registry"},
		"Port":         {"registry.test:5000/shop/web@" + a, a, "a port is no digest"},
		"Tagged":       {"shop/web:1@" + a, a, "a tag beside it"},
		"Upper":        {"x@sha256:" + strings.Repeat("A", 64), a, "one way to write it"},
		"None":         {"", "", "no image yet"},
		"Tag":          {"docker.io/library/nginx:1.27", "", "a tag is no digest"},
		"Short":        {"x@sha256:abc", "", "cut off"},
		"Long":         {"x@" + a + "0", "", "something follows"},
		"NotHex":       {"x@sha256:" + strings.Repeat("g", 64), "", "not hexadecimal"},
		"Embedded":     {"xsha256:" + strings.Repeat("a", 64), "", "part of a name"},
		"SHA512":       {"x@sha512:" + strings.Repeat("a", 128), "", "another algorithm"},
		"Multibyte":    {"x@sha256:" + strings.Repeat("é", 32), "", "sixty-four bytes that are no digits"},
		"ShortThenAll": {"sha256:ab@" + a, a, "the last one names the image"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, ok := subject.Digest(tc.imageID); got != tc.want || ok != (tc.want != "") {
				t.Errorf("%q, %t: %s", got, ok, tc.reason)
			}
		})
	}
}

func FuzzDigest(f *testing.F) {
	for _, s := range []string{"docker.io/library/nginx@" + digest("a"), "docker-pullable://nginx@" + digest("b"), digest("c"), "x:1", ""} {
		f.Add(s)
	}
	form := regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	f.Fuzz(func(t *testing.T, imageID string) {
		got, ok := subject.Digest(imageID)
		if ok != form.MatchString(got) || !ok && got != "" {
			t.Errorf("%q, %t of %q", got, ok, imageID)
		}
		if again, _ := subject.Digest(got); again != got {
			t.Errorf("%q becomes %q", got, again)
		}
	})
}
