package trigger_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/trigger"
)

func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

const structured = `{"specversion":"1.0","id":"A234","source":"/mycontext","type":"com.example.someevent","subject":"s","data":{"a":1}}`

func TestRead(t *testing.T) {
	t.Parallel()
	r := trigger.Receiver{ID: uuid.UUID{1}, Name: "r"}
	for name, tc := range map[string]struct {
		kind   string
		header http.Header
		body   string
		n      int
		key    string // ends so; empty for any
		bad    fault.Kind
	}{
		"Any":             {trigger.AnySystem, headers("Webhook-Id", "m1", "Authorization", "Bearer x", "X-Api-Key", "x"), `{"a":1}`, 1, " m1", ""},
		"AnyWithoutID":    {trigger.AnySystem, nil, `[1]`, 1, "", ""},
		"AnyNoJSON":       {trigger.AnySystem, nil, `a=1`, 0, "", fault.Invalid},
		"Structured":      {trigger.CloudEvents, headers("Content-Type", "application/cloudevents+json; charset=utf-8"), structured, 1, " /mycontext A234", ""},
		"Binary":          {trigger.CloudEvents, headers("Ce-Specversion", "1.0", "Ce-Id", "7", "Ce-Source", "/s", "Ce-Type", "t", "Content-Type", "application/json"), `{"a":1}`, 1, " /s 7", ""},
		"BinaryText":      {trigger.CloudEvents, headers("Ce-Specversion", "1.0", "Ce-Id", "7", "Ce-Source", "/s", "Ce-Type", "t", "Content-Type", "text/plain"), `hello`, 1, " /s 7", ""},
		"BinaryBroken":    {trigger.CloudEvents, headers("Ce-Specversion", "1.0", "Ce-Id", "7", "Ce-Source", "/s", "Ce-Type", "t", "Content-Type", "application/json"), `{`, 0, "", fault.Invalid},
		"Batch":           {trigger.CloudEvents, headers("Content-Type", "application/cloudevents-batch+json"), "[" + structured + "," + strings.Replace(structured, "A234", "A235", 1) + "]", 2, "", ""},
		"Old":             {trigger.CloudEvents, nil, strings.Replace(structured, `"1.0"`, `"0.3"`, 1), 0, "", fault.Invalid},
		"WithoutID":       {trigger.CloudEvents, nil, strings.Replace(structured, `"id"`, `"ident"`, 1), 0, "", fault.Invalid},
		"LongID":          {trigger.CloudEvents, nil, strings.Replace(structured, "A234", strings.Repeat("x", 300), 1), 0, "", fault.Invalid},
		"ForgeElse":       {"github", headers("X-GitHub-Event", "ping"), `{}`, 0, "", ""},
		"NobodySendsThis": {"cvs", nil, `{}`, 0, "", fault.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := r
			r.Kind = tc.kind
			list, err := trigger.Read(r, tc.header, []byte(tc.body))
			if (tc.bad != "") != (err != nil) || err != nil && !fault.Is(err, tc.bad) || err == nil && len(list) != tc.n {
				t.Fatalf("%+v, %v", list, err)
			}
			for _, e := range list {
				if e.Source != "r" || !strings.HasPrefix(e.Key, r.ID.String()+" ") || tc.n == 1 && !strings.HasSuffix(e.Key, tc.key) {
					t.Errorf("%+v", e)
				}
				if text := string(e.Data); strings.Contains(text, "Bearer") || strings.Contains(text, "api-key") {
					t.Errorf("a credential is kept: %s", text)
				}
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add(true, "application/json", []byte(structured))
	f.Add(false, "application/cloudevents-batch+json", []byte("["+structured+"]"))
	f.Fuzz(func(t *testing.T, any bool, media string, body []byte) {
		r := trigger.Receiver{Name: "r", Kind: trigger.CloudEvents}
		if any {
			r.Kind = trigger.AnySystem
		}
		list, err := trigger.Read(r, http.Header{"Content-Type": {media}}, body)
		if err != nil {
			return
		}
		for _, e := range list {
			if e.Key == "" || e.Type == "" || len(e.Data) == 0 {
				t.Fatalf("%+v", e)
			}
		}
	})
}
