// Package web serves the pages. They are made on the server and work without a script; the one script there is follows logs and
// keeps pages fresh.
package web

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/proto"
	"github.com/seatrial/seatrial/ui/web/apidoc"
	"github.com/seatrial/seatrial/ui/web/static"
	"github.com/seatrial/seatrial/ui/web/view"
)

// Options are what the pages need of the program. Everything up to Log is required.
type Options struct {
	Sessions     view.Sessions
	Door         view.Door
	SSO          view.SSO
	Account      view.Account
	Tokens       view.Tokens
	People       view.People
	Access       view.Access
	History      view.History
	Launcher     view.Launcher
	Origins      view.Origins
	Repositories view.Repositories
	Catalog      view.Catalog
	Fleet        view.Fleet
	Releases     view.Releases
	Snapshots    view.Snapshots
	Tests        view.Tests
	Insight      view.Insight
	Search       view.Search
	Outlook      view.Outlook
	Schedules    view.Schedules
	Triggers     view.Triggers
	Webhooks     view.Webhooks
	Audit        audit.Store
	Logs         view.Logs
	Events       view.Events
	Retention    []view.Kept
	API          http.Handler // the methods of the API, for the data of pages
	Log          *slog.Logger

	// PublicURL is the address that people use, such as https://seatrial.example.com. With https, cookies are kept to encrypted
	// connections. Empty means that the address is what a request says it is.
	PublicURL string
	// Draining is closed when the program begins to stop: live streams end then, so that requests in flight can finish.
	Draining <-chan struct{}

	Now       func() time.Time // nil means time.Now
	NewID     func() string    // of faults and of forms; nil means random ones
	Safety    time.Duration    // a stream looks again after it, should a hint be lost; zero means 15 s
	Heartbeat time.Duration    // how often a silent stream says that it lives; zero means 15 s
	Lifetime  time.Duration    // how long a stream lasts before it must sign in anew; zero means 10 min
}

// incomplete reports whether a required option is missing.
func (o Options) incomplete() bool {
	return o.Sessions == nil || o.Door == nil || o.SSO == nil || o.Access == nil || o.Account == nil || o.Tokens == nil || o.People == nil || o.History == nil || o.Launcher == nil ||
		o.Catalog == nil || o.Origins == nil || o.Repositories == nil || o.Fleet == nil || o.Releases == nil || o.Snapshots == nil || o.Schedules == nil || o.Triggers == nil || o.Webhooks == nil || o.Tests == nil ||
		o.Insight == nil || o.Search == nil || o.Outlook == nil || o.Audit == nil || o.Logs == nil || o.Events == nil || len(o.Retention) == 0 || o.API == nil || o.Log == nil
}

// site is the handler with what it was given.
type site struct {
	Options
	static   *static.Handler
	public   *url.URL         // nil when not known
	services []apidoc.Service // of the API, for its pages
	data     map[string]call  // of the API, by the page that shows what it answers
	opening  chan struct{}    // bounds how many snapshots are opened at once
	judged   judged
}

// New returns the handler of all pages.
func New(o Options) (http.Handler, error) {
	if o.incomplete() {
		return nil, errors.New("web: a required option is missing")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = uuid.NewString
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = 15 * time.Second
	}
	if o.Safety == 0 {
		o.Safety = 15 * time.Second
	}
	if o.Lifetime == 0 {
		o.Lifetime = 10 * time.Minute
	}
	o.Log = o.Log.With("component", "web")
	s := &site{Options: o, data: dataOf(), opening: make(chan struct{}, 4)}
	var err error
	if s.static, err = static.New(); err != nil {
		return nil, err
	}
	if s.services, err = apidoc.Parse(proto.OpenAPI); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(s.denied))
	if o.PublicURL != "" {
		if s.public, err = url.Parse(strings.TrimRight(o.PublicURL, "/")); err != nil || s.public.Host == "" {
			return nil, fmt.Errorf("web: public address %q: give one such as https://seatrial.example.com", o.PublicURL)
		}
		if err := guard.AddTrustedOrigin(s.public.Scheme + "://" + s.public.Host); err != nil {
			return nil, fmt.Errorf("web: public address: %w", err)
		}
	}
	return s.headers(s.recovered(guard.Handler(s.routes()))), nil
}

// routes maps addresses to pages. Whatever is not listed is not found, for those who are signed in; others are asked to sign in.
func (s *site) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+static.Prefix, s.static)
	for pattern, page := range s.openPages() {
		mux.HandleFunc(pattern, page)
	}
	for pattern, page := range s.memberPages() {
		mux.HandleFunc(pattern, s.recorded(pattern, s.member(s.orData(page))))
	}
	return mux
}

// openPages are for everybody.
func (s *site) openPages() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /login":     s.open(s.loginPage),
		"POST /login":    s.recordedAs("SignIn", s.open(s.signIn)),
		"GET /login/sso": s.open(s.ssoPage),

		"GET /login/sso/{org}/{provider}": s.open(s.ssoBegin),

		"GET /login/sso/{org}/{provider}/callback": s.recordedAs("SignIn", s.open(s.ssoFinish)),

		"POST /logout":                s.recordedAs("SignOut", s.open(s.signOut)),
		"GET /invitations/{secret}":   s.open(s.invitation),
		"POST /invitations/{secret}":  s.recordedAs("AcceptInvitation", s.open(s.accept)),
		"POST /theme":                 s.open(s.setTheme),
		"POST /keys":                  s.open(s.setKeys),
		"GET /s/{secret}":             s.open(s.snapshot),
		"GET /s/{secret}/report.json": s.open(s.snapshotData),
		"GET /api":                    s.open(s.apiPage),
		"GET /api/{service}":          s.open(s.apiService),
	}
}

