package artifact

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote/auth"
)

// errNoSecret means that the secret does not hold what it should.
var errNoSecret = errors.New("the secret that source.oci.secretRef names is not of the type kubernetes.io/dockerconfigjson")

// hub is what the many names of Docker Hub stand for.
const hub = "docker.io"

// Credentials are those of registries, as in a secret of the type kubernetes.io/dockerconfigjson. The zero value has none.
type Credentials struct{ auths map[string]login }

// login is one entry of such a secret.
type login struct {
	Username      string `json:"username"`
	Password      string `json:"password"`
	Auth          string `json:"auth"` // base64 of username:password
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

// ReadCredentials reads the key .dockerconfigjson of a secret; an empty one has no credentials.
func ReadCredentials(config string) (Credentials, error) {
	if config == "" {
		return Credentials{}, nil
	}
	var parsed struct {
		Auths map[string]login `json:"auths"`
	}
	if err := json.Unmarshal([]byte(config), &parsed); err != nil || parsed.Auths == nil {
		return Credentials{}, errNoSecret // the library's text might quote it
	}
	return Credentials{auths: parsed.Auths}, nil
}

// pair returns user name and password.
func (l login) pair() (username, password string) {
	if plain, err := base64.StdEncoding.DecodeString(l.Auth); err == nil && l.Auth != "" {
		username, password, _ = strings.Cut(string(plain), ":")
	}
	return cmp.Or(l.Username, username), cmp.Or(l.Password, password)
}

// Secrets are the passwords and tokens, which nobody may see, in clear and as they are written.
func (c Credentials) Secrets() []string {
	var out []string
	for _, l := range c.auths {
		_, password := l.pair()
		out = append(out, password, l.Password, l.Auth, l.IdentityToken, l.RegistryToken)
	}
	return out
}

// match returns the entry for an artifact: the most exact one, as the kubelet chooses (kubernetes.io/docs, "Interpretation of
// config.json").
func (c Credentials) match(ref registry.Reference) (login, bool) {
	var best login
	length := -1
	for key, l := range c.auths {
		host, path := split(key)
		if host != alias(ref.Registry) || path != "" && ref.Repository != path && !strings.HasPrefix(ref.Repository, path+"/") {
			continue
		}
		if len(path) > length {
			best, length = l, len(path)
		}
	}
	return best, length >= 0
}

// split returns host and path of a key: "https://index.docker.io/v1/" is docker.io.
func split(key string) (host, path string) {
	_, rest, found := strings.Cut(key, "://")
	if !found {
		rest = key
	}
	host, path, _ = strings.Cut(strings.TrimSuffix(rest, "/"), "/")
	if path == "v1" || path == "v2" {
		path = ""
	}
	return alias(host), path
}

func alias(host string) string {
	switch host {
	case "index.docker.io", "registry-1.docker.io":
		return hub
	}
	return host
}

func (c Credentials) has(ref registry.Reference) bool {
	_, found := c.match(ref)
	return found
}

func (c Credentials) given() bool { return c.auths != nil }

// of returns what the client asks for the credentials of a host: those of the artifact, for its registry alone.
func (c Credentials) of(ref registry.Reference) auth.CredentialFunc {
	return func(_ context.Context, host string) (auth.Credential, error) {
		l, found := c.match(ref)
		if !found || alias(host) != alias(ref.Registry) {
			return auth.EmptyCredential, nil
		}
		username, password := l.pair()
		if l.IdentityToken != "" {
			username, password = "", "" // it is used in their place
		}
		return auth.Credential{Username: username, Password: password, RefreshToken: l.IdentityToken, AccessToken: l.RegistryToken}, nil
	}
}
