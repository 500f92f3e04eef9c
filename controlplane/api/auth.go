package api

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

// scopeOf says what a procedure needs; ok is false for those that nobody has listed, which nobody may call. An empty scope needs
// a credential only.
func scopeOf(procedure string) (scope tenant.Scope, ok bool) {
	switch procedure {
	case apiv1connect.WorkflowServiceApplyWorkflowProcedure, apiv1connect.PeopleServiceSetOwnerProcedure,
		apiv1connect.PeopleServiceRestrictWorkflowProcedure, apiv1connect.ScheduleServiceSuspendScheduleProcedure,
		apiv1connect.ScheduleServiceResumeScheduleProcedure, apiv1connect.ScheduleServiceRemoveScheduleProcedure,
		apiv1connect.WebhookServiceSetWebhookProcedure, apiv1connect.WebhookServiceTestWebhookProcedure,
		apiv1connect.WebhookServicePauseWebhookProcedure, apiv1connect.WebhookServiceRotateSecretProcedure,
		apiv1connect.WebhookServiceRemoveWebhookProcedure, apiv1connect.WebhookServiceRedeliverProcedure,
		apiv1connect.CatalogServiceAddRepositoryProcedure,
		apiv1connect.CatalogServiceSyncRepositoryProcedure, apiv1connect.CatalogServiceRemoveRepositoryProcedure,
		apiv1connect.TriggerServiceRemoveTriggerProcedure:
		return tenant.ScopeCatalog, true
	case apiv1connect.ExecutionServiceRunWorkflowProcedure, apiv1connect.ExecutionServiceCancelExecutionProcedure,
		apiv1connect.ExecutionServiceResumeExecutionProcedure, apiv1connect.ExecutionServiceRerunExecutionProcedure,
		apiv1connect.ScheduleServiceRunScheduleProcedure:
		return tenant.ScopeRun, true
	case apiv1connect.TestServiceQuarantineTestProcedure, apiv1connect.TestServiceEndQuarantineProcedure,
		apiv1connect.ReleaseServiceCreateReleaseProcedure, apiv1connect.ReleaseServiceRequestWaiverProcedure,
		apiv1connect.ReleaseServiceApproveWaiverProcedure, apiv1connect.ReleaseServiceRevokeWaiverProcedure,
		apiv1connect.ReleaseServiceShareReleaseProcedure, apiv1connect.ReleaseServiceRevokeSnapshotProcedure:
		return tenant.ScopeRelease, true
	case apiv1connect.TriggerServiceCreateReceiverProcedure, apiv1connect.TriggerServiceRotateReceiverProcedure,
		apiv1connect.TriggerServiceRemoveReceiverProcedure, apiv1connect.TriggerServiceSetReceiverAppProcedure, apiv1connect.ClusterServiceEnrollClusterProcedure, apiv1connect.ReleaseServiceRotateSigningKeyProcedure,
		apiv1connect.PeopleServiceCreateTeamProcedure, apiv1connect.PeopleServiceRenameTeamProcedure, apiv1connect.PeopleServiceDeleteTeamProcedure,
		apiv1connect.PeopleServiceChangeMemberProcedure, apiv1connect.PeopleServiceRemoveMemberProcedure,
		apiv1connect.PeopleServiceInviteMemberProcedure, apiv1connect.PeopleServiceListInvitationsProcedure,
		apiv1connect.PeopleServiceWithdrawInvitationProcedure,
		apiv1connect.ClusterServiceRevokeClusterProcedure, apiv1connect.ClusterServiceRotateClusterKeyProcedure,
		apiv1connect.ClusterServiceDrainClusterProcedure, apiv1connect.ClusterServiceUndrainClusterProcedure, apiv1connect.ClusterServiceLimitClusterProcedure,
		apiv1connect.ClusterServiceExamineClusterProcedure,
		apiv1connect.ReleaseServiceRevokeSigningKeyProcedure, apiv1connect.AuditServiceListAuditEntriesProcedure,
		apiv1connect.AccessServiceGetAccessProcedure, apiv1connect.AccessServiceSetAccessProcedure,
		apiv1connect.AccessServiceListIdentityProvidersProcedure, apiv1connect.AccessServiceSetIdentityProviderProcedure,
		apiv1connect.AccessServiceDeleteIdentityProviderProcedure, apiv1connect.AccessServiceListTrustRulesProcedure,
		apiv1connect.AccessServiceSetTrustRuleProcedure, apiv1connect.AccessServiceDeleteTrustRuleProcedure,
		apiv1connect.CatalogServiceSetClusterCatalogProcedure:
		return tenant.ScopeAdmin, true
	case apiv1connect.IdentityServiceWhoAmIProcedure:
		return "", true
	case apiv1connect.WorkflowServiceGetWorkflowProcedure, apiv1connect.WorkflowServiceListWorkflowsProcedure,
		apiv1connect.WorkflowServiceGetTemplateProcedure, apiv1connect.WorkflowServiceListTemplatesProcedure,
		apiv1connect.ExecutionServiceGetExecutionProcedure, apiv1connect.ExecutionServiceListExecutionsProcedure,
		apiv1connect.ExecutionServiceWatchExecutionProcedure, apiv1connect.ExecutionServiceStreamLogProcedure,
		apiv1connect.ExecutionServiceListTestResultsProcedure, apiv1connect.ExecutionServiceListFilesProcedure,
		apiv1connect.ExecutionServiceListMetricsProcedure,
		apiv1connect.ScheduleServiceListSchedulesProcedure, apiv1connect.ScheduleServiceGetScheduleProcedure,
		apiv1connect.ScheduleServiceListFiringsProcedure, apiv1connect.TriggerServiceListTriggersProcedure,
		apiv1connect.TriggerServiceGetTriggerProcedure, apiv1connect.TriggerServiceDryRunTriggerProcedure, apiv1connect.TriggerServiceListEventsProcedure,
		apiv1connect.TriggerServiceListReceiversProcedure, apiv1connect.TriggerServiceListDeploymentsProcedure,
		apiv1connect.WebhookServiceListWebhooksProcedure,
		apiv1connect.WebhookServiceGetWebhookProcedure, apiv1connect.WebhookServiceListDeliveriesProcedure,
		apiv1connect.TestServiceListUnreliableTestsProcedure, apiv1connect.TestServiceGetTestProcedure,
		apiv1connect.InsightServiceCompareExecutionsProcedure, apiv1connect.InsightServiceListFailuresProcedure,
		apiv1connect.InsightServiceGetFailureProcedure, apiv1connect.InsightServiceSearchProcedure, apiv1connect.InsightServiceGetCoverageProcedure,
		apiv1connect.ReleaseServiceGetReleaseProcedure, apiv1connect.ReleaseServiceListReleasesProcedure,
		apiv1connect.ReleaseServiceWatchReleaseProcedure, apiv1connect.ReleaseServiceGetReleaseBundleProcedure, apiv1connect.ReleaseServiceListPoliciesProcedure,
		apiv1connect.ReleaseServiceDryRunPolicyProcedure, apiv1connect.ReleaseServiceListSnapshotsProcedure,
		apiv1connect.ClusterServiceListClustersProcedure, apiv1connect.ClusterServiceListEnvironmentsProcedure,
		apiv1connect.CatalogServiceListRevisionsProcedure, apiv1connect.CatalogServiceGetRevisionProcedure,
		apiv1connect.CatalogServiceListDocumentsProcedure, apiv1connect.CatalogServiceListRepositoriesProcedure,
		apiv1connect.PeopleServiceListTeamsProcedure, apiv1connect.PeopleServiceListMembersProcedure, apiv1connect.PeopleServiceGetUsageProcedure,
		// Tokens are a team's own business: what somebody may do with which is decided for each.
		apiv1connect.IdentityServiceCreateTokenProcedure, apiv1connect.IdentityServiceListTokensProcedure,
		apiv1connect.IdentityServiceRevokeTokenProcedure:
		return tenant.ScopeRead, true
	}
	return "", false
}

