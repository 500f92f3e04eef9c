package main

import (
	"cmp"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// spdx is what is used of https://spdx.github.io/spdx-spec/v2.3/.
type spdx struct {
	Version       string             `json:"spdxVersion"`
	License       string             `json:"dataLicense"`
	ID            string             `json:"SPDXID"`
	Name          string             `json:"name"`
	Namespace     string             `json:"documentNamespace"`
	Creation      spdxCreation       `json:"creationInfo"`
	Packages      []spdxPackage      `json:"packages"`
	Relationships []spdxRelationship `json:"relationships"`
}

type spdxCreation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type spdxPackage struct {
	ID        string         `json:"SPDXID"`
	Name      string         `json:"name"`
	Version   string         `json:"versionInfo,omitempty"`
	Source    string         `json:"sourceInfo,omitempty"`
	Location  string         `json:"downloadLocation"`
	Analyzed  bool           `json:"filesAnalyzed"`
	Concluded string         `json:"licenseConcluded"`
	Declared  string         `json:"licenseDeclared"`
	Copyright string         `json:"copyrightText"`
	Purpose   string         `json:"primaryPackagePurpose,omitempty"`
	Checksums []spdxChecksum `json:"checksums,omitempty"`
	Refs      []spdxRef      `json:"externalRefs,omitempty"`
}

type spdxChecksum struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"checksumValue"`
}

type spdxRef struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type spdxRelationship struct {
	From string `json:"spdxElementId"`
	Type string `json:"relationshipType"`
	To   string `json:"relatedSpdxElement"`
}

const nobodySays = "NOASSERTION"

// bill lists what an image consists of: its programs, the modules that each of them links, and Go's standard library.
func bill(from source, i image, about v1.Descriptor, programs []program) spdx {
	const root = "SPDXRef-image"
	doc := spdx{
		Version: "SPDX-2.3", License: "CC0-1.0", ID: "SPDXRef-DOCUMENT", Name: i.name + " " + from.version + " linux/" + about.Platform.Architecture,
		Namespace: "https://seatrial.dev/spdx/" + i.name + "/" + about.Digest.Encoded(),
		Creation:  spdxCreation{Created: from.at.Format(time.RFC3339), Creators: []string{"Organization: Seatrial", "Tool: seatrial-oci-" + from.version}},
	}
	image := unlicensed(root, i.name, from.version)
	image.Purpose, image.Declared = "CONTAINER", "Apache-2.0"
	image.Checksums = []spdxChecksum{{Algorithm: "SHA256", Value: about.Digest.Encoded()}}
	doc.Packages = append(doc.Packages, image)
	doc.relate("SPDXRef-DOCUMENT", "DESCRIBES", root)
	modules := map[string]spdxPackage{}
	for _, p := range programs {
		id := "SPDXRef-program-" + plain(p.name)
		binary := unlicensed(id, p.name, from.version)
		binary.Purpose, binary.Declared = "APPLICATION", "Apache-2.0"
		binary.Checksums = []spdxChecksum{{Algorithm: "SHA256", Value: p.sha256}}
		doc.Packages = append(doc.Packages, binary)
		doc.relate(root, "CONTAINS", id)
		for _, m := range linked(p.info) {
			modules[m.ID] = m
			doc.relate(id, "DEPENDS_ON", m.ID)
		}
	}
	doc.Packages = append(doc.Packages, slices.SortedFunc(maps.Values(modules), func(a, b spdxPackage) int { return cmp.Compare(a.ID, b.ID) })...)
	if from.cas != nil {
		cas := unlicensed("SPDXRef-authorities", "ca-certificates.crt", "")
		cas.Purpose, cas.Checksums = "FILE", []spdxChecksum{{Algorithm: "SHA256", Value: sum(from.cas)}}
		doc.Packages = append(doc.Packages, cas)
		doc.relate(root, "CONTAINS", cas.ID)
	}
	return doc
}

func (d *spdx) relate(from, how, to string) {
	d.Relationships = append(d.Relationships, spdxRelationship{From: from, Type: how, To: to})
}

// linked returns the packages of what a program links.
func linked(info *debug.BuildInfo) []spdxPackage {
	library := unlicensed("SPDXRef-module-stdlib", "stdlib", strings.TrimPrefix(info.GoVersion, "go"))
	library.Refs = purl("stdlib", library.Version)
	all := []spdxPackage{library}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		p := unlicensed("SPDXRef-module-"+plain(m.Path+"-"+m.Version), m.Path, m.Version)
		p.Source = m.Sum // h1:…, as in go.sum
		p.Refs = purl(m.Path, m.Version)
		all = append(all, p)
	}
	return all
}

func unlicensed(id, name, version string) spdxPackage {
	return spdxPackage{ID: id, Name: name, Version: version, Location: nobodySays, Concluded: nobodySays, Declared: nobodySays, Copyright: nobodySays}
}

// purl names a module as https://github.com/package-url/purl-spec says: what looks for known weaknesses goes by it.
func purl(module, version string) []spdxRef {
	version = strings.ReplaceAll(version, "+", "%2B")
	return []spdxRef{{Category: "PACKAGE-MANAGER", Type: "purl", Locator: "pkg:golang/" + strings.ToLower(module) + "@" + version}}
}

// plain makes a part of an identifier, for which SPDX has letters, digits, dots and dashes.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' {
			return r
		}
		return '-'
	}, s)
}
