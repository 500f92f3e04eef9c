package pages

import (
	"context"
	"io"

	"github.com/a-h/templ"
)

// invalid marks an input at fault.
func invalid(wrong string) templ.Attributes {
	if wrong == "" {
		return nil
	}
	return templ.Attributes{"aria-invalid": "true"}
}

// yamlText writes a line of a document. Within preformatted text every space counts, so this is not a template.
func yamlText(l yamlLine) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		text := templ.EscapeString(l.rest)
		switch {
		case l.comment:
			text = `<span class="q">` + text + `</span>`
		case l.key != "":
			text = templ.EscapeString(l.before) + `<span class="k">` + templ.EscapeString(l.key) + `</span>` + text
		}
		_, err := io.WriteString(w, text+"\n")
		return err
	})
}

// firstWorkflow is the shortest workflow that shows something.
const firstWorkflow = `apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: hello}
spec:
  container: {image: docker.io/library/alpine:3}
  steps:
    - name: greet
      run: echo "hello from the cluster"`