// authenticator turns credentials into viewers.
type authenticator struct {
	accounts Accounts
	call     func(context.Context) error // counts it, for the quota
	cookie   string
	every    time.Duration // between checks of a stream's credential
}

// viewer returns who holds the credential of a request.
func (a *authenticator) viewer(ctx context.Context, header http.Header) (tenant.Viewer, error) {
	if value := header.Get("Authorization"); value != "" {
		scheme, token, _ := strings.Cut(value, " ")
		if token = strings.TrimSpace(token); !strings.EqualFold(scheme, "Bearer") || token == "" {
			return tenant.Viewer{}, fault.New(fault.Unauthenticated, "the Authorization header is not of the form \"Bearer <token>\"")
		}
		return a.accounts.Bearer(ctx, token)
	}
	request := http.Request{Header: header}
	if c, err := request.Cookie(a.cookie); err == nil && a.cookie != "" && c.Value != "" {
		return a.accounts.Cookie(ctx, c.Value)
	}
	return tenant.Viewer{}, fault.New(fault.Unauthenticated, "the request carries no credential").
		WithHint("Log in with `seatrial login`, or set SEATRIAL_TOKEN to an API token.")
}

// admit returns a context that acts for the holder of the credential when that may call the procedure.
func (a *authenticator) admit(ctx context.Context, procedure string, header http.Header) (context.Context, error) {
	switch procedure {
	case apiv1connect.IdentityServiceSignInProcedure, apiv1connect.IdentityServiceExchangeTokenProcedure:
		return ctx, nil // a password, or the token of a pipeline, is the credential
	}
	scope, known := scopeOf(procedure)
	if !known {
		return nil, fault.New(fault.Forbidden, "nobody may call %s", procedure)
	}
	v, err := a.viewer(ctx, header)
	if err != nil {
		return nil, err
	}
	audit.Of(ctx).By(v)
	if err := require(v, scope); err != nil {
		return nil, err
	}
	return tenant.WithViewer(ctx, v), nil
}

