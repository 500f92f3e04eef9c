package notify

import (
	"maps"
	"slices"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

// A document of kind Webhook holds no secret, so that it can lie in a repository and in a cluster. The secret that signs is made here, and
// shown to whoever rotates it; tokens of receivers, and addresses that are secrets, are set here once by somebody of the team, and stay when
// the document changes. A Secret of Kubernetes would not do: the agent reads none, and what is in a cluster does not leave it.

// CheckDocument says what is wrong with a document beside what its schema says.
func CheckDocument(read parse.Result) []fault.Place {
	doc, ok := read.Value.(*document.WebhookDocument)
	if !ok || doc.Spec.Template == "" {
		return nil
	}
	err := CheckTemplate(doc.Spec.Template)
	if err == nil {
		return nil
	}
	at := read.At("spec.template")
	at.Message = fault.Sentence(err)
	return []fault.Place{at}
}

// Said is what a document says of a webhook.
func Said(doc *document.WebhookDocument, source string) Webhook {
	w := Webhook{
		Name: doc.Metadata.Name, Format: Format(doc.Spec.Format), Template: doc.Spec.Template, Suspended: doc.Spec.Suspend,
		Filter: Filter{Workflows: doc.Spec.Workflows, Labels: doc.Spec.Selector, Environments: doc.Spec.Environments},
		Digest: doc.Digest, Source: source, Revision: 1,
	}
	for _, e := range doc.Spec.Events {
		w.Events = append(w.Events, Event(e))
	}
	if len(w.Events) == 0 {
		w.Events = Usual()
	}
	return w
}

// Bring makes of a webhook what a document says. What is secret stays, as far as it is for the same server and means the same.
func Bring(doc *document.WebhookDocument, source string) Amend {
	return func(w *Webhook, kept *Secrets) error {
		said, before := Said(doc, source), w.Format
		w.Format, w.Events, w.Filter, w.Template, w.Suspended = said.Format, said.Events, said.Filter, said.Template, said.Suspended
		w.Digest, w.Source = said.Digest, said.Source
		if before != "" && before != w.Format {
			*kept = Secrets{} // an address that nobody has written down is that of the other format
			w.Address = ""
		}
		if doc.Spec.URL == "" && kept.URL == "" {
			return nil // somebody sets it
		}
		_, err := kept.take(w, Setting{URL: doc.Spec.URL}, before)
		return err
	}
}

// settable keeps people from changing what a document says: the next time that it is applied it would say something else.
func (w Webhook) settable(in Setting) error {
	if w.Digest == "" {
		return nil
	}
	changed := w
	in.onto(&changed)
	doc, ok := parse.Read([]byte(w.Source)).Value.(*document.WebhookDocument)
	if changed.says(w) && (in.URL == "" || !ok || doc.Spec.URL == "") {
		return nil
	}
	return fault.New(fault.Conflict, "whom the webhook %s tells what stands in its document", w.Name).
		WithHint("Change the document and apply it. Only what is secret is set here: the token, and an address that the document does not say.")
}

// says reports whether two webhooks tell the same in the same form.
func (w Webhook) says(o Webhook) bool {
	return w.Format == o.Format && w.Template == o.Template && slices.Equal(w.Events, o.Events) && maps.Equal(w.Filter.Labels, o.Filter.Labels) &&
		slices.Equal(w.Filter.Workflows, o.Filter.Workflows) && slices.Equal(w.Filter.Environments, o.Filter.Environments)
}
