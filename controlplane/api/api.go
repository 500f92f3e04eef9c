package api

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"buf.build/go/protovalidate"
	"connectrpc.com/connect"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/logchunk"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

// Options are what the API is made of. Everything up to Log is required.
type Options struct {
	Catalog   Catalog
	Applier   Applier
	History   History
	Fleet     Fleet
	Enroller  Enroller
	Runner    Runner
	Queues    Queues
	Examiner  Examiner
	Releases  Releases
	Sharer    Sharer
	Tests     Tests
	Insight   Insight
	Searcher  Searcher
	Schedules Schedules
	Triggers  Triggers
	Gate      Gate
	Webhooks  Webhooks
	Bundles   Bundles
	Accounts  Accounts
	People    People
	Access    Access
	Audit     audit.Store
	Origins   Origins
	Syncer    Syncer
	Bus       Bus
	Blobs     Blobs
	Log       *slog.Logger

	Cookie    string          // name of the cookie of browser sessions
	PublicURL string          // address that people use, without a slash at its end
	Version   string          // of the control plane
	Install   Install         // how agents are installed
	Draining  <-chan struct{} // closed when the program begins to stop: streams end then
	Timing    Timing
}

// Timing holds intervals; zero values mean the defaults.
type Timing struct {
	Safety  time.Duration // a watcher looks again after it, should a hint be lost
	Recheck time.Duration // the credential of a stream is checked again after it
}

func (t Timing) withDefaults() Timing {
	if t.Safety <= 0 {
		t.Safety = 15 * time.Second
	}
	if t.Recheck <= 0 {
		t.Recheck = time.Minute
	}
	return t
}

// maxRequest bounds a request: a workflow has at most 1 MiB.
const maxRequest = 2 << 20

// server implements the services; each has a file of its own.
type server struct {
	Options
	logs *logchunk.Reader
}

// New returns the handler of all services and of downloads. It serves the paths of Paths.
func New(o Options) (http.Handler, error) {
	o.Log = o.Log.With("component", "api")
	o.Timing = o.Timing.withDefaults()
	logs, err := logchunk.NewReader(o.History)
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	validator, err := protovalidate.New()
	if err != nil {
		return nil, fmt.Errorf("api: make validator: %w", err)
	}
	s := &server{Options: o, logs: logs}
	a := &authenticator{accounts: o.Accounts, call: o.People.Call, cookie: o.Cookie, every: o.Timing.Recheck}
	options := []connect.HandlerOption{
		// From the outside in: errors become Connect errors, changes are recorded, credentials become viewers, requests are checked.
		connect.WithInterceptors(&errorMapper{log: o.Log}, &auditor{to: o.Audit, log: o.Log}, a, &validation{validator: validator}),
		connect.WithReadMaxBytes(maxRequest),
	}
	mux := http.NewServeMux()
	mux.Handle(apiv1connect.NewWorkflowServiceHandler(s, options...))
	mux.Handle(apiv1connect.NewExecutionServiceHandler(s, options...))
	mux.Handle(apiv1connect.NewClusterServiceHandler(s, options...))
	mux.Handle(apiv1connect.NewIdentityServiceHandler(s, options...))
	mux.Handle(apiv1connect.NewReleaseServiceHandler(s, options...))
	mux.Handle(apiv1connect.NewTestServiceHandler(s, options...))
	mux.Handle(apiv1connect.NewInsightServiceHandler(s, options...))
	mux.Handle(apiv1connect.NewPeopleServiceHandler(s, options...))
	mux.Handle(apiv1connect.NewAuditServiceHandler(s, options...))
	mux.Handle(apiv1connect.NewAccessServiceHandler(s, options...))
	mux.Handle(apiv1connect.NewScheduleServiceHandler(s, options...))
	mux.Handle(apiv1connect.NewTriggerServiceHandler(s, options...))
	mux.Handle(apiv1connect.NewWebhookServiceHandler(s, options...))
	mux.Handle(apiv1connect.NewCatalogServiceHandler(s, options...))
	mux.HandleFunc("GET "+filesPath+"{id}", s.download(a, s.serveFile))
	mux.HandleFunc("GET "+archivesPath+"{id}", s.download(a, s.serveArchive))
	// A browser's cookie must not be usable from another site's page.
	return http.NewCrossOriginProtection().Handler(mux), nil
}

const (
	filesPath    = "/files/"
	archivesPath = "/archives/"
)

// Paths lists the patterns that the handler of New serves.
func Paths() []string {
	return []string{
		"/" + apiv1connect.WorkflowServiceName + "/", "/" + apiv1connect.ExecutionServiceName + "/",
		"/" + apiv1connect.ClusterServiceName + "/", "/" + apiv1connect.IdentityServiceName + "/",
		"/" + apiv1connect.ReleaseServiceName + "/", "/" + apiv1connect.TestServiceName + "/",
		"/" + apiv1connect.InsightServiceName + "/", "/" + apiv1connect.PeopleServiceName + "/", "/" + apiv1connect.AuditServiceName + "/",
		"/" + apiv1connect.AccessServiceName + "/",
		"/" + apiv1connect.ScheduleServiceName + "/",
		"/" + apiv1connect.WebhookServiceName + "/",
		"/" + apiv1connect.CatalogServiceName + "/",
		"/" + apiv1connect.TriggerServiceName + "/",
		filesPath, archivesPath,
	}
}
