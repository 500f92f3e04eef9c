package app_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	_ "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1" // its descriptors
	_ "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"   // its descriptors
)

// answerLimit is how long an answer, or the first of a stream, may take.
const answerLimit = 20 * time.Second

// methodsOf lists the methods of all services in a package, from the descriptors: a method that is added is probed on that day.
func methodsOf(pkg protoreflect.FullName) (out []protoreflect.MethodDescriptor) {
	protoregistry.GlobalFiles.RangeFilesByPackage(pkg, func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			methods := f.Services().Get(i).Methods()
			for j := range methods.Len() {
				out = append(out, methods.Get(j))
			}
		}
		return true
	})
	// What looks comes first and what makes something last: then the other organization has something of the same name for itself.
	slices.SortStableFunc(out, func(a, b protoreflect.MethodDescriptor) int { return cmp.Compare(turn(a), turn(b)) })
	return out
}

// turn is when a method is asked.
func turn(m protoreflect.MethodDescriptor) int {
	switch {
	case reading(m):
		return 0
	case strings.HasPrefix(string(m.Name()), "Create"):
		return 2
	}
	return 1
}

func path(m protoreflect.MethodDescriptor) string {
	return "/" + string(m.Parent().FullName()) + "/" + string(m.Name())
}

// ask fills a message of a descriptor with what identifies things. A field whose name says of which kind it is gets that; any other that
// may be an identifier gets the value of the kind given, so that a method is asked with each of them.
func ask(d protoreflect.MessageDescriptor, with values, as kind) *dynamicpb.Message {
	m := dynamicpb.NewMessage(d)
	fill(m, with, as, 0)
	return m
}

func fill(m protoreflect.Message, with values, as kind, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch {
		case f.IsMap():
		case f.IsList():
			if v, ok := named(string(f.Name()), with); ok && f.Kind() == protoreflect.StringKind {
				m.Mutable(f).List().Append(protoreflect.ValueOfString(v))
			} else if f.Message() != nil && depth < 3 {
				list := m.Mutable(f).List()
				one := list.NewElement()
				fill(one.Message(), with, as, depth+1)
				list.Append(one)
			}
		case f.Message() != nil && f.Message().FullName() == "google.protobuf.Timestamp":
			at := m.NewField(f)
			seconds := at.Message().Descriptor().Fields().ByName("seconds")
			at.Message().Set(seconds, protoreflect.ValueOfInt64(timestamppb.New(time.Now().Add(time.Hour)).GetSeconds()))
			m.Set(f, at)
		case f.Message() != nil && depth < 3 && !strings.HasPrefix(string(f.Message().FullName()), "google."):
			fill(m.Mutable(f).Message(), with, as, depth+1)
		case f.Kind() == protoreflect.StringKind:
			m.Set(f, protoreflect.ValueOfString(text(string(f.Name()), with, as)))
		case f.Kind() == protoreflect.EnumKind && depth > 0: // in the message itself it narrows what is looked for
			m.Set(f, protoreflect.ValueOfEnum(1))
		case f.Kind() == protoreflect.BytesKind && f.Name() == "sha256":
			m.Set(f, protoreflect.ValueOfBytes(make([]byte, 32)))
		case f.Kind() == protoreflect.Uint32Kind && strings.HasPrefix(string(f.Name()), "protocol"):
			m.Set(f, protoreflect.ValueOfUint32(1))
		}
	}
}

// text is the value of a field that holds a string.
func text(name string, with values, as kind) string {
	if v, ok := named(name, with); ok {
		return v
	}
	switch name {
	case "page_token", "state", "idempotency_key", "file", "service", "team", "namespace":
		return ""
	case "reason", "comment", "password", "commit":
		return "probe"
	case "stream":
		return "step/0"
	case "rule":
		return "no-unwaived-failures"
	}
	return with[as]
}

// named is the value of the kind that a field's name speaks of.
func named(name string, with values) (string, bool) {
	name = strings.TrimSuffix(strings.TrimSuffix(name, "_id"), "_name")
	for _, plural := range []string{"", "s"} {
		if v, ok := with[kind(strings.TrimSuffix(name, plural))]; ok {
			return v, true
		}
	}
	return "", false
}

// outcome is what a caller is told.
type outcome struct {
	code string // empty when all went well
	text string // the message, or all of the answer
}

// call asks a method of the API as Connect does, with JSON.
func (w *world) call(t *testing.T, m protoreflect.MethodDescriptor, request proto.Message, header http.Header) outcome {
	t.Helper()
	body, err := protojson.Marshal(request)
	worked(t, err)
	kind := "application/json"
	if m.IsStreamingServer() {
		kind = "application/connect+json"
		body = append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(body))), body...)
	}
	ctx, cancel := context.WithTimeout(t.Context(), answerLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+path(m), bytes.NewReader(body))
	worked(t, err)
	req.Header = header.Clone()
	req.Header.Set("Content-Type", kind)
	req.Header.Set("Connect-Protocol-Version", "1")
	res, err := http.DefaultTransport.RoundTrip(req)
	worked(t, err)
	defer res.Body.Close()
	if !m.IsStreamingServer() {
		all, err := io.ReadAll(res.Body)
		worked(t, err)
		return read(res.StatusCode == http.StatusOK, all)
	}
	frame := make([]byte, 5)
	if _, err := io.ReadFull(res.Body, frame); err != nil {
		t.Fatalf("%s: %v", path(m), err)
	}
	first := make([]byte, binary.BigEndian.Uint32(frame[1:]))
	if _, err := io.ReadFull(res.Body, first); err != nil {
		t.Fatalf("%s: %v", path(m), err)
	}
	if frame[0]&2 == 0 {
		return outcome{text: string(first)}
	}
	var end struct{ Error json.RawMessage }
	worked(t, json.Unmarshal(first, &end))
	return read(end.Error == nil, end.Error)
}

