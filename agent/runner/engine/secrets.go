package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	maxSecretFiles = 1000
	maxSecretFile  = 1 << 20 // Kubernetes keeps no larger secrets
)

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
		entries, err = entries[:maxSecretFiles], fmt.Errorf("%s has more than %d files", path, maxSecretFiles)
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
	if err != nil || !info.Mode().IsRegular() {
		return nil, err //nolint:wrapcheck // names the file
	}
	if info.Size() > maxSecretFile {
		return nil, fmt.Errorf("%s has more than %d bytes", path, maxSecretFile)
	}
	text, err := os.ReadFile(path) //nolint:gosec // G304: a file of the pod's own
	return []string{strings.TrimRight(string(text), "\n")}, err
}
