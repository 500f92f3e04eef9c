package config

import (
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

// KubeContext returns the name of the context that kubectl uses, empty when there is none that can be read: of the first file of KUBECONFIG that
// names one, else of the file in the home folder.
func KubeContext(env func(string) string) string {
	files := filepath.SplitList(env("KUBECONFIG"))
	if len(files) == 0 {
		files = []string{filepath.Join(env("HOME"), ".kube", "config")}
	}
	for _, file := range files {
		raw, err := os.ReadFile(file) //nolint:gosec // G304: the person's own configuration
		if err != nil {
			continue // as kubectl does with a file that is not there
		}
		var c struct {
			Current string `json:"current-context"`
		}
		if yaml.Unmarshal(raw, &c) == nil && c.Current != "" {
			return c.Current
		}
	}
	return ""
}

// Beside returns the name of the context that goes with the one of kubectl: of the same name, where there is one. Empty is the current one.
func (c Config) Beside(kube string) string {
	if _, ok := c.Contexts[kube]; ok {
		return kube
	}
	return ""
}