func read(fine bool, body []byte) outcome {
	if fine {
		return outcome{text: string(body)}
	}
	var failed struct{ Code, Message string }
	if err := json.Unmarshal(body, &failed); err != nil || failed.Code == "" {
		return outcome{"unreadable", string(body)}
	}
	return outcome{failed.Code, failed.Message}
}

// figures count.
type figures struct{ probes, leaks, vacuous int }

// judge reports a leak: words of the organization in the answer which the question did not have.
func (f *figures) judge(t *testing.T, w *world, what, question string, o outcome) {
	t.Helper()
	f.probes++
	for _, word := range w.known {
		rest := o.text
		for _, v := range w.theirs {
			if strings.Contains(question, v) {
				rest = strings.ReplaceAll(rest, v, "")
			}
		}
		if strings.Contains(rest, word) {
			f.leaks++
			t.Errorf("%s was told %q: %.300s", what, word, o.text)
			return
		}
	}
}

// blank takes out what was asked for, so that answers about what is foreign and what is absent can be compared.
func blank(o outcome, asked values) outcome {
	for k, v := range asked {
		if k != "source" { // it has the others in it
			o.text = strings.ReplaceAll(o.text, v, "…")
		}
	}
	return o
}

// reading reports whether a method only looks: what a new one does that is not named like this, a viewer must be refused.
func reading(m protoreflect.MethodDescriptor) bool {
	return slices.ContainsFunc([]string{"Get", "List", "Watch", "Stream", "Compare", "DryRun", "Search", "WhoAmI"}, func(verb string) bool {
		return strings.HasPrefix(string(m.Name()), verb)
	})
}

// ofCaller reports whether an answer says that the caller has no such thing: everybody may revoke tokens of their own.
func ofCaller(m protoreflect.MethodDescriptor, o outcome) bool {
	return m.Name() == "RevokeToken" && (o.code == "not_found" || o.code == "invalid_argument")
}

// kinds are the kinds of a fixture, in a stable order.
func kinds(of values) (out []kind) {
	for k := range of {
		if k != "source" { // it identifies nothing
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// probeAPI calls every method of the API as everybody who must not get anywhere.
func (w *world) probeAPI(t *testing.T, f *figures) {
	t.Helper()
	bearing := func(caller string) http.Header { return http.Header{"Authorization": {"Bearer " + w.tokens[caller]}} }
	asked := map[string]bool{}
	for _, m := range methodsOf("seatrial.api.v1") {
		public := m.Name() == "SignIn" || m.Name() == "ExchangeToken"
		answered, last := false, outcome{}
		for _, k := range kinds(w.theirs) {
			request := ask(m.Input(), w.theirs, k)
			question := protojson.Format(request)
			if asked[string(m.FullName())+question] {
				continue // this kind makes no difference
			}
			asked[string(m.FullName())+question] = true
			for _, caller := range []string{"no one", "expired token", "revoked token", "wrong audience"} {
				header := bearing(caller)
				if caller == "no one" {
					header = http.Header{}
				}
				o := w.call(t, m, request, header)
				if f.judge(t, w, caller+" asking "+path(m), question, o); o.code != "unauthenticated" && !public {
					t.Errorf("%s as %s: %+v", path(m), caller, o)
				}
			}
			if public {
				continue
			}
			if o := w.call(t, m, request, bearing("viewer")); !reading(m) && o.code != "permission_denied" && !ofCaller(m, o) {
				t.Errorf("%s as viewer: %+v", path(m), o)
			} else {
				answered, last = answered || o.code == "", o
				f.probes++
			}
			w.compare(t, f, m, k, bearing("wrong organization"))
		}
		if reading(m) && !answered {
			f.vacuous++
			t.Logf("%s: nobody gets an answer, so its probes prove little: %+v", path(m), last)
		}
	}
}

// compare asks on behalf of another organization for what is foreign and for what is absent.
func (w *world) compare(t *testing.T, f *figures, m protoreflect.MethodDescriptor, k kind, header http.Header) {
	t.Helper()
	nothing := absent()
	foreign := ask(m.Input(), w.theirs, k)
	o := w.call(t, m, foreign, header)
	f.judge(t, w, "another organization asking "+path(m)+" for "+string(k), protojson.Format(foreign), o)
	other := w.call(t, m, ask(m.Input(), nothing, k), header)
	f.probes++
	if a, b := blank(o, w.theirs), blank(other, nothing); a.code != b.code || (a.code != "" && a.text != b.text) {
		t.Errorf("%s tells a foreign %s from an absent one:\n%+v\n%+v", path(m), k, a, b)
	}
}
