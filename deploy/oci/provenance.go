package main

import (
	"encoding/base64"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	statementType  = "https://in-toto.io/Statement/v1"
	provenanceType = "https://slsa.dev/provenance/v1"
	buildType      = "https://seatrial.dev/builds/oci/v1" // this command: its flags are the parameters
)

// statement is that of in-toto with the predicate https://slsa.dev/spec/v1.1/provenance. It is not signed: who publishes the images
// signs it with a key of their own, such as by `cosign attest`.
type statement struct {
	Type      string     `json:"_type"`
	Subject   []resource `json:"subject"`
	Kind      string     `json:"predicateType"`
	Predicate predicate  `json:"predicate"`
}

type resource struct {
	Name   string            `json:"name,omitempty"`
	URI    string            `json:"uri,omitempty"`
	Digest map[string]string `json:"digest,omitempty"`
	Notes  map[string]string `json:"annotations,omitempty"`
}

type predicate struct {
	Definition definition `json:"buildDefinition"`
	Run        runDetails `json:"runDetails"`
}

type definition struct {
	Type       string            `json:"buildType"`
	Parameters map[string]string `json:"externalParameters"`
	Internal   map[string]string `json:"internalParameters"`
	From       []resource        `json:"resolvedDependencies"`
}

type runDetails struct {
	Builder    map[string]string `json:"builder"`
	Byproducts []resource        `json:"byproducts"`
}

// provenance says what an image of one platform was made of and how. It names no moment at which that was done, so that two who
// build the same get the same.
func provenance(from source, o options, i image, about v1.Descriptor, programs []program) statement {
	arch := about.Platform.Architecture
	made := []resource{}
	for _, p := range programs {
		made = append(made, resource{Name: p.name, Digest: map[string]string{"sha256": p.sha256}})
	}
	sources := resource{URI: "git+" + repository}
	if from.commit != "" {
		sources.Digest = map[string]string{"gitCommit": from.commit}
	}
	if from.doubt != "" {
		sources.Notes = map[string]string{"doubt": from.doubt}
	}
	inputs := append([]resource{sources}, modules(programs)...)
	if from.cas != nil {
		inputs = append(inputs, resource{Name: "ca-certificates.crt", Digest: map[string]string{"sha256": sum(from.cas)}})
	}
	return statement{
		Type: statementType, Kind: provenanceType,
		Subject: []resource{{Name: "docker.io/seatrial/" + i.name, Digest: map[string]string{"sha256": about.Digest.Encoded()}}},
		Predicate: predicate{
			Definition: definition{
				Type:       buildType,
				Parameters: map[string]string{"image": i.name, "platform": "linux/" + arch, "version": from.version},
				Internal:   map[string]string{"CGO_ENABLED": "0", "GOOS": "linux", "GOARCH": arch, "sourceDateEpoch": from.at.UTC().Format("2006-01-02T15:04:05Z")},
				From:       inputs,
			},
			Run: runDetails{Builder: map[string]string{"id": o.builder}, Byproducts: made},
		},
	}
}

// modules are the toolchain and the modules that the programs say they were made of, by name.
func modules(programs []program) (out []resource) {
	known := map[string]resource{}
	for _, p := range programs {
		known[""] = resource{Name: "go", URI: "pkg:golang/toolchain@" + p.info.GoVersion} // one compiler makes all of them
		for _, m := range p.info.Deps {
			if m.Replace != nil {
				m = m.Replace
			}
			known[m.Path] = resource{URI: "pkg:golang/" + m.Path + "@" + m.Version, Digest: hashOf(m.Sum)}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		out = append(out, known[name])
	}
	return out
}

// hashOf is the hash of go.sum as in-toto writes it; nil when there is none.
func hashOf(sum string) map[string]string {
	text, ok := strings.CutPrefix(sum, "h1:")
	raw, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil {
		return nil
	}
	return map[string]string{"dirHash1": hex.EncodeToString(raw)}
}
