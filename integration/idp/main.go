// idp is an OpenID Connect provider for tests: the real one of zitadel/oidc, with accounts from a file that is read anew for every sign-in.
// It is a module of its own, so that nothing of it is among the dependencies of the product.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// account is somebody whom the provider knows.
type account struct {
	ID, Username, Password, Name, Email string
	Verified                            bool
	Groups                              []string
}

// accounts are those of a file.
type accounts struct{ file string }

func (a accounts) find(is func(account) bool) (account, *storage.User) {
	var all []account
	text, err := os.ReadFile(a.file)
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		slog.Error("read accounts", "error", err)
	}
	for _, one := range all {
		if is(one) {
			return one, &storage.User{
				ID: one.ID, Username: one.Username, Password: one.Password, FirstName: one.Name, Email: one.Email, EmailVerified: one.Verified,
			}
		}
	}
	return account{}, nil
}

func (a accounts) GetUserByID(id string) *storage.User {
	_, u := a.find(func(one account) bool { return one.ID == id })
	return u
}

func (a accounts) GetUserByUsername(name string) *storage.User {
	_, u := a.find(func(one account) bool { return one.Username == name })
	return u
}

func (accounts) ExampleClientID() string { return "service" }

// grouped adds the groups to what is told of somebody.
type grouped struct {
	*storage.Storage
	of accounts
}

func (g grouped) add(info *oidc.UserInfo, subject string) {
	one, u := g.of.find(func(one account) bool { return one.ID == subject })
	if u != nil {
		info.Name = one.Name
		info.AppendClaims("groups", one.Groups)
	}
}

func (g grouped) SetUserinfoFromRequest(ctx context.Context, info *oidc.UserInfo, r op.IDTokenRequest, scopes []string) error {
	err := g.Storage.SetUserinfoFromRequest(ctx, info, r, scopes)
	g.add(info, r.GetSubject())
	return err
}

func (g grouped) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, id, subject, origin string) error {
	err := g.Storage.SetUserinfoFromToken(ctx, info, id, subject, origin)
	g.add(info, subject)
	return err
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to serve on; its line on the standard output is the issuer")
	file := flag.String("accounts", "", "JSON file with the accounts")
	redirect := flag.String("redirect", "", "where people are sent back to")
	secret := flag.String("secret", "", "secret of the client seatrial")
	flag.Parse()
	if err := serve(*listen, accounts{*file}, *redirect, *secret); err != nil {
		fmt.Fprintln(os.Stderr, "idp:", err)
		os.Exit(1)
	}
}

func serve(listen string, of accounts, redirect, secret string) error {
	lis, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	issuer := "http://" + lis.Addr().String()
	storage.RegisterClients(storage.WebClient("seatrial", secret, redirect))
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	handler := exampleop.SetupServer(issuer, grouped{storage.NewStorage(of), of}, log, false)
	fmt.Println(issuer)
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	return server.Serve(lis)
}
