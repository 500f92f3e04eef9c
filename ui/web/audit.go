package web

import (
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/ui/web/pages"
	"github.com/seatrial/seatrial/ui/web/view"
)

// auditRows is how many entries a page shows.
const auditRows = 100

// actions names what forms do as the API does. A form that is not listed goes on record under its address.
func actions() map[string]string {
	return map[string]string{
		"POST /o/{org}/workflows/{name}/runs":                                     "RunWorkflow",
		"POST /o/{org}/executions/{id}/cancel":                                    "CancelExecution",
		"POST /o/{org}/executions/{id}/resume":                                    "ResumeExecution",
		"POST /o/{org}/executions/{id}/rerun":                                     "RerunExecution",
		"POST /o/{org}/releases/{application}/{version}/waivers":                  "RequestWaiver",
		"POST /o/{org}/releases/{application}/{version}/waivers/{waiver}/approve": "ApproveWaiver",
		"POST /o/{org}/releases/{application}/{version}/waivers/{waiver}/revoke":  "RevokeWaiver",
		"POST /o/{org}/releases/{application}/{version}/snapshots":                "ShareRelease",
		"POST /o/{org}/settings/snapshots/{id}/revoke":                            "RevokeSnapshot",
		"POST /o/{org}/tests/{key}/quarantine":                                    "QuarantineTest",
		"POST /o/{org}/tests/{key}/quarantine/end":                                "EndQuarantine",
		"POST /o/{org}/schedules/{name}/suspend":                                  "SuspendSchedule",
		"POST /o/{org}/schedules/{name}/resume":                                   "ResumeSchedule",
		"POST /o/{org}/schedules/{name}/run":                                      "RunSchedule",
		"POST /o/{org}/settings/repositories":                                     "AddRepository",
		"POST /o/{org}/settings/repositories/{name}/sync":                         "SyncRepository",
		"POST /o/{org}/settings/repositories/{name}/remove":                       "RemoveRepository",
		"POST /o/{org}/settings/webhooks":                                         "SetWebhook",
		"POST /o/{org}/settings/webhooks/{webhook}":                               "SetWebhook",
		"POST /o/{org}/settings/webhooks/{webhook}/test":                          "TestWebhook",
		"POST /o/{org}/settings/webhooks/{webhook}/pause":                         "PauseWebhook",
		"POST /o/{org}/settings/webhooks/{webhook}/resume":                        "PauseWebhook",
		"POST /o/{org}/settings/webhooks/{webhook}/secret":                        "RotateSecret",
		"POST /o/{org}/settings/webhooks/{webhook}/remove":                        "RemoveWebhook",
		"POST /o/{org}/settings/webhooks/{webhook}/deliveries/{id}/redelivery":    "Redeliver",
		"POST /o/{org}/clusters":                                                  "EnrollCluster",
		"POST /o/{org}/clusters/{name}/revoke":                                    "RevokeCluster",
		"POST /o/{org}/clusters/{name}/rotate-key":                                "RotateClusterKey",
		"POST /o/{org}/clusters/{name}/drain":                                     "DrainCluster",
		"POST /o/{org}/clusters/{name}/undrain":                                   "UndrainCluster",
		"POST /o/{org}/clusters/{name}/limit":                                     "LimitCluster",
		"POST /o/{org}/workflows/{name}/owner":                                    "SetOwner",
		"POST /o/{org}/workflows/{name}/restricted":                               "RestrictWorkflow",
		"POST /o/{org}/settings/account/password":                                 "ChangePassword",
		"POST /o/{org}/settings/account/factor":                                   "ProposeFactor",
		"POST /o/{org}/settings/account/factor/on":                                "ConfirmFactor",
		"POST /o/{org}/settings/account/factor/off":                               "DropFactor",
		"POST /o/{org}/settings/account/sessions/{id}/end":                        "EndSession",
		"POST /o/{org}/settings/members":                                          "InviteMember",
		"POST /o/{org}/settings/members/{email}/role":                             "ChangeMember",
		"POST /o/{org}/settings/members/{email}/join":                             "ChangeMember",
		"POST /o/{org}/settings/members/{email}/leave":                            "ChangeMember",
		"POST /o/{org}/settings/members/{email}/remove":                           "RemoveMember",
		"POST /o/{org}/settings/invitations/{id}/withdraw":                        "WithdrawInvitation",
		"POST /o/{org}/settings/teams":                                            "CreateTeam",
		"POST /o/{org}/settings/teams/{team}/rename":                              "RenameTeam",
		"POST /o/{org}/settings/teams/{team}/delete":                              "DeleteTeam",
		"POST /o/{org}/settings/access":                                           "SetAccess",
		"POST /o/{org}/settings/access/providers":                                 "SetIdentityProvider",
		"POST /o/{org}/settings/access/{provider}/delete":                         "DeleteIdentityProvider",
		"POST /o/{org}/settings/pipelines":                                        "SetTrustRule",
		"POST /o/{org}/settings/pipelines/{rule}/delete":                          "DeleteTrustRule",
		"POST /o/{org}/settings/policies":                                         "DryRunPolicy",
		"POST /o/{org}/settings/policies/save":                                    "ApplyWorkflow",
		"POST /o/{org}/settings/tokens":                                           "CreateToken",
		"POST /o/{org}/settings/tokens/{id}/revoke":                               "RevokeToken",
	}
}

