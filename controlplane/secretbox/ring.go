package secretbox

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/seatrial/seatrial/controlplane/fault"
)

const (
	maxRing = 64 << 10
	private = 0o600 // of key files
)

// idShape is what the id of a key looks like.
const idShape = `^[A-Za-z0-9._-]{1,64}$`

type ringKey struct {
	id     string
	secret []byte
}

// Ring is the keys of an instance. The first one encrypts, all of them decrypt.
type Ring struct {
	file string // read again when a key is missing; empty for keys of the environment

	mu   sync.Mutex
	keys []ringKey
}

// Parse reads keys, one a line or separated by commas, the newest first, each as ID:KEY with 32 bytes in base64. Messages never quote a
// key.
func Parse(text string) (*Ring, error) {
	keys, err := parse(text)
	if err != nil {
		return nil, err
	}
	return &Ring{keys: keys}, nil
}

func parse(text string) ([]ringKey, error) {
	var keys []ringKey
	shape, seen := regexp.MustCompile(idShape), map[string]bool{}
	for n, line := range strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == ',' || r == '\r' }) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		id, encoded, _ := strings.Cut(line, ":")
		secret, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
		switch {
		case !shape.MatchString(id):
			return nil, wrongKey(n, "its id is not of letters, digits, dots and dashes before a colon")
		case err != nil || len(secret) != keySize:
			return nil, wrongKey(n, "it is not 32 bytes in base64 after the colon")
		case seen[id]:
			return nil, wrongKey(n, "another key has the same id")
		}
		seen[id] = true
		keys = append(keys, ringKey{id: id, secret: secret})
	}
	if len(keys) == 0 {
		return nil, fault.New(fault.Invalid, "there is no encryption key").WithHint("Write one as ID:KEY, made with: echo \"$(date +%%F):$(openssl rand -base64 32)\"")
	}
	return keys, nil
}

func wrongKey(n int, why string) error {
	return fault.New(fault.Invalid, "encryption key %d cannot be used: %s", n+1, why)
}

// Load reads a key file. When there is none and make is set it makes one with a fresh key, for its owner only.
func Load(file string, create bool) (*Ring, error) {
	text, err := readKeys(file)
	if errors.Is(err, fs.ErrNotExist) && create {
		if err := write(file, freshKey()+"\n"); err != nil {
			return nil, err
		}
		text, err = readKeys(file)
	}
	if err != nil {
		return nil, fmt.Errorf("read the encryption keys: %w", err)
	}
	r, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	r.file = file
	return r, nil
}

// Grow puts a fresh key before the others of a key file: it encrypts from now on. Processes that have the file read it again when they
// meet the new key.
func (r *Ring) Grow() (id string, err error) {
	if r.file == "" {
		return "", fault.New(fault.Invalid, "the encryption keys come from the environment, where no key can be added").
			WithHint("Put a new key before the others there, restart, and run rotate-keys without --new.")
	}
	text, err := readKeys(r.file)
	if err != nil {
		return "", fmt.Errorf("read the encryption keys: %w", err)
	}
	keys, err := parse(freshKey() + "\n" + text)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, k := range keys {
		fmt.Fprintf(&out, "%s:%s\n", k.id, base64.StdEncoding.EncodeToString(k.secret))
	}
	if err := write(r.file, out.String()); err != nil {
		return "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys = keys
	return keys[0].id, nil
}

// IDs returns the ids of the keys, the one that encrypts first.
func (r *Ring) IDs() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]string, len(r.keys))
	for i, k := range r.keys {
		out[i] = k.id
	}
	return out
}

func (r *Ring) newest() ringKey {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keys[0]
}

// find returns a key. One that is missing may have been added to the file since.
func (r *Ring) find(id string) (ringKey, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, fresh := range []bool{false, true} {
		if fresh && r.file != "" {
			if text, err := readKeys(r.file); err == nil {
				if keys, err := parse(text); err == nil {
					r.keys = keys
				}
			}
		}
		for _, k := range r.keys {
			if k.id == id {
				return k, nil
			}
		}
	}
	return ringKey{}, fault.New(fault.Unavailable, "the encryption key %q is not among the keys of this process", id).
		WithHint("A stored secret is encrypted with it. Put it back into the key file, after the others; all replicas need the same keys. " +
			"After rotate-keys it is not needed any more.")
}

func freshKey() string {
	secret, name := make([]byte, keySize), make([]byte, 6)
	_, _ = rand.Read(secret) // it never fails
	_, _ = rand.Read(name)
	return hex.EncodeToString(name) + ":" + base64.StdEncoding.EncodeToString(secret)
}

// readKeys reads a key file that nobody else can read.
func readKeys(file string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", err //nolint:wrapcheck // the caller says what for
	}
	if info.Mode().Perm()&0o007 != 0 {
		return "", fault.New(fault.Invalid, "%s can be read by every user of the machine", file).WithHint("Run chmod 600 %s", file)
	}
	if info.Size() > maxRing {
		return "", fault.New(fault.Invalid, "%s has %d bytes: that is no key file", file, info.Size())
	}
	text, err := os.ReadFile(file) //nolint:gosec // G304: the operator's own path
	return string(text), err       //nolint:wrapcheck // the caller says what for
}

// write replaces a file as a whole, so that no crash leaves half a key.
func write(file, text string) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".keys-*") // made for its owner only
	if err != nil {
		return fmt.Errorf("write the encryption keys: %w", err)
	}
	defer os.Remove(f.Name()) //nolint:errcheck // it is gone when all went well
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Chmod(private), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("write the encryption keys: %w", err)
	}
	return nil
}
