package gate

import (
	"testing"

	"github.com/google/uuid"
)

// A token is used again only by the organization and with the key that it was given for: client ids are public.
func TestGrant_IsOfItsOwner(t *testing.T) {
	t.Parallel()
	one := Deployment{Organization: uuid.New(), Installation: 7, Repository: "acme/shop"}
	other := one
	other.Organization = uuid.New()
	app := App{URL: "https://api.github.com", ID: "Iv1.a", Key: "k"}
	replaced := app
	replaced.Key = "another"
	for why, g := range map[string]grant{"another organization": grantFor(app, other), "another key": grantFor(replaced, one)} {
		if g == grantFor(app, one) {
			t.Errorf("%s would get the token", why)
		}
	}
}
