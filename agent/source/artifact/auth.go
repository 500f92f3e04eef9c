package artifact

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
)

// Credentials are those of registries, as in a secret of the type kubernetes.io/dockerconfigjson. The zero value has none.
type Credentials struct{ store credentials.Store }

// ReadCredentials reads the key .dockerconfigjson of a secret; an empty one has no credentials.
func ReadCredentials(config string) (Credentials, error) {
	if config == "" {
		return Credentials{}, nil
	}
	store, err := credentials.NewMemoryStoreFromDockerConfig([]byte(config))
	if err != nil {
		return Credentials{}, errNoSecret // the library's text might quote it
	}
	return Credentials{store: store}, nil
}

// Secrets are the passwords and tokens of the key .dockerconfigjson, which nobody may see, in clear and as they are written in it.
func Secrets(config string) []string {
	var parsed struct {
		Auths map[string]struct {
			Password      string `json:"password"`
			Auth          string `json:"auth"`
			IdentityToken string `json:"identitytoken"`
			RegistryToken string `json:"registrytoken"`
		} `json:"auths"`
	}
	if err := json.Unmarshal([]byte(config), &parsed); err != nil {
		return nil // nothing of it is used then
	}
	var out []string
	for _, a := range parsed.Auths {
		out = append(out, a.Password, a.Auth, a.IdentityToken, a.RegistryToken)
		if plain, err := base64.StdEncoding.DecodeString(a.Auth); err == nil {
			_, password, _ := strings.Cut(string(plain), ":")
			out = append(out, password)
		}
	}
	return out
}

func (c Credentials) given() bool { return c.store != nil }

func (c Credentials) find(ctx context.Context, host string) (auth.Credential, error) {
	if c.store == nil {
		return auth.EmptyCredential, nil
	}
	found, err := credentials.Credential(c.store)(ctx, host)
	if err != nil {
		return auth.EmptyCredential, fmt.Errorf("look up the credentials of %s: %w", host, err)
	}
	return found, nil
}
