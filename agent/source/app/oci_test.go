package app_test

import (
	"strings"
	"testing"

	"github.com/seatrial/seatrial/integration/registry"
)

func TestOCI(t *testing.T) {
	t.Parallel()
	store := registry.Start(t, "127.0.0.1")
	address := store.Address
	archive, _ := tarball(t, map[string]string{"a.txt": "a"})
	login := map[string]string{"SEATRIAL_OCI_CONFIG": store.DockerConfig(registry.Password)}
	plain := registry.Layer{Kind: "text/plain", Title: "data/users.csv", Raw: []byte("id,name\n")}
	digest := store.Push(t, "tests/checkout:1.2", registry.Layer{Kind: "application/vnd.cncf.flux.content.v1.tar+gzip", Raw: archive}, plain)
	store.Push(t, "tests/latest:latest", plain)
	store.Push(t, "tests/evil:1", registry.Layer{Kind: "text/plain", Title: "../evil", Raw: []byte("x")})
	store.Push(t, "tests/bare:1", registry.Layer{Kind: "application/x-thing", Raw: []byte("what is this")})
	store.Push(t, "tests/none:1")
	store.Push(t, "tests/page:1", registry.Layer{Kind: "application/vnd.oci.image.layer.v1.tar", Raw: []byte("<html>")})
	whole := map[string]string{"tests-1.0/a.txt": "a", "data/users.csv": "id,name\n"}

	for name, tc := range map[string]struct {
		reason   string
		artifact string
		env      map[string]string
		args     []string
		want     map[string]string
		says     string
	}{
		"Tag":     {"an archive and a file", "/tests/checkout:1.2", login, nil, whole, ""},
		"Digest":  {"the exact one", "/tests/checkout@" + digest, login, nil, whole, ""},
		"Folder":  {"below a folder", "/tests/latest:latest", login, []string{"--folder=x"}, map[string]string{"x/data/users.csv": "id,name\n"}, ""},
		"Latest":  {"no tag is latest", "/tests/latest", login, nil, map[string]string{"data/users.csv": "id,name\n"}, ""},
		"NoLogin": {"no credentials", "/tests/checkout:1.2", nil, nil, nil, "name a secret with them in source.oci.secretRef"},
		"Login":   {"wrong credentials", "/tests/checkout:1.2", map[string]string{"SEATRIAL_OCI_CONFIG": store.DockerConfig("wrong-wrong")}, nil, nil, "refused the credentials"},
		"Config":  {"the secret holds something else", "/tests/checkout:1.2", map[string]string{"SEATRIAL_OCI_CONFIG": "sesame-sesame"}, nil, nil, "not of the type kubernetes.io/dockerconfigjson"},
		"Absent":  {"a wrong tag", "/tests/checkout:9", login, nil, nil, "has no artifact"},
		"Evil":    {"a name that leaves the folder", "/tests/evil:1", login, nil, nil, "outside of its folder"},
		"Bare":    {"nobody knows what it is", "/tests/bare:1", login, nil, nil, "neither a tar archive nor has a name"},
		"None":    {"an artifact without files", "/tests/none:1", login, nil, nil, "holds no file"},
		"Page":    {"not the archive that it says", "/tests/page:1", login, nil, nil, "looks like a web page"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := source(t, tc.env, append([]string{"oci", "--artifact=" + address + tc.artifact, "--plain-http"}, tc.args...)...)
			got.check(t, tc.reason, tc.says, tc.want, registry.Password)
		})
	}
	if got := source(t, login, "oci", "--artifact="+address+"/tests/checkout:1.2"); got.code != 1 || !strings.Contains(got.err, "plainHTTP: true") {
		t.Errorf("a registry without TLS: exit %d:\n%s", got.code, got.err)
	}
}