// Patterns lists the addresses of all pages, as http.ServeMux reads them.
func Patterns() []string {
	all := append(MemberPatterns(), slices.Collect(maps.Keys((&site{}).openPages()))...)
	slices.Sort(all)
	return all
}

// MemberPatterns lists the addresses that only somebody who is signed in may look at.
func MemberPatterns() []string { return slices.Sorted(maps.Keys((&site{}).memberPages())) }

func (s *site) memberPages() map[string]memberPage {
	all := map[string]memberPage{
		"GET /{$}":                                                                s.start,
		"GET /o/{org}":                                                            s.overview,
		"GET /o/{org}/search":                                                     s.search,
		"GET /o/{org}/components":                                                 s.components,
		"GET /o/{org}/keyboard":                                                   s.keyboard,
		"GET /o/{org}/catalog":                                                    s.catalog,
		"GET /o/{org}/workflows/{name}":                                           s.workflow,
		"GET /o/{org}/templates":                                                  s.templates,
		"GET /o/{org}/workflows/{name}/history":                                   s.workflowHistory,
		"GET /o/{org}/templates/{name}/history":                                   s.templateHistory,
		"GET /o/{org}/templates/{name}":                                           s.template,
		"POST /o/{org}/workflows/{name}/runs":                                     s.run,
		"GET /o/{org}/executions":                                                 s.executions,
		"GET /o/{org}/executions/{id}":                                            s.execution,
		"GET /o/{org}/executions/{id}/compare":                                    s.compare,
		"POST /o/{org}/executions/{id}/cancel":                                    s.cancel,
		"POST /o/{org}/executions/{id}/resume":                                    s.resume,
		"POST /o/{org}/executions/{id}/rerun":                                     s.rerun,
		"GET /o/{org}/executions/{id}/events":                                     s.executionEvents,
		"GET /o/{org}/executions/{id}/log/{step}":                                 s.logPage,
		"GET /o/{org}/executions/{id}/log/{step}/raw":                             s.rawLog,
		"GET /o/{org}/executions/{id}/log/{step}/events":                          s.logEvents,
		"GET /o/{org}/executions/{id}/service-log/{service}":                      s.logPage,
		"GET /o/{org}/executions/{id}/service-log/{service}/raw":                  s.rawLog,
		"GET /o/{org}/executions/{id}/service-log/{service}/events":               s.logEvents,
		"GET /o/{org}/executions/{id}/files/{file}/{name}":                        s.file,
		"GET /o/{org}/executions/{id}/files.zip":                                  s.archive,
		"GET /o/{org}/releases":                                                   s.releases,
		"GET /o/{org}/releases/outlook":                                           s.outlook,
		"GET /o/{org}/releases/{application}/{version}":                           s.release,
		"GET /o/{org}/releases/{application}/{version}/events":                    s.releaseEvents,
		"POST /o/{org}/releases/{application}/{version}/waivers":                  s.waive,
		"POST /o/{org}/releases/{application}/{version}/waivers/{waiver}/approve": s.approve,
		"POST /o/{org}/releases/{application}/{version}/waivers/{waiver}/revoke":  s.revoke,
		"POST /o/{org}/releases/{application}/{version}/snapshots":                s.share,
		"GET /o/{org}/tests":                                                      s.tests,
		"GET /o/{org}/tests/{key}":                                                s.test,
		"POST /o/{org}/tests/{key}/quarantine":                                    s.quarantine,
		"POST /o/{org}/tests/{key}/quarantine/end":                                s.endQuarantine,
		"GET /o/{org}/failures":                                                   s.failures,
		"GET /o/{org}/failures/{fingerprint}":                                     s.alike,
		"GET /o/{org}/triggers":                                                   s.triggers,
		"GET /o/{org}/events":                                                     s.happened,
		"GET /o/{org}/schedules":                                                  s.schedules,
		"GET /o/{org}/schedules/{name}":                                           s.schedule,
		"POST /o/{org}/schedules/{name}/suspend":                                  s.suspendSchedule,
		"POST /o/{org}/schedules/{name}/resume":                                   s.resumeSchedule,
		"POST /o/{org}/schedules/{name}/run":                                      s.runSchedule,
		"GET /o/{org}/catalog/coverage":                                           s.coverage,
		"GET /o/{org}/clusters":                                                   s.clusters,
		"POST /o/{org}/clusters":                                                  s.enroll,
		"GET /o/{org}/settings/audit":                                             s.auditLog,
		"POST /o/{org}/clusters/{name}/revoke":                                    s.revokeAgent,
		"POST /o/{org}/clusters/{name}/rotate-key":                                s.rotateKey,
		"POST /o/{org}/clusters/{name}/drain":                                     s.drainCluster,
		"POST /o/{org}/clusters/{name}/undrain":                                   s.undrainCluster,
		"POST /o/{org}/clusters/{name}/limit":                                     s.limitCluster,
		"/":                                                                       s.absent,
	}
	maps.Copy(all, s.settings())
	maps.Copy(all, s.hooks())
	return all
}
