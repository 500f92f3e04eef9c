package redact_test

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/agent/redact"
)

func TestOfFile(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		reason, file, content string
		want                  []string
	}{
		"Value":     {"one value, without the end of its line", "password", "hunter2-hunter2\r\n", []string{"hunter2-hunter2"}},
		"Env":       {"a program that reads the file prints one of its values", ".env", "DB_USER=postgres\nexport DB_PASSWORD='hunter2'\nDEBUG=false\n", []string{"DB_USER=postgres\nexport DB_PASSWORD='hunter2'\nDEBUG=false", "hunter2"}},
		"YAML":      {"as in a kubeconfig", "config", "users:\n- token: abcdefgh\n  name: kubernetes-admin9\n", []string{"users:\n- token: abcdefgh\n  name: kubernetes-admin9", "abcdefgh", "kubernetes-admin9"}},
		"JSON":      {"as in a key of a cloud", "key.json", `{"type": "service", "private_key_id": "zyxwvu", "more": [{"token": "unsaid"}]}`, []string{`{"type": "service", "private_key_id": "zyxwvu", "more": [{"token": "unsaid"}]}`, "unsaid", "zyxwvu"}},
		"Public":    {"everybody may know it, and the mask would be everywhere", "namespace", "default-namespace", nil},
		"Authority": {"a certificate is no secret", "ca.crt", "-----BEGIN CERTIFICATE-----", nil},
		"Binary":    {"a large one is in no log", "truststore.p12", "\x00" + strings.Repeat("x", 9<<10), nil},
		"Small":     {"a small one may be a key", "key", "\x00\x01\x02\x03\x04\x05", []string{"\x00\x01\x02\x03\x04\x05"}},
	} {
		got := redact.OfFile(tc.file, []byte(tc.content))
		if len(got) > 1 {
			slices.Sort(got[1:])
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: %s (-want +got):\n%s", name, tc.reason, diff)
		}
	}
}

// TestVariants_Bounded holds that large secrets cost bounded memory, that what is not hidden is counted, and that single values come
// before the forms of large ones.
func TestVariants_Bounded(t *testing.T) { //nolint:paralleltest // it measures memory
	var bundle strings.Builder
	for i := range 40_000 {
		bundle.WriteString(strings.Repeat(string(rune('a'+i%26)), 20) + strings.Repeat(string(rune('a'+i/26%26)), 20) + strings.Repeat(string(rune('a'+i/676)), 24) + "\n")
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	patterns, left := redact.Variants([]string{"hunter2-hunter2", bundle.String()})
	set := redact.Compile(patterns)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if mib := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) >> 20; mib > 64 {
		t.Errorf("the set takes %d MiB", mib)
	}
	if left != 1 {
		t.Errorf("%d values are left, want the bundle", left)
	}
	if got := set.String("hunter2-hunter2"); got != redact.Mask {
		t.Errorf("the small value is not hidden: %q", got)
	}
}

// TestRedactor_Use hides more in the midst of a stream, also where what is new to it has begun already.
func TestRedactor_Use(t *testing.T) {
	t.Parallel()
	common := []string{"first-one", "hunter2-abc", "abc-token"}
	first, second := redact.Compile(common), redact.Compile(append(common, "first-two", "second-one"))
	for name, tc := range map[string]struct{ before, after, want string }{
		"Between":  {"a first-one, second-one; ", "second-one", "a ***, second-one; ***"},
		"AtTheEnd": {"a first-one", "second-one b", "a *** b"},
		"Begun":    {"a first-", "two b", "a *** b"},
		"Covered":  {"a hunter2-abc-", "b", "a ***-b"},
		"GoesOn":   {"a first-o", "ne b", "a *** b"},
	} {
		r := first.Stream()
		out := r.Append(nil, []byte(tc.before))
		r.Use(second)
		out = r.Flush(r.Append(out, []byte(tc.after)))
		if got := string(out); got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}
