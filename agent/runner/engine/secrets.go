package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/seatrial/seatrial/agent/redact"
	"github.com/seatrial/seatrial/agent/runner/step"
)

const (
	maxSecretFiles = 1000
	maxSecretFile  = 1 << 20 // Kubernetes keeps no larger secrets
)

// hider knows what must not leave the pod: the secrets of all the steps of this container, for one step may print another's, and what
// stands in mounted secrets, which may change while the pod runs.
type hider struct {
	log  *slog.Logger
	note func(...string) // tells people of what is not hidden
	dirs []string

	mu    sync.Mutex
	links []string // by folder where its link ..data leads, which the kubelet moves when the secret changes
	known []string // secrets, of which none is forgotten: a program may have read it before
	told  map[string]bool
	set   *redact.Set
}

func newHider(c Config, note func(...string)) *hider {
	h := &hider{log: c.Log, note: note, dirs: c.Plan.GetSecretDirs(), told: map[string]bool{}}
	for _, s := range c.Plan.GetSteps() {
		if s.GetContainer() == c.Container {
			h.known = append(h.known, step.NewEnv(c.Environ, s.GetEnv()).Secrets...)
		}
	}
	h.links = make([]string, len(h.dirs))
	return h
}

// current returns what is to be hidden now.
func (h *hider) current() *redact.Set {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.moved() || h.set == nil {
		h.read()
	}
	return h.set
}

// stream returns a redactor for a stream that begins now.
func (h *hider) stream() *redact.Redactor { return h.current().Stream() }

// moved reports whether the kubelet has changed a secret since it was asked last. It costs a call of the system for each folder.
func (h *hider) moved() (moved bool) {
	for i, dir := range h.dirs {
		link, _ := os.Readlink(filepath.Join(dir, "..data")) // a secret that is not there has none
		moved = moved || link != h.links[i]
		h.links[i] = link
	}
	return moved
}

func (h *hider) read() {
	for _, dir := range h.dirs {
		secrets, err := secretFiles(dir)
		if err != nil {
			h.log.Error("files of a mounted secret cannot be read", "folder", dir, "error", err)
			h.tell(fmt.Sprintf("not all of the secret that is mounted at %s is hidden: %v", dir, err))
		}
		for _, s := range secrets {
			if !slices.Contains(h.known, s) {
				h.known = append(h.known, s)
			}
		}
	}
	patterns, left := redact.Variants(h.known)
	if left > 0 {
		h.tell(fmt.Sprintf("%d values of secrets are not hidden, because all of them have more than %d KiB together", left, redact.MaxBytes>>10))
	}
	h.set = redact.Compile(patterns)
}

// tell says something once.
func (h *hider) tell(text string) {
	if !h.told[text] {
		h.told[text] = true
		h.note(text)
	}
}

// secretFiles returns what stands in the files of a mounted secret, which may be a single file. The kubelet puts them there as links into
// a folder beside them. An optional secret may not be there.
func secretFiles(path string) (secrets []string, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err //nolint:wrapcheck // names the file
	case !info.IsDir():
		return secretFile(path)
	}
	entries, err := os.ReadDir(path)
	if len(entries) > maxSecretFiles {
		entries, err = entries[:maxSecretFiles], fmt.Errorf("it has more than %d files", maxSecretFiles)
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), "..") {
			continue // the folder that the links point into
		}
		more, fault := secretFile(filepath.Join(path, entry.Name()))
		secrets, err = append(secrets, more...), errors.Join(err, fault)
	}
	return secrets, err
}

func secretFile(path string) ([]string, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist): // it was taken away meanwhile
		return nil, nil
	case err != nil || !info.Mode().IsRegular():
		return nil, err //nolint:wrapcheck // names the file
	case info.Size() > maxSecretFile:
		return nil, fmt.Errorf("%s has more than %d bytes", path, maxSecretFile)
	}
	content, err := os.ReadFile(path) //nolint:gosec // G304: a file of the pod's own
	return redact.OfFile(filepath.Base(path), content), err
}
