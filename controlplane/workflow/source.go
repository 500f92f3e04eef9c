package workflow

import (
	"cmp"
	"strconv"

	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

// Where the source step finds its program and the config map.
const (
	sourceProgram = "/seatrial/bin/seatrial-source"
	configMapDir  = "/var/run/seatrial-source"
)

// Workspace is where steps work in a cluster.
const Workspace = "/workspace"

// source makes fetching the source the first step, so that it has a status and a log like any other.
func (c *compilation) source(s document.Source) {
	if !s.Fetched() {
		return
	}
	box := c.container(PlanContainer{RunnerImage: true})
	f := &fetching{compilation: c, box: box, step: PlanStep{Name: parse.SourceStep, Container: box.Name}}
	if s.Git != nil {
		f.git(*s.Git)
	}
	if s.HTTP != nil {
		f.http(*s.HTTP)
	}
	if s.OCI != nil {
		f.oci(*s.OCI)
	}
	if s.ConfigMap != nil {
		f.configMap(*s.ConfigMap)
	}
	c.plan.Steps = append(c.plan.Steps, f.step)
}

// fetching is the step that fetches, to which each kind of source adds its part.
type fetching struct {
	*compilation

	box  *PlanContainer
	step PlanStep
}

// add gives the program one more thing to fetch.
func (f *fetching) add(kind string, options ...string) {
	command := &f.step.Command
	if len(*command) == 0 {
		*command = []string{sourceProgram, kind}
	} else {
		*command = append(*command, "--", kind)
	}
	for _, option := range options {
		*command = append(*command, expr.Escape(option)) // the runner resolves commands; these are resolved
	}
}

func (f *fetching) git(g document.Git) {
	const path = "spec.source.git"
	options := []string{"--url=" + f.text(path+".url", g.URL, expr.Here, "gitURL")}
	if ref := f.text(path+".ref", g.Ref, expr.Here, "gitRef"); ref != "" {
		options = append(options, "--ref="+ref)
	}
	options = append(options, "--depth="+strconv.FormatInt(max(g.Depth, 1), 10))
	for _, p := range f.texts(path+".paths", g.Paths, expr.Here, "inWorkspace") {
		options = append(options, "--path="+p)
	}
	f.add("git", append(options, "--dest="+Workspace)...)
	// user name and keys of hosts are no secrets: redacting "git" would eat every log line about it
	f.credential(g.SecretRef, "username", "GIT_USERNAME", openKey)
	f.credential(g.SecretRef, "password", "GIT_PASSWORD", secretKey)
	f.credential(g.SecretRef, "token", "GIT_TOKEN", secretKey)
	f.credential(g.SecretRef, "ssh-privatekey", "GIT_SSH_PRIVATEKEY", secretKey)
	f.credential(g.SecretRef, "known_hosts", "GIT_KNOWN_HOSTS", openKey)
}

func (f *fetching) http(h document.HTTP) {
	const path = "spec.source.http"
	f.add("http",
		"--url="+f.text(path+".url", h.URL, expr.Here, "httpURL"), "--sha256="+f.text(path+".sha256", h.SHA256, expr.Here, "sha256"),
		"--strip="+strconv.FormatInt(h.Strip, 10), "--dest="+Workspace, "--folder="+cmp.Or(h.Path, "."))
	f.credential(h.SecretRef, "username", "HTTP_USERNAME", openKey)
	f.credential(h.SecretRef, "password", "HTTP_PASSWORD", secretKey)
	f.credential(h.SecretRef, "token", "HTTP_TOKEN", secretKey)
}

func (f *fetching) oci(o document.OCI) {
	options := []string{"--artifact=" + f.text("spec.source.oci.artifact", o.Artifact, expr.Here, "artifact")}
	if o.PlainHTTP {
		options = append(options, "--plain-http")
	}
	f.add("oci", append(options, "--dest="+Workspace, "--folder="+cmp.Or(o.Path, "."))...)
	f.credential(o.SecretRef, ".dockerconfigjson", "OCI_CONFIG", requiredSecretKey)
}

func (f *fetching) configMap(m document.ConfigMapSource) {
	f.box.Volumes = append(f.box.Volumes, document.Volume{
		Name: "source", MountPath: configMapDir, ReadOnly: true, ConfigMap: &document.ObjectVolume{Name: m.Name},
	})
	f.add("configmap", "--name="+m.Name, "--from="+configMapDir, "--dest="+Workspace, "--folder="+cmp.Or(m.Path, "."))
}

// credentialKind says what the value of a key is.
type credentialKind int

const (
	openKey           credentialKind = iota // may be seen; the secret may do without it
	secretKey                               // is redacted; the secret may do without it
	requiredSecretKey                       // is redacted; the secret must have it
)

// credential hands a key of the secret to the step.
func (f *fetching) credential(from *document.NameRef, key, name string, kind credentialKind) {
	if from == nil {
		return
	}
	ref := PlanRef{Name: "SEATRIAL_ENV_0_" + name, Secret: &KeyRef{Name: from.Name, Key: key, Optional: kind != requiredSecretKey}}
	f.box.Env = append(f.box.Env, ref)
	f.step.Env = append(f.step.Env, PlanEnv{Name: "SEATRIAL_" + name, From: ref.Name, Secret: kind != openKey})
}
