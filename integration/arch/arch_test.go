// Package arch_test holds the import walls of the project where no linter runs: each forbidden import with its reason.
package arch_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/seatrial/seatrial"

type pkg struct {
	ImportPath string
	Dir        string
	Doc        string
	Name       string
	GoFiles    []string
	Imports    []string
	Deps       []string
}

func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Doc,Name,GoFiles,Imports,Deps", "./...")
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v: %s", err, exit.Stderr)
		}
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func under(importPath string, roots ...string) bool {
	for _, root := range roots {
		if importPath == module+"/"+root || strings.HasPrefix(importPath, module+"/"+root+"/") {
			return true
		}
	}
	return false
}

// wall forbids the packages under from to reach a package with one of the prefixes, except through doors.
type wall struct {
	from   []string
	except []string // packages under from that may
	deny   []string // import path prefixes
	deep   bool     // look at everything linked, not only at direct imports
	reason string
}

func walls() map[string]wall {
	const (
		grpc    = "google.golang.org/grpc"
		connect = "connectrpc.com/connect"
	)
	halves := []string{"agent", "controlplane", "ui"}
	return map[string]wall{
		"HalvesMeetOnTheWire": {
			from: []string{"agent"}, except: []string{"agent/runner"},
			deny: []string{module + "/controlplane", module + "/ent", module + "/ui"}, deep: true,
			reason: "agent and control plane share proto only",
		},
		"RunSpecificationsArePure": {
			from: []string{"proto/runspec"}, deny: []string{module + "/agent", module + "/controlplane", module + "/ent", module + "/ui", "k8s.io", connect}, deep: true,
			reason: "author, control plane and agent derive the same from an assignment, and nothing else",
		},
		"RunnerSharesExpressionsOnly": {
			from: []string{"agent/runner"}, deny: []string{module + "/ent", module + "/ui", "k8s.io/client-go", grpc + "/"}, deep: true,
			reason: "the runner is copied into every test pod and must stay small",
		},
		"ControlPlaneKnowsNoCluster": {
			from: []string{"controlplane"}, deny: []string{module + "/agent", "k8s.io/client-go"}, deep: true,
			reason: "only agents talk to clusters",
		},
		"OnlyAppWiresPages": {
			from: []string{"controlplane"}, except: []string{"controlplane/app", "controlplane"}, deny: []string{module + "/ui"},
			reason: "stages do not know who looks at them",
		},
		"Leaves": {
			from: []string{
				"controlplane/fault", "controlplane/tenant", "controlplane/audit", "controlplane/cluster", "controlplane/execution", "controlplane/workflow",
				"controlplane/results", "controlplane/release/verdict", "controlplane/release/policy", "controlplane/release/attest",
				"controlplane/release/report", "controlplane/release/compare", "controlplane/insight/coverage",
			},
			deny: []string{
				module + "/controlplane/store", module + "/controlplane/api", module + "/controlplane/dispatch",
				module + "/controlplane/intake", module + "/controlplane/agentlink", module + "/proto", module + "/ent", grpc, connect,
			},
			deep: true, reason: "leaves import the libraries of their own format and other leaves",
		},
		"LanguageKnowsNoReleases": {
			from: []string{"controlplane/workflow", "controlplane/results"}, deny: []string{module + "/controlplane/release"}, deep: true,
			reason: "releases build upon the language and the results, not the other way round",
		},
		"VerdictStandsAlone": {
			from: []string{"controlplane/release/verdict"}, deny: []string{module + "/controlplane/workflow"}, deep: true,
			reason: "a verdict is recomputed from a bundle, for which nobody needs the language",
		},
		"RedisDoor": {
			from: halves, except: []string{"controlplane/bus", "controlplane/app", "controlplane"},
			deny: []string{"github.com/redis/go-redis"}, deep: true, reason: "Redis lives behind the bus",
		},
		"JWTDoor": {
			from: halves, except: []string{"controlplane/auth"},
			deny: []string{"github.com/golang-jwt/jwt"}, reason: "tokens are made and checked in auth",
		},
		"GRPCDoor": {
			from: halves, except: []string{"agent/link", "controlplane/agentlink", "agent/workfake"},
			deny: []string{grpc}, reason: "gRPC is spoken between agent/link and controlplane/agentlink only",
		},
		"ConnectDoor": {
			from: halves, except: []string{"controlplane/api", "ui/cli", "agent/collect", "agent/runner"},
			deny: []string{connect}, reason: "Connect is the API, and what runner and agent speak",
		},
		"CELDoor": {
			from: halves, except: []string{"controlplane/workflow", "controlplane/release/verdict", "controlplane/release/policy", "controlplane/trigger"},
			deny: []string{"cel.dev", "github.com/google/cel-go"}, reason: "expressions are compiled by the language, by policies and by triggers",
		},
		"TemplDoor": {
			from: halves, except: []string{"ui/web"}, deny: []string{"github.com/a-h/templ"}, reason: "pages live in ui/web",
		},
		"EntDoor": {
			from: halves, except: []string{"controlplane/store"}, deny: []string{"entgo.io", module + "/ent"},
			reason: "only the stores read the database",
		},
		"KubeDoor": {
			from: halves, except: []string{"agent/kube", "agent/catalog", "agent/watch", "agent/subject", "agent/lookout", "agent/app", "agent/workfake"},
			deny: []string{"k8s.io/client-go"}, reason: "stages of the agent take a client that can do what they need",
		},
		"GitDoor": {
			from: halves, except: []string{"agent/source", "controlplane/mirror/git"},
			deny: []string{"github.com/go-git"}, reason: "sources are fetched in the pod by agent/source, documents by controlplane/mirror/git",
		},
		"SourceStandsAlone": {
			from: []string{"agent/source"}, deny: []string{module + "/agent/runner", module + "/proto", "k8s.io/client-go", grpc},
			deep: true, reason: "the companion is copied into test pods and must stay small",
		},
		"PagesTakeViewModels": {
			from: []string{"ui/web"}, deny: []string{module + "/controlplane/store", module + "/ent", module + "/proto/gen"},
			reason: "pages take view models, never entities",
		},
		"CommandSpeaksTheAPI": {
			from: []string{"ui/cli"}, deep: true, deny: []string{
				module + "/controlplane/store", module + "/controlplane/release/assess", module + "/controlplane/release/sign", module + "/ent",
				"k8s.io/client-go",
			},
			reason: "the command is a client of the API",
		},
		"NoTestLibrariesInPrograms": {
			from: []string{"agent", "controlplane", "ui", "ent"}, except: []string{"controlplane/store/storetest", "controlplane/bus/bustest", "controlplane/blob/blobtest", "agent/workfake"},
			deny: []string{"testing", "github.com/testcontainers"}, reason: "tests stay in tests",
		},
	}
}

