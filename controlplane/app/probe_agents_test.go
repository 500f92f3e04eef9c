package app_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// variants of a message: with one of several alternatives, each in turn, a stream sends them all one after the other.
func variants(d protoreflect.MessageDescriptor, with values) (out []proto.Message) {
	whole := ask(d, with, "attempt")
	if d.Oneofs().Len() == 0 {
		return []proto.Message{whole}
	}
	for i := range d.Oneofs().Len() {
		one := d.Oneofs().Get(i)
		for j := range one.Fields().Len() {
			m := dynamicpb.NewMessage(d)
			f := one.Fields().Get(j)
			if f.Message() != nil {
				fill(m.Mutable(f).Message(), with, "attempt", 1)
			} else {
				m.Set(f, m.NewField(f))
			}
			out = append(out, m)
		}
	}
	return out
}

// send asks a method of the agents' port and returns what came of it.
func (w *world) send(t *testing.T, m protoreflect.MethodDescriptor, with values, token string) (o outcome, question string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	stream, err := w.conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, path(m))
	worked(t, err)
	for _, message := range variants(m.Input(), with) {
		question += prototext.Format(message)
		if err := stream.SendMsg(message); err != nil {
			break // the answer says why
		}
		if !m.IsStreamingClient() {
			break
		}
	}
	_ = stream.CloseSend()
	for {
		out := dynamicpb.NewMessage(m.Output())
		err := stream.RecvMsg(out)
		if errors.Is(err, io.EOF) {
			return o, question
		}
		if s, _ := status.FromError(err); err != nil {
			o.code, o.text = s.Code().String(), o.text+s.Message()
			return o, question
		}
		o.text += prototext.Format(out)
	}
}

// probeAgents calls every method of the agents' port about an attempt of another organization, and with credentials that do not hold.
func (w *world) probeAgents(t *testing.T, f *figures) {
	t.Helper()
	for _, m := range methodsOf("seatrial.agent.v1") {
		if strings.HasSuffix(string(m.Parent().Name()), "Identity") {
			o, question := w.send(t, m, w.theirs, "") // these have no credential yet
			if f.judge(t, w, "no one asking "+path(m), question, o); o.code == "" && strings.Contains(o.text, "token") {
				t.Errorf("%s gives a credential away: %+v", path(m), o)
			}
			continue
		}
		for _, caller := range []string{"no one", "expired token", "wrong audience", "API token"} {
			o, question := w.send(t, m, w.theirs, w.agents[caller])
			if f.judge(t, w, caller+" asking "+path(m), question, o); o.code != "Unauthenticated" {
				t.Errorf("%s as %s: %+v", path(m), caller, o)
			}
		}
		nothing := absent()
		foreign, question := w.send(t, m, w.theirs, w.agents["wrong organization"])
		f.judge(t, w, "the agent of another organization asking "+path(m), question, foreign)
		none, _ := w.send(t, m, nothing, w.agents["wrong organization"])
		f.probes++
		if foreign.code != none.code || (foreign.code != "" && blank(foreign, w.theirs) != blank(none, nothing)) {
			t.Errorf("%s tells a foreign attempt from an absent one:\n%+v\n%+v", path(m), foreign, none)
		}
		refused := foreign.code != "" || strings.Contains(foreign.text, "refused:") // chunks of logs are answered one by one
		if m.Name() != "Session" && !ownObjects(m) && !refused && strings.Contains(question, w.theirs["attempt"]) {
			t.Errorf("%s serves an attempt of another organization: %+v", path(m), foreign)
		}
		t.Logf("%s of another organization's attempt: %s %s", m.Name(), foreign.code, foreign.text)
	}
}

// ownObjects tells calls whose objects are those of the caller's own cluster, whatever uids they have: one that makes no sense is left out, so
// that the others are taken.
func ownObjects(m protoreflect.MethodDescriptor) bool {
	return m.Name() == "CompareObjects" || m.Name() == "ReportObjects"
}
