package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/controlplane/release/attest/key"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
	"github.com/seatrial/seatrial/ui/cli/render"
)

func (a *app) releaseKeys() *cobra.Command {
	var to target
	c := &cobra.Command{
		Use: "keys", Short: "Show or write the public keys that bundles are checked with", Args: cobra.NoArgs,
		Long: "Show or write the public keys of the organization: the one that signs, and those that did. Hand the list to whoever is to check " +
			"bundles, on another way than the bundles. The first key is made with the first bundle.",
	}
	to.flags(c, "file to write the list to, or - for standard output")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if to.file != "" {
			if err := to.check(); err != nil {
				return err
			}
		}
		list, err := a.keyList(c.Context())
		if err != nil {
			return err
		}
		if to.file != "" {
			return a.save(to, list)
		}
		return a.showKeys(list)
	}
	c.AddCommand(a.rotate(), a.revokeKey())
	return c
}

// keyList returns the list of the own organization, as everybody gets it.
func (a *app) keyList(ctx context.Context) ([]byte, error) {
	cl, err := a.connect()
	if err != nil {
		return nil, err
	}
	who, err := cl.identity.WhoAmI(ctx, &apiv1.WhoAmIRequest{})
	if err != nil {
		return nil, err
	}
	list, err := a.fetch(ctx, strings.TrimRight(a.target.Server, "/")+key.Path+url.PathEscape(who.GetOrganization()))
	if err != nil {
		return nil, coded(exitcode.Errored, err)
	}
	return list, nil
}

func (a *app) showKeys(list []byte) error {
	if a.format != render.Table {
		return render.Text(a.Out, a.format, list)
	}
	ring, err := key.ParseRing(list)
	if err != nil {
		return coded(exitcode.Errored, err)
	}
	var rows [][]string
	for _, k := range ring.Keys() {
		rows = append(rows, []string{k.ID(), k.Algorithm(), instantOf(k.NotBefore), instantOf(k.RetiredAt), revocationOf(k)})
	}
	if len(rows) == 0 {
		a.say("None yet. The first one is made with: seatrial release bundle APPLICATION VERSION")
		return nil
	}
	return render.Rows(a.Out, []string{"KEY", "ALGORITHM", "IN USE SINCE", "RETIRED", "REVOKED"}, rows)
}

// revocationOf says since when a key is not believed, and why.
func revocationOf(k key.Public) string {
	switch {
	case k.Revoked == nil:
		return render.Time(nil)
	case k.Revoked.Compromised:
		return instantOf(k.Revoked.At) + ", compromised: " + k.Revoked.Reason
	}
	return instantOf(k.Revoked.At) + ": " + k.Revoked.Reason
}

func (a *app) revokeKey() *cobra.Command {
	req := &apiv1.RevokeSigningKeyRequest{}
	c := &cobra.Command{
		Use: "revoke KEY", Short: "Take trust from a key", Args: cobra.ExactArgs(1),
		Long: "Take trust from a key: bundles that say they were signed from now on do not hold. With --compromised none of its bundles does, whenever it " +
			"says it was signed: whoever has stolen a key chooses that time. When the key is the one that signs, a new one follows. The key stays on " +
			"the list with the reason, which everybody can read; nothing is taken back. Releases that are to stay proven are signed again with " +
			"seatrial release bundle.",
		Example: "  seatrial release keys revoke 4f1c… --reason \"a backup was lost\" --compromised",
	}
	c.Flags().StringVar(&req.Reason, "reason", "", "why, in at most 200 bytes (required)")
	c.Flags().BoolVar(&req.Compromised, "compromised", false, "somebody else may have signed with it")
	_ = c.MarkFlagRequired("reason")
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := a.connect()
		if err != nil {
			return err
		}
		req.KeyId = args[0]
		res, err := cl.releases.RevokeSigningKey(c.Context(), req)
		if err != nil {
			return err
		}
		if a.format != render.Table {
			return render.Text(a.Out, a.format, res.GetKeyList())
		}
		a.say("Hand out the new list: seatrial release keys --out keys.json")
		return a.print("Revoked %s; signing with %s", render.Line(args[0]), render.Line(res.GetKeyId()))
	}
	return c
}

