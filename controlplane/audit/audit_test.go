package audit_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// chain makes a record of n entries.
func chain(n int) []audit.Entry {
	org, previous := uuid.New(), audit.Start()
	var out []audit.Entry
	for i := range n {
		e := audit.Entry{
			Organization: org, Number: int64(i + 1), At: time.Unix(int64(i), 0), Actor: audit.Actor{Kind: tenant.KindMember, ID: uuid.New(), Name: "ada"},
			Action: "RunWorkflow", Object: audit.Object{Kind: "workflow", ID: "7", Name: "smoke"}, From: "192.0.2.1", Outcome: audit.Done,
			Details: map[string]string{"b": "2", "a": "1"}, Previous: previous,
		}
		e.Hash = e.Sum(previous)
		previous = e.Hash
		out = append(out, e)
	}
	return out
}

func verify(entries []audit.Entry, end audit.Head) error {
	var v audit.Verifier
	for _, e := range entries {
		if err := v.Next(e); err != nil {
			return err
		}
	}
	return v.Finish(end)
}

func TestVerifier(t *testing.T) {
	t.Parallel()
	whole := chain(4)
	end := audit.Head{Number: 4, Hash: whole[3].Hash}
	rehashed := slices.Clone(whole)
	rehashed[1].Action = "Nothing"
	rehashed[1].Hash = rehashed[1].Sum(rehashed[1].Previous)
	anew := chain(4)
	tests := map[string]struct {
		entries []audit.Entry
		says    string // empty when it holds
	}{
		"Whole":       {whole, ""},
		"Removed":     {slices.Concat(whole[:1], whole[2:]), "removed"},
		"FirstGone":   {whole[1:], "removed"},
		"LastGone":    {whole[:3], "removed"},
		"Inserted":    {slices.Concat(whole[:2], whole[1:]), "inserted"},
		"Swapped":     {[]audit.Entry{whole[0], whole[2], whole[1], whole[3]}, "removed"},
		"Rehashed":    {rehashed, "replaced"},
		"WrittenAnew": {anew, "written anew"},
		"Added":       {append(slices.Clone(whole), grown(whole)), "past the record"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := verify(tc.entries, end)
			if (tc.says == "") != (err == nil) || (err != nil && (!fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), tc.says))) {
				t.Errorf("err = %v, want %q", err, tc.says)
			}
		})
	}
}

func grown(whole []audit.Entry) audit.Entry {
	e := whole[len(whole)-1]
	e.Previous = e.Hash
	e.Number++
	e.Hash = e.Sum(e.Previous)
	return e
}

// TestEntry_Sum proves that every field is covered, and that text cannot move from one field to the next.
func TestEntry_Sum(t *testing.T) {
	t.Parallel()
	base := chain(1)[0]
	changes := map[string]func(*audit.Entry){
		"organization": func(e *audit.Entry) { e.Organization = uuid.New() }, "number": func(e *audit.Entry) { e.Number++ },
		"at": func(e *audit.Entry) { e.At = e.At.Add(time.Microsecond) }, "actor kind": func(e *audit.Entry) { e.Actor.Kind = tenant.KindToken },
		"actor id": func(e *audit.Entry) { e.Actor.ID = uuid.New() }, "actor name": func(e *audit.Entry) { e.Actor.Name = "bob" },
		"person": func(e *audit.Entry) { e.Actor.Person = "bob" }, "credential": func(e *audit.Entry) { e.Actor.Credential = uuid.New() },
		"action": func(e *audit.Entry) { e.Action = "x" }, "object kind": func(e *audit.Entry) { e.Object.Kind = "x" },
		"object id": func(e *audit.Entry) { e.Object.ID = "x" }, "object name": func(e *audit.Entry) { e.Object.Name = "x" },
		"from": func(e *audit.Entry) { e.From = "x" }, "outcome": func(e *audit.Entry) { e.Outcome = audit.Failed },
		"details": func(e *audit.Entry) { e.Details = map[string]string{"a": "1", "b": "3"} },
		"moved":   func(e *audit.Entry) { e.Object.Kind, e.Object.ID = "workflow7", "" },
		"merged":  func(e *audit.Entry) { e.Details = map[string]string{"a": "1b2"} },
	}
	for name, change := range changes {
		e := base
		change(&e)
		if bytes.Equal(e.Sum(e.Previous), base.Hash) {
			t.Errorf("%s is not covered by the hash", name)
		}
	}
	other := base
	other.At = base.At.In(time.FixedZone("there", 3600)).Add(time.Nanosecond)
	if !bytes.Equal(other.Sum(other.Previous), base.Hash) {
		t.Error("the hash depends on how a database keeps time")
	}
}

type appender struct {
	entries []audit.Entry
	err     error
}

func (a *appender) AppendAudit(_ context.Context, e audit.Entry) error {
	a.entries = append(a.entries, e)
	return a.err
}

func TestFinish(t *testing.T) {
	t.Parallel()
	who := tenant.Viewer{Kind: tenant.KindToken, Organization: uuid.New(), Subject: uuid.New(), Credential: uuid.New(), Name: "ci", Maker: "ada"}
	broken := errors.New("the disk is full")
	tests := map[string]struct {
		viewer  tenant.Viewer
		kept    bool
		store   error
		err     error
		entries int
		want    error
		reason  string
	}{
		"Unchanged":      {viewer: who, entries: 1, reason: "what changed nothing is recorded at its end"},
		"Kept":           {viewer: who, kept: true, reason: "it was recorded with the change"},
		"Refused":        {viewer: who, err: fault.New(fault.Forbidden, "no"), entries: 1, want: fault.New(fault.Forbidden, "no"), reason: "refusals are recorded"},
		"Nobody":         {err: fault.New(fault.Unauthenticated, "no"), want: fault.New(fault.Unauthenticated, "no"), reason: "no organization's record"},
		"StoreAway":      {viewer: who, store: broken, entries: 1, want: broken, reason: "what cannot be recorded has not been done"},
		"RefusedAndAway": {viewer: who, store: broken, err: fault.New(fault.Forbidden, "no"), entries: 1, want: fault.New(fault.Forbidden, "no"), reason: "a refusal stays one"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, note := audit.Begin(t.Context(), "RunWorkflow", "192.0.2.1")
			audit.Of(ctx).By(tc.viewer)
			if tc.kept {
				note.Keep()
			}
			to := &appender{err: tc.store}
			err := audit.Finish(ctx, note, to, slog.New(slog.DiscardHandler), tc.err)
			if len(to.entries) != tc.entries || (err == nil) != (tc.want == nil) || fault.KindOf(err) != fault.KindOf(tc.want) {
				t.Errorf("%d entries, error %v: %s", len(to.entries), err, tc.reason)
			}
		})
	}
}

// TestNote_Nil proves that what the control plane does by itself needs no note.
func TestNote_Nil(t *testing.T) {
	t.Parallel()
	n := audit.Of(t.Context())
	n.By(tenant.Viewer{})
	n.On(audit.Object{Kind: "x"})
	n.Detail("a", "b")
	if err := audit.Finish(t.Context(), n, nil, nil, nil); err != nil {
		t.Error(err)
	}
}
