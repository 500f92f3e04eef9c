package api

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/seatrial/seatrial/controlplane/audit"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// auditor gives each call that may change something its entry in the record: those of one answer that do not say that they have no side
// effects. It stands before the authenticator, so that what is refused gets one as well.
type auditor struct {
	to  audit.Appender
	log *slog.Logger
}

// WrapUnary implements connect.Interceptor.
func (a *auditor) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (res connect.AnyResponse, err error) {
		if req.Spec().IdempotencyLevel == connect.IdempotencyNoSideEffects {
			return next(ctx, req)
		}
		ctx, note := audit.Begin(ctx, path.Base(req.Spec().Procedure), hostOf(req.Peer().Addr))
		if m, ok := req.Any().(proto.Message); ok {
			note.On(objectOf(m))
		}
		res, err = guarded(ctx, req, next)
		if err = audit.Finish(ctx, note, a.to, a.log, err); err != nil {
			return nil, err
		}
		return res, nil
	}
}

// guarded makes an error of a handler's panic, so that the call gets its entry.
func guarded(ctx context.Context, req connect.AnyRequest, next connect.UnaryFunc) (res connect.AnyResponse, err error) {
	defer func() {
		if p := recover(); p != nil {
			res, err = nil, fmt.Errorf("the handler broke: %v", p)
		}
	}()
	return next(ctx, req)
}

// WrapStreamingClient implements connect.Interceptor.
func (a *auditor) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler implements connect.Interceptor. What streams only reads.
func (a *auditor) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}

// hostOf returns the address without the port, which says nothing.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

// objectOf names what a request is about, for calls that do not get as far as finding it.
func objectOf(m proto.Message) audit.Object {
	text := func(field protoreflect.Name) string {
		r := m.ProtoReflect()
		if f := r.Descriptor().Fields().ByName(field); f != nil && f.Kind() == protoreflect.StringKind && !f.IsList() && !f.IsMap() {
			return r.Get(f).String()
		}
		return ""
	}
	o := audit.Object{ID: text("id"), Name: strings.TrimSpace(text("application") + " " + text("version"))}
	for _, field := range []protoreflect.Name{"workflow", "test", "name", "email", "file"} {
		if o.Name == "" {
			o.Name = text(field)
		}
	}
	return o
}

// ListAuditEntries implements AuditServiceHandler.
func (s *server) ListAuditEntries(ctx context.Context, r *apiv1.ListAuditEntriesRequest) (*apiv1.ListAuditEntriesResponse, error) {
	f := audit.Filter{
		Actor: r.GetActor(), Action: r.GetAction(), Kind: r.GetKind(), Object: r.GetObject(), Outcome: audit.Outcome(r.GetOutcome()), From: r.GetFrom(),
		NewestFirst: r.GetNewestFirst(), Size: int(r.GetPageSize()), After: r.GetPageToken(),
	}
	if r.GetSince() != nil {
		f.Since = r.GetSince().AsTime()
	}
	if r.GetUntil() != nil {
		f.Until = r.GetUntil().AsTime()
	}
	page, err := s.Audit.AuditEntries(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("list audit entries: %w", err)
	}
	out := &apiv1.ListAuditEntriesResponse{NextPageToken: page.Next, HeadNumber: page.Head.Number, HeadHash: page.Head.Hash}
	for _, e := range page.Entries {
		out.Entries = append(out.Entries, entryOf(e))
	}
	return out, nil
}

func entryOf(e audit.Entry) *apiv1.AuditEntry {
	return &apiv1.AuditEntry{
		OrganizationId: e.Organization.String(), Number: e.Number, At: timeOf(e.At), ActorKind: string(e.Actor.Kind), ActorId: e.Actor.ID.String(),
		ActorName: e.Actor.Name, ActorPerson: e.Actor.Person, CredentialId: e.Actor.Credential.String(), Action: e.Action, ObjectKind: e.Object.Kind,
		ObjectId: e.Object.ID, ObjectName: e.Object.Name, From: e.From, Outcome: string(e.Outcome), Details: e.Details, Previous: e.Previous, Hash: e.Hash,
	}
}