// recorded gives a form that may change something its entry in the audit log. Other methods pass.
func (s *site) recorded(pattern string, next http.HandlerFunc) http.HandlerFunc {
	if !strings.HasPrefix(pattern, http.MethodPost+" ") {
		return next
	}
	action, ok := actions()[pattern]
	if !ok {
		action = pattern
	}
	return s.recordedAs(action, next)
}

func (s *site) recordedAs(action string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, note := audit.Begin(r.Context(), action, remoteOf(r))
		note.On(audit.Object{
			ID: r.PathValue("id") + r.PathValue("key"), Name: strings.TrimSpace(r.PathValue("name") + r.PathValue("email") + r.PathValue("team") + r.PathValue("provider") + r.PathValue("rule") + r.PathValue("webhook") + r.PathValue("application") + " " + r.PathValue("version")),
		})
		seen := &observed{ResponseWriter: w, status: http.StatusInternalServerError} // of a page that breaks
		// It is deferred for a page that breaks. What was changed is on record by now; what is recorded here changed nothing, and a failure
		// to do so is in the log.
		defer func() { _ = audit.Finish(ctx, note, s.Audit, s.Log, seen.err()) }()
		next(seen, r.WithContext(ctx))
	}
}

// remoteOf returns the network address of the browser.
func remoteOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// observed is an answer whose status is known afterwards.
type observed struct {
	http.ResponseWriter

	status int
}

// WriteHeader implements http.ResponseWriter.
func (o *observed) WriteHeader(status int) {
	o.status = status
	o.ResponseWriter.WriteHeader(status)
}

// err returns what the status says: a form that is shown again with what is wrong has failed, too.
func (o *observed) err() error {
	switch {
	case o.status < http.StatusBadRequest:
		return nil
	case o.status == http.StatusUnauthorized || o.status == http.StatusForbidden:
		return fault.New(fault.Forbidden, "the page answered %d", o.status)
	}
	return fault.New(fault.Invalid, "the page answered %d", o.status)
}

// auditLog shows who did what, newest first.
func (s *site) auditLog(w http.ResponseWriter, r *http.Request, m view.Member) error {
	if err := may(m, tenant.ScopeAdmin, "see the audit log"); err != nil {
		return err
	}
	q := r.URL.Query()
	asked := func(name string) string { return strings.TrimSpace(q.Get(name)) }
	p := pages.AuditProps{
		SettingsProps: s.settingsOf(r, m, "audit", "Audit log"), Actor: asked("actor"), Action: asked("action"), Object: asked("object"), Outcome: asked("outcome"),
		Since: asked("since"), Until: asked("until"),
	}
	f := audit.Filter{
		Actor: p.Actor, Action: p.Action, Object: p.Object, Outcome: audit.Outcome(p.Outcome), NewestFirst: true, Size: auditRows, After: q.Get("after"),
	}
	var err error
	if f.Since, err = day("since", p.Since); err == nil {
		f.Until, err = day("until", p.Until)
	}
	if err == nil && !f.Until.IsZero() {
		f.Until = f.Until.AddDate(0, 0, 1) // the day itself is meant as well
	}
	if err == nil {
		p.List, err = s.Audit.AuditEntries(r.Context(), f)
		p.Next = following(r.URL, "after", p.List.Next)
	}
	status := http.StatusOK
	if err != nil {
		wrong, ok := correctable(err)
		if !ok {
			return err
		}
		p.Wrong, status = wrong, statusOf(fault.KindOf(err))
	}
	return render(r.Context(), w, status, pages.Audit, p)
}

// day reads a day of a filter, zero for none.
func day(field, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return at, fault.New(fault.Invalid, "%q is no day", text).WithField(field).WithHint("Write it as 2026-01-31.")
	}
	return at, nil
}
