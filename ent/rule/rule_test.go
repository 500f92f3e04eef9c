package rule_test

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"testing"

	entsql "entgo.io/ent/dialect/sql"
	"entgo.io/ent/privacy"
	"github.com/google/uuid"
	_ "modernc.org/sqlite" // driver "sqlite"

	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/resource"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/migrate"
	_ "github.com/seatrial/seatrial/ent/db/runtime" // the rules of the schema
	"github.com/seatrial/seatrial/ent/rule"
)

// TestPolicies asks every table of the generated client, so that a table without a policy is found on the day it is added: without a viewer
// nothing is read, created, changed or deleted, and neither is it for a viewer of no organization.
func TestPolicies(t *testing.T) {
	t.Parallel()
	driver, err := entsql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = driver.Close() })
	client := db.NewClient(db.Driver(driver))
	tables := 0
	for name, table := range clients(client) {
		tables++
		for who, ctx := range map[string]context.Context{
			"nobody":            t.Context(),
			"of nowhere":        tenant.WithViewer(t.Context(), tenant.Viewer{Kind: tenant.KindMember, Role: tenant.RoleOwner}),
			"an agent of none":  tenant.WithViewer(t.Context(), tenant.Viewer{Kind: tenant.KindAgent, Cluster: uuid.New()}),
			"an unknown viewer": tenant.WithViewer(t.Context(), tenant.Viewer{}),
		} {
			for what, of := range map[string][2]string{"read": {"Query", "Count"}, "create": {"Create", "Save"}, "change": {"Update", "Save"}, "delete": {"Delete", "Exec"}} {
				builder := table.MethodByName(of[0])
				if !builder.IsValid() {
					t.Fatalf("%s has no %s", name, of[0])
				}
				out := builder.Call(nil)[0].MethodByName(of[1]).Call([]reflect.Value{reflect.ValueOf(ctx)})
				if err, _ := out[len(out)-1].Interface().(error); !errors.Is(err, privacy.Deny) {
					t.Errorf("%s: %s may %s: %v", name, who, what, err)
				}
			}
		}
	}
	if tables != len(migrate.Tables) {
		t.Errorf("asked %d tables, there are %d", tables, len(migrate.Tables))
	}
}

// clients returns the client of each table.
func clients(client *db.Client) map[string]reflect.Value {
	out := map[string]reflect.Value{}
	all := reflect.ValueOf(client).Elem()
	for i := range all.NumField() {
		if f := all.Field(i); all.Type().Field(i).IsExported() && f.Kind() == reflect.Pointer && f.MethodByName("Query").IsValid() {
			out[all.Type().Field(i).Name] = f
		}
	}
	return out
}

// TestConfines makes whoever adds a table say whose its rows are, where an organization keeps its teams apart.
func TestConfines(t *testing.T) {
	t.Parallel()
	shared := rule.Shared()
	for name := range clients(db.NewClient()) {
		if _, all := shared[name]; all == rule.Confines(name) {
			t.Errorf("%s is shared: %t, and a team's: %t; it has to be one of them", name, all, rule.Confines(name))
		}
	}
}

// TestClaims makes whoever adds a kind of documents say whose a name of it is, where an organization keeps its teams apart.
func TestClaims(t *testing.T) {
	t.Parallel()
	for _, kind := range resource.Kinds() {
		if kind.Name == document.TestExecutionKind {
			continue // it starts something, and its name is none of the catalog
		}
		if !rule.Claims(kind.Name) {
			t.Errorf("who is confined to the own teams does not see who keeps a %s, and may change it", kind.Name)
		}
	}
}
