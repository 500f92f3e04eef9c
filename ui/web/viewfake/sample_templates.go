package viewfake

import (
	"time"

	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/ui/web/view"
)

const templateSource = `apiVersion: seatrial.dev/v1
kind: TestWorkflowTemplate
metadata:
  name: playwright
spec:
  params:
    retries: {type: integer, default: 1, minimum: 0, maximum: 5}
  container:
    image: registry.example.com/playwright:1.60
  steps:
    - name: install
      run: npm ci
`

func sampleTemplates() []view.Template {
	return []view.Template{{
		Record: workflow.Record{
			ID: ID("template playwright"), Name: "playwright", Team: "frontend", Labels: map[string]string{"tier": "ui"},
			Description: "Browser tests: the image, the install step, retries", RevisionID: ID("playwright revision"), Revision: 3,
			Digest: Digest("playwright"), Source: templateSource, UpdatedAt: ago(5 * time.Hour),
		},
		Params:    []view.Param{{Name: "retries", Type: "integer", Default: "1", Description: "How often a failed test is repeated"}},
		Workflows: []string{"shop-browser"},
	}}
}