func instantOf(t time.Time) string {
	if t.IsZero() {
		return render.Time(nil)
	}
	return render.Time(timestamppb.New(t))
}

func (a *app) rotate() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use: "rotate", Short: "Retire the key that signs and make a new one", Args: cobra.NoArgs,
		Long: "Retire the key that signs and make a new one. What the old one signed stays good; whoever checks bundles needs the new list for " +
			"those that come.",
	}
	c.Flags().BoolVar(&yes, "yes", false, "confirm that everybody who checks bundles will get the new list")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if !yes {
			return errors.New("bundles that come will only be believed with the new key list: confirm with --yes")
		}
		cl, err := a.connect()
		if err != nil {
			return err
		}
		res, err := cl.releases.RotateSigningKey(c.Context(), &apiv1.RotateSigningKeyRequest{})
		if err != nil {
			return err
		}
		if a.format != render.Table {
			return render.Text(a.Out, a.format, res.GetKeyList())
		}
		a.say("Hand out the new list: seatrial release keys --out keys.json")
		return a.print("Signing with %s from now on", render.Line(res.GetKeyId()))
	}
	return c
}

// fetch returns what an address serves to everybody. No credential goes along.
func (a *app) fetch(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := a.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	body, err := bounded(res.Body, address)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s: %s", address, res.Status, render.Line(strings.TrimSpace(string(body[:min(len(body), 200)]))))
	}
	return body, err
}

// bounded reads what can be a key list.
func bounded(r io.Reader, name string) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, key.MaxList+1))
	if err == nil && len(text) > key.MaxList {
		err = fmt.Errorf("%s is longer than %d bytes: that is no key list", name, key.MaxList)
	}
	return text, err
}

// trusted reads the keys of several files and addresses.
func (a *app) trusted(ctx context.Context, sources []string) (key.Ring, error) {
	var all []key.Public
	for _, source := range sources {
		keys, err := a.keysOf(ctx, source)
		if err != nil {
			return key.Ring{}, fmt.Errorf("--key %s: %w", source, err)
		}
		for _, k := range keys {
			all = known(all, k)
		}
	}
	if len(all) == 0 {
		return key.Ring{}, errors.New("--key: the key list is empty, so nobody is trusted")
	}
	return key.NewRing(all...)
}

// known adds a key. A list says more than a key alone: when the key was in use.
func known(all []key.Public, k key.Public) []key.Public {
	i := slices.IndexFunc(all, func(other key.Public) bool { return other.ID() == k.ID() })
	switch {
	case i < 0:
		return append(all, k)
	case all[i].Revoked != nil: // one list that says so is enough
	case k.Revoked != nil:
		all[i] = k
	case all[i].NotBefore.IsZero() && all[i].RetiredAt.IsZero():
		all[i] = k
	}
	return all
}

// keysOf reads a public key in PEM or a key list in JSON.
func (a *app) keysOf(ctx context.Context, source string) ([]key.Public, error) {
	text, err := a.keyText(ctx, source)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(strings.TrimSpace(string(text)), "-----BEGIN") {
		k, err := key.ParsePublic(text)
		return []key.Public{k}, err
	}
	ring, err := key.ParseRing(text)
	return ring.Keys(), err
}

func (a *app) keyText(ctx context.Context, source string) ([]byte, error) {
	switch {
	case strings.HasPrefix(source, "http://"):
		a.say("The keys come over plain HTTP: whoever is in between can exchange them.")
		return a.fetch(ctx, source)
	case strings.HasPrefix(source, "https://"):
		return a.fetch(ctx, source)
	}
	f, err := os.Open(source) //nolint:gosec // the user's own path
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	return bounded(f, source)
}
