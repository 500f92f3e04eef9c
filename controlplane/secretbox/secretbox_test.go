package secretbox_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/secretbox"
)

func load(t *testing.T, file string) *secretbox.Ring {
	t.Helper()
	r, err := secretbox.Load(file, true)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func seal(t *testing.T, b *secretbox.Box, place, value string) []byte {
	t.Helper()
	sealed, err := b.Seal(place, []byte(value))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestBox(t *testing.T) {
	t.Parallel()
	b := secretbox.New(load(t, filepath.Join(t.TempDir(), "keys")))
	sealed := seal(t, b, "row 1", "top secret")
	if !secretbox.Sealed(sealed) || bytes.Contains(sealed, []byte("secret ")) || bytes.Contains(sealed, []byte("top")) {
		t.Errorf("sealed %q", sealed)
	}
	if bytes.Equal(sealed, seal(t, b, "row 1", "top secret")) {
		t.Error("the same value is sealed to the same bytes: whoever sees both knows that they are the same")
	}
	if got, err := b.Open("row 1", sealed); err != nil || string(got) != "top secret" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := b.Open("row 2", sealed); !fault.Is(err, fault.Internal) || !strings.Contains(err.Error(), "row 2") {
		t.Errorf("a value of another row: %v", err)
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := b.Open("row 1", changed); err == nil {
			t.Fatalf("byte %d was changed and it opens", i)
		}
		if _, err := b.Open("row 1", sealed[:i]); err == nil {
			t.Fatalf("it opens when only %d bytes are left", i)
		}
	}
	if _, err := b.Open("row 1", []byte("plain")); err == nil || strings.Contains(err.Error(), "plain\"") {
		t.Errorf("plain text: %v", err)
	}
}

// TestBox_Rotation goes the way of an operator: a key is added, values are renewed, the old key is removed.
func TestBox_Rotation(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys")
	running := load(t, file)
	old := running.IDs()[0]
	server := secretbox.New(running)
	first, forgotten := seal(t, server, "a", "one"), seal(t, server, "b", "two")

	operator := load(t, file)
	id, err := operator.Grow()
	if err != nil || id == old {
		t.Fatalf("new key %q, %v", id, err)
	}
	renewed, changed, err := secretbox.New(operator).Renew("a", first)
	if err != nil || !changed {
		t.Fatalf("renew: %t, %v", changed, err)
	}
	if _, again, err := secretbox.New(operator).Renew("a", renewed); err != nil || again {
		t.Errorf("renewed twice: %v", err)
	}
	if _, _, err := secretbox.New(operator).Renew("b", first); err == nil {
		t.Error("renewed for another place")
	}
	if got, err := server.Open("a", renewed); err != nil || string(got) != "one" {
		t.Errorf("a running process does not get the new key: %q, %v", got, err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	newest, _, _ := strings.Cut(string(text), "\n")
	if err := os.WriteFile(file, []byte(newest+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	after := secretbox.New(load(t, file))
	if got, err := after.Open("a", renewed); err != nil || string(got) != "one" {
		t.Errorf("%q, %v", got, err)
	}
	_, err = after.Open("b", forgotten)
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Unavailable || !strings.Contains(f.Message, old) || !strings.Contains(f.Hint, "Put it back") {
		t.Errorf("an old key was removed too early: %v", err)
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys")
	if _, err := secretbox.Load(file, false); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is named and absent: %v", err)
	}
	one := load(t, file).IDs()
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if two := load(t, file).IDs(); one[0] != two[0] {
		t.Errorf("the key was made anew: %v, %v", one, two)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := secretbox.Load(file, true); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "every user") {
		t.Errorf("a file that everybody can read: %v", err)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	good := strings.Repeat("A", 43) + "="
	for name, tc := range map[string]struct {
		text string
		keys int // 0 for none
	}{
		"One": {"a:" + good, 1}, "Lines": {"# newest first\nb:" + good + "\na:" + good + "\n", 2}, "Commas": {"b:" + good + ",a: " + good, 2},
		"Empty": {"", 0}, "Short": {"a:AAAA", 0}, "NoID": {":" + good, 0}, "NoColon": {good, 0}, "Twice": {"a:" + good + ",a:" + good, 0}, "NoBase64": {"a:!secret!", 0},
	} {
		r, err := secretbox.Parse(tc.text)
		if (err == nil) != (tc.keys > 0) || (err == nil && len(r.IDs()) != tc.keys) {
			t.Errorf("%s: %v, %v", name, r, err)
		}
		if err != nil && (!fault.Is(err, fault.Invalid) || strings.Contains(fmt.Sprint(err), "!secret!") || strings.Contains(fmt.Sprint(err), "AAAA")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r, err := secretbox.Parse("a:" + good)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Grow(); !fault.Is(err, fault.Invalid) {
		t.Errorf("a key is added to the environment: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	r, err := secretbox.Parse("a:" + strings.Repeat("A", 43) + "=")
	if err != nil {
		f.Fatal(err)
	}
	b := secretbox.New(r)
	sealed, err := b.Seal("p", []byte("v"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte("\x00seatrial-sealed-1\x00\xff\xff"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if got, err := b.Open("p", text); err == nil && string(got) != "v" {
			t.Errorf("%q opens to %q", text, got)
		}
	})
}