func TestImports(t *testing.T) {
	t.Parallel()
	packages := list(t)
	for name, w := range walls() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, p := range packages {
				if !under(p.ImportPath, w.from...) || excepted(p.ImportPath, w.except) {
					continue
				}
				imports := p.Imports
				if w.deep {
					imports = p.Deps
				}
				for _, i := range imports {
					if denied(i, w.deny) {
						t.Errorf("%s imports %s: %s", strings.TrimPrefix(p.ImportPath, module+"/"), i, w.reason)
					}
				}
			}
		})
	}
}

// excepted matches a package exactly for a top-level program ("controlplane") and with everything below it otherwise.
func excepted(importPath string, except []string) bool {
	for _, e := range except {
		if importPath == module+"/"+e || (strings.Contains(e, "/") && under(importPath, e)) {
			return true
		}
	}
	return false
}

func denied(importPath string, deny []string) bool {
	for _, d := range deny {
		if importPath == d || strings.HasPrefix(importPath, strings.TrimSuffix(d, "/")+"/") {
			return true
		}
	}
	return false
}

func TestPackageDocs(t *testing.T) {
	t.Parallel()
	for _, p := range list(t) {
		generated := under(p.ImportPath, "proto/gen", "ent/db")
		if generated || len(p.GoFiles) == 0 || p.Doc != "" {
			continue
		}
		t.Errorf("%s has no package comment: say in a sentence what %s is for", strings.TrimPrefix(p.ImportPath, module+"/"), path.Base(p.ImportPath))
	}
}
