package starter_test

import (
	"testing"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/starter"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

func TestAllowed(t *testing.T) {
	t.Parallel()
	flow := func(name string) []document.StartRef { return []document.StartRef{{Name: name}} }
	in := func(names ...string) *document.Environments { return &document.Environments{Names: names} }
	workflows, places := tenant.Limits{Workflows: []string{"smoke*"}}, tenant.Limits{Environments: []string{"staging"}}
	for name, tc := range map[string]struct {
		limits tenant.Limits
		what   document.Start
		ok     bool
		reason string
	}{
		"NoLimits":         {tenant.Limits{}, document.Start{Workflows: flow("load")}, true, "nothing keeps it"},
		"Within":           {workflows, document.Start{Workflows: flow("smoke-eu")}, true, "its name fits"},
		"OtherWorkflow":    {workflows, document.Start{Workflows: flow("load")}, false, "the token must not run it"},
		"Selector":         {workflows, document.Start{Workflows: []document.StartRef{{Selector: map[string]string{"a": "b"}}}}, false, "it may find anything"},
		"Place":            {places, document.Start{Workflows: flow("load"), Environments: in("staging")}, true, "it is named"},
		"OtherPlace":       {places, document.Start{Workflows: flow("load"), Environments: in("staging", "production")}, false, "one of them is another"},
		"WhereTheFlowSays": {places, document.Start{Workflows: flow("load")}, false, "that may be anywhere"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := tenant.WithViewer(t.Context(), tenant.Viewer{Kind: tenant.KindToken, Name: "ci", Limits: tc.limits, Scopes: []tenant.Scope{tenant.ScopeRun}})
			err := starter.Allowed(ctx, tc.what)
			if (err == nil) != tc.ok || err != nil && !fault.Is(err, fault.Forbidden) {
				t.Errorf("%v: %s", err, tc.reason)
			}
		})
	}
}
