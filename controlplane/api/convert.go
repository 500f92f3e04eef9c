package api

import (
	"encoding/base32"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/controlplane/cluster"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/workflow"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// int32Of narrows a count for the wire.
func int32Of(n int) int32 {
	return int32(min(max(n, math.MinInt32), math.MaxInt32))
}

// timeOf returns nil for the zero time, so that "never" is absent.
func timeOf(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// statusPairs pairs the statuses of both sides. A step that waits is queued to the outside.
func statusPairs() map[execution.Status]apiv1.Status {
	return map[execution.Status]apiv1.Status{
		execution.Waiting:   apiv1.Status_STATUS_QUEUED,
		execution.Queued:    apiv1.Status_STATUS_QUEUED,
		execution.Assigned:  apiv1.Status_STATUS_ASSIGNED,
		execution.Pending:   apiv1.Status_STATUS_PENDING,
		execution.Running:   apiv1.Status_STATUS_RUNNING,
		execution.Paused:    apiv1.Status_STATUS_PAUSED,
		execution.Passed:    apiv1.Status_STATUS_PASSED,
		execution.Failed:    apiv1.Status_STATUS_FAILED,
		execution.Errored:   apiv1.Status_STATUS_ERRORED,
		execution.TimedOut:  apiv1.Status_STATUS_TIMED_OUT,
		execution.Cancelled: apiv1.Status_STATUS_CANCELLED,
		execution.Skipped:   apiv1.Status_STATUS_SKIPPED,
	}
}

func statusOf(s execution.Status) apiv1.Status { return statusPairs()[s] }

// statusFrom returns the status to look for; ok is false for one that does not exist.
func statusFrom(s apiv1.Status) (status execution.Status, ok bool) {
	if s == apiv1.Status_STATUS_UNSPECIFIED {
		return "", true
	}
	for _, status := range execution.Statuses() {
		if statusOf(status) == s {
			return status, true
		}
	}
	return "", false
}

func executionOf(e execution.Execution) *apiv1.Execution {
	out := &apiv1.Execution{
		Id: e.ID.String(), Workflow: e.Workflow, WorkflowRevision: int32Of(e.Revision), WorkflowDigest: e.Digest,
		Status: statusOf(e.Status), Reason: e.Reason, Message: e.Message, Params: e.Params, Priority: int32Of(e.Priority), Trigger: e.Trigger, Actor: e.Actor,
		CreatedAt: timeOf(e.CreatedAt), StartedAt: timeOf(e.StartedAt), FinishedAt: timeOf(e.FinishedAt),
		Tests: &apiv1.TestCounts{
			Total: int32Of(e.Tests.Total), Passed: int32Of(e.Tests.Passed), Failed: int32Of(e.Tests.Failed),
			Errored: int32Of(e.Tests.Errored), Skipped: int32Of(e.Tests.Skipped),
		},
	}
	if p := e.Parent; p != nil {
		out.Parent = &apiv1.Parent{ExecutionId: p.Execution.String(), Workflow: p.Workflow, Step: p.Step}
	}
	for _, t := range e.Templates {
		out.Templates = append(out.Templates, &apiv1.TemplateRevision{Name: t.Name, Revision: int32Of(t.Revision), Digest: t.Digest})
	}
	for _, r := range e.Runs {
		run := &apiv1.Run{
			Id: r.ID.String(), Name: r.Name, Matrix: r.Matrix, Shard: int32Of(r.Shard), Shards: int32Of(r.Shards), ConcurrencyGroup: r.Group, Retries: int32Of(r.Retries),
			Environment: r.Environment, Cluster: r.Cluster, Namespace: r.Namespace, Status: statusOf(r.Status),
		}
		for _, a := range r.Attempts {
			run.Attempts = append(run.Attempts, attemptOf(a))
		}
		out.Runs = append(out.Runs, run)
	}
	return out
}

func attemptOf(a execution.Attempt) *apiv1.Attempt {
	out := &apiv1.Attempt{
		Id: a.ID.String(), Number: int32Of(a.Number), Status: statusOf(a.Status), Reason: a.Reason, Message: a.Message,
		Job: jobName(a.ID), Node: a.Node, StartedAt: timeOf(a.StartedAt), FinishedAt: timeOf(a.FinishedAt),
		Delivered: a.Delivered, Notes: a.Notes,
	}
	for _, s := range a.Steps {
		out.Steps = append(out.Steps, stepOf(s))
	}
	for _, s := range a.Services {
		out.Services = append(out.Services, serviceOf(s))
	}
	return out
}

func serviceOf(s execution.Service) *apiv1.Service {
	out := &apiv1.Service{
		Name: s.Name, Status: serviceStatusOf(s.Status), Message: s.Message, Restarts: int32Of(s.Restarts),
		StartedAt: timeOf(s.StartedAt), FinishedAt: timeOf(s.FinishedAt), Log: logRecordOf(s.Log), LogWithheld: s.LogWithheld,
	}
	if s.ExitCode != nil {
		code := int32Of(*s.ExitCode)
		out.ExitCode = &code
	}
	return out
}

func serviceStatusOf(s execution.ServiceStatus) apiv1.ServiceStatus {
	switch s {
	case execution.ServiceWaiting:
		return apiv1.ServiceStatus_SERVICE_STATUS_WAITING
	case execution.ServiceStarting:
		return apiv1.ServiceStatus_SERVICE_STATUS_STARTING
	case execution.ServiceReady:
		return apiv1.ServiceStatus_SERVICE_STATUS_READY
	case execution.ServiceStopped:
		return apiv1.ServiceStatus_SERVICE_STATUS_STOPPED
	case execution.ServiceFailed:
		return apiv1.ServiceStatus_SERVICE_STATUS_FAILED
	}
	return apiv1.ServiceStatus_SERVICE_STATUS_UNSPECIFIED
}

// jobName is the name that every agent gives the Job of an attempt: it is part of the protocol.
func jobName(id execution.AttemptID) string {
	return "t-" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(id[:]))
}

func stepOf(s execution.Step) *apiv1.Step {
	out := &apiv1.Step{
		Index: int32Of(s.Index), Name: s.Name, Status: statusOf(s.Status), Reason: s.Reason, Allowed: s.Allowed,
		StartedAt: timeOf(s.StartedAt), FinishedAt: timeOf(s.FinishedAt),
		Log: logRecordOf(s.Log), Usage: usageOf(s.Usage),
	}
	for _, c := range s.Calls {
		call := &apiv1.Call{Workflow: c.Workflow, Status: statusOf(c.Status), Message: c.Message}
		if c.Execution != uuid.Nil {
			call.ExecutionId = c.Execution.String()
		}
		out.Calls = append(out.Calls, call)
	}
	if s.ExitCode != nil {
		code := int32Of(*s.ExitCode)
		out.ExitCode = &code
	}
	return out
}

func usageOf(u *execution.Usage) *apiv1.Usage {
	if u == nil {
		return nil
	}
	return &apiv1.Usage{
		Cpu: durationpb.New(u.CPU), Throttled: durationpb.New(u.Throttled), MemoryPeak: u.MemoryPeak, ReadBytes: u.Read, WrittenBytes: u.Written,
		Note: u.Note,
	}
}

func logRecordOf(l execution.Log) *apiv1.Log {
	return &apiv1.Log{Bytes: l.Bytes, Lines: l.Lines, GapBytes: l.GapBytes, Complete: l.Complete, ViaKubeApi: l.ViaKubeAPI}
}

func resultOf(r execution.TestResult) *apiv1.TestResult {
	return &apiv1.TestResult{
		Id: r.ID.String(), Suite: r.Suite, Name: r.Name, File: r.File, Outcome: r.Outcome, Duration: durationpb.New(r.Duration),
		Message: r.Message, Detail: r.Detail, StepIndex: int32Of(r.Step), AttemptId: r.Attempt.String(), Environment: r.Environment,
		Superseded: r.Superseded, Key: r.Key, Variant: r.Variant, Fingerprint: r.Fingerprint, Earlier: r.Earlier,
	}
}

// fileOf converts a file, with its name among all files of its execution.
func fileOf(f execution.File, name string) *apiv1.File {
	stored, _ := f.Stored()
	return &apiv1.File{
		Id: f.ID.String(), AttemptId: f.Attempt.String(), StepIndex: int32Of(f.Step), Kind: string(f.Kind), Path: f.Path, Size: f.Size,
		Sha256: f.SHA256, ContentType: f.ContentType, Format: f.Format, Grade: f.Grade, GradeReason: f.GradeReason,
		Download: filesPath + f.ID.String(), StoredSize: stored, Encoding: f.Encoding, Name: name,
	}
}

func workflowOf(r workflow.Record) *apiv1.Workflow {
	return &apiv1.Workflow{
		Id: r.ID.String(), Name: r.Name, Team: r.Team, Labels: r.Labels, Description: r.Description, Digest: r.Digest,
		Revision: int32Of(r.Revision), UpdatedAt: timeOf(r.UpdatedAt), Source: r.Source, Templates: r.Uses, Restricted: r.Restricted,
		Origin: r.Origin, RemovedAt: timeOf(r.RemovedAt),
	}
}

func templateOf(r workflow.Record) *apiv1.Template {
	return &apiv1.Template{
		Id: r.ID.String(), Name: r.Name, Team: r.Team, Labels: r.Labels, Description: r.Description, Digest: r.Digest,
		Revision: int32Of(r.Revision), UpdatedAt: timeOf(r.UpdatedAt), Source: r.Source, Origin: r.Origin,
	}
}

func paramsOf(params workflow.Params) []*apiv1.Param {
	out := make([]*apiv1.Param, len(params))
	for i, p := range params {
		out[i] = &apiv1.Param{
			Name: p.Name, Type: string(p.Type), Default: workflow.Text(p.Default), Required: p.MustBeGiven(), Description: p.Description,
		}
		for _, value := range p.Enum {
			out[i].Enum = append(out[i].Enum, workflow.Text(value))
		}
	}
	return out
}

func clusterOf(c cluster.Cluster) *apiv1.Cluster {
	return &apiv1.Cluster{
		Id: c.ID.String(), Name: c.Name, Connected: c.Connected, LastSeenAt: timeOf(c.LastSeenAt), ConnectedAt: timeOf(c.ConnectedAt),
		AgentVersion: c.AgentVersion, KubernetesVersion: c.KubernetesVersion, RunnerDelivery: c.RunnerDelivery,
		Namespaces: slices.Clone(c.Namespaces), Enrolled: c.Enrolled, Rules: slices.Clone(c.Rules),
		MaxRuns: int32Of(c.MaxRuns), DrainedAt: timeOf(c.Drained.Since), DrainedBy: c.Drained.By, DrainedReason: c.Drained.Reason,
		BusyRuns: int32Of(c.Busy), QueuedRuns: int32Of(c.Queued),
		KeySince: timeOf(c.KeySince), RotationAsked: c.RotationAsked, RevokedAt: timeOf(c.RevokedAt), RevokedReason: c.RevokedReason,
	}
}

func environmentOf(e cluster.Environment) *apiv1.Environment {
	return &apiv1.Environment{
		Id: e.ID.String(), Name: e.Name, Cluster: e.ClusterName, Namespace: e.Namespace, Labels: e.Labels, Description: e.Description, Tier: e.Tier,
		Team: e.Team, Digest: e.Digest, Source: e.Source, UpdatedAt: timeOf(e.UpdatedAt),
	}
}
