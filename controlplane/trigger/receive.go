package trigger

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/forge"
)

// maxKey bounds the id that a sender gives.
const maxKey = 200

// ReceiverKinds lists who may send.
func ReceiverKinds() (out []string) {
	for _, k := range forge.Kinds() {
		out = append(out, string(k))
	}
	return append(out, AnySystem, CloudEvents)
}

// verify checks that a message was sent by whoever has the secret of a receiver.
func verify(kind, secret string, header http.Header, body []byte, now time.Time) error {
	switch {
	case slices.Contains(forge.Kinds(), forge.Kind(kind)):
		return forge.Verify(forge.Kind(kind), secret, header, body, now) //nolint:wrapcheck // a fault that speaks for itself
	case header.Get("Webhook-Signature") != "":
		return forge.StandardSignature(secret, header, body, now) //nolint:wrapcheck // a fault that speaks for itself
	case header.Get("X-Hub-Signature-256") != "":
		return forge.Verify(forge.GitHub, secret, header, body, now) //nolint:wrapcheck // a fault that speaks for itself
	}
	bearer, _ := strings.CutPrefix(header.Get("Authorization"), "Bearer ")
	return forge.Verify(forge.GitLab, secret, http.Header{"X-Gitlab-Token": {bearer}}, body, now) //nolint:wrapcheck // a fault that speaks for itself
}

// Read makes events of a message: of none that is for nobody, of several where one message tells of several.
func Read(r Receiver, header http.Header, body []byte) ([]Event, error) {
	var list []Event
	var err error
	if whole := r.Kind == AnySystem || r.Kind == CloudEvents; whole && len(body) > maxData {
		return nil, fault.New(fault.Invalid, "the message has %d bytes, and %d are the limit", len(body), maxData).
			WithHint("Send what a trigger has to know, and where the rest is.")
	}
	switch r.Kind {
	case AnySystem:
		list, err = readAny(header, body)
	case CloudEvents:
		list, err = readCloud(header, body)
	default:
		list, err = readForge(forge.Kind(r.Kind), header, body)
	}
	for i := range list {
		e := &list[i]
		if e.Key == "" { // nobody can tell whether it was sent before
			e.Key = uuid.NewString()
		}
		if len(e.Key) > maxKey || len(e.Type) > maxKey || len(e.Subject) > maxBytes {
			return nil, fault.New(fault.Invalid, "the id, type or subject of the event is too long")
		}
		e.Organization, e.Source, e.Key = r.Organization, r.Name, r.ID.String()+" "+e.Key
	}
	return list, err
}

const maxBytes = 1024

// maxData bounds messages that are kept as they are; of those of forges only what is read stays.
const maxData = 256 << 10

func readForge(kind forge.Kind, header http.Header, body []byte) ([]Event, error) {
	d, err := forge.Parse(kind, header, body)
	if err != nil {
		return nil, err //nolint:wrapcheck // a fault that speaks for itself
	}
	var out []Event
	for i, p := range d.Pushes {
		data, err := json.Marshal(p)
		if err != nil {
			return nil, fmt.Errorf("encode push: %w", err)
		}
		e := Event{Kind: Git, Type: p.Event, Subject: p.Repository, Data: data}
		if d.ID != "" {
			e.Key = d.ID + "/" + strconv.Itoa(i)
		}
		out = append(out, e)
	}
	return out, nil
}

// kept are the headers that filters may look at: no other may hold a credential.
func kept(header http.Header) map[string]string {
	out := map[string]string{}
	for name := range header {
		low := strings.ToLower(name)
		if low == "content-type" || low == "user-agent" || strings.HasPrefix(low, "x-") && !strings.Contains(low, "token") &&
			!strings.Contains(low, "signature") && !strings.Contains(low, "key") && !strings.HasPrefix(low, "x-forwarded") && !strings.Contains(low, "secret") {
			out[low] = header.Get(name)
		}
	}
	return out
}

func readAny(header http.Header, body []byte) ([]Event, error) {
	if !json.Valid(body) {
		return nil, fault.New(fault.Invalid, "the message is not JSON").WithHint("Send it with Content-Type: application/json.")
	}
	data, err := json.Marshal(map[string]any{"headers": kept(header), "body": json.RawMessage(body)})
	if err != nil {
		return nil, fmt.Errorf("encode message: %w", err)
	}
	e := Event{Kind: Webhook, Type: "message", Data: data, Key: header.Get("Webhook-Id")}
	if e.Key == "" {
		e.Key = header.Get("Idempotency-Key")
	}
	return []Event{e}, nil
}

// readCloud reads a CloudEvent in either of its two forms over HTTP, or a batch of them.
func readCloud(header http.Header, body []byte) ([]Event, error) {
	media, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		media = "application/json"
	}
	switch {
	case media == "application/cloudevents-batch+json":
		var batch []json.RawMessage
		if err := json.Unmarshal(body, &batch); err != nil {
			return nil, fault.New(fault.Invalid, "the batch is not a list of events: %v", err)
		}
		if len(batch) > maxBatch {
			return nil, fault.New(fault.Invalid, "a batch has at most %d events", maxBatch)
		}
		var out []Event
		for _, one := range batch {
			e, err := structured(one)
			if err != nil {
				return nil, err
			}
			out = append(out, e)
		}
		return out, nil
	case header.Get("Ce-Id") != "" || header.Get("Ce-Type") != "":
		return binary(header, media, body)
	}
	e, err := structured(body)
	return []Event{e}, err
}

const maxBatch = 100

// structured reads an event that is JSON with its data in it.
func structured(body []byte) (Event, error) {
	var m map[string]any
	if err := json.Unmarshal(body, &m); err != nil {
		return Event{}, fault.New(fault.Invalid, "the message is not a CloudEvent: %v", err)
	}
	return cloud(m)
}

// binary reads an event whose attributes are headers.
func binary(header http.Header, media string, body []byte) ([]Event, error) {
	m := map[string]any{}
	for name := range header {
		if attribute, ok := strings.CutPrefix(strings.ToLower(name), "ce-"); ok {
			m[attribute] = header.Get(name)
		}
	}
	if media == "application/json" || strings.HasSuffix(media, "+json") {
		var data any
		if err := json.Unmarshal(body, &data); err != nil && len(body) > 0 {
			return nil, fault.New(fault.Invalid, "the data of the event are not JSON: %v", err)
		}
		m["data"] = data
	} else {
		m["data"] = string(body)
	}
	e, err := cloud(m)
	return []Event{e}, err
}

// cloud checks the attributes that every event has. The same source and id are the same event.
func cloud(m map[string]any) (Event, error) {
	text := func(name string) string { s, _ := m[name].(string); return s }
	for _, name := range []string{"specversion", "id", "source", "type"} {
		if text(name) == "" {
			return Event{}, fault.New(fault.Invalid, "the CloudEvent has no %s", name).WithField(name)
		}
	}
	if v := text("specversion"); !strings.HasPrefix(v, "1.") {
		return Event{}, fault.New(fault.Invalid, "the CloudEvent is of version %s; 1.0 is spoken here", v).WithField("specversion")
	}
	data, err := json.Marshal(m)
	if err != nil {
		return Event{}, fmt.Errorf("encode event: %w", err)
	}
	subject := text("subject")
	if subject == "" {
		subject = text("source")
	}
	return Event{Kind: Cloud, Type: text("type"), Subject: subject, Data: data, Key: text("source") + " " + text("id")}, nil
}