// require checks a scope; an empty one is free. Agents and the system have no business here, whatever scopes they hold.
func require(v tenant.Viewer, scope tenant.Scope) error {
	if v.Kind != tenant.KindMember && v.Kind != tenant.KindToken {
		return fault.New(fault.Unauthenticated, "the credential is not a person's or a pipeline's")
	}
	if scope != "" && !v.Allows(scope) {
		return fault.New(fault.Forbidden, "%s may not do this", v.Name).
			WithHint("Use a token with the scope %q, or ask an admin of the organization.", scope)
	}
	return nil
}

// WrapUnary implements connect.Interceptor.
func (a *authenticator) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		ctx, err := a.admit(ctx, req.Spec().Procedure, req.Header())
		if err != nil {
			return nil, err
		}
		if err := a.call(ctx); err != nil {
			return nil, err
		}
		return next(ctx, req)
	}
}

// WrapStreamingClient implements connect.Interceptor.
func (a *authenticator) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler implements connect.Interceptor. The credential is checked again while the stream is open, and the stream
// ends with the right to it.
func (a *authenticator) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		admitted, err := a.admit(ctx, conn.Spec().Procedure, conn.RequestHeader())
		if err != nil {
			return err
		}
		if err := a.call(admitted); err != nil {
			return err
		}
		streaming, cancel := context.WithCancelCause(admitted)
		var recheck sync.WaitGroup
		recheck.Go(func() { a.recheck(streaming, cancel, conn) })
		err = next(streaming, conn)
		lost := context.Cause(streaming)
		cancel(nil)
		recheck.Wait()
		if lost != nil && ctx.Err() == nil {
			return lost
		}
		return err
	}
}

func (a *authenticator) recheck(ctx context.Context, cancel context.CancelCauseFunc, conn connect.StreamingHandlerConn) {
	ticker := time.NewTicker(a.every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_, err := a.admit(ctx, conn.Spec().Procedure, conn.RequestHeader())
			if fault.Is(err, fault.Unauthenticated) || fault.Is(err, fault.Forbidden) {
				cancel(err)
				return
			}
		}
	}
}
