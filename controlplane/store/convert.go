package store

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/cluster"
	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/ent/db"
)

func executionRecord(row *db.Execution, runs []record.Run) record.Execution {
	counts := record.Counts{
		Total:  row.TestsPassed + row.TestsFailed + row.TestsErrored + row.TestsSkipped,
		Passed: row.TestsPassed, Failed: row.TestsFailed, Errored: row.TestsErrored, Skipped: row.TestsSkipped,
	}
	var templates []record.Template
	if err := json.Unmarshal(row.Templates, &templates); err != nil {
		templates = nil // none, or written by a version that is not known
	}
	var parent *record.Parent
	if row.ParentID != nil {
		parent = &record.Parent{}
		if err := json.Unmarshal(row.Parent, parent); err != nil {
			parent = &record.Parent{Execution: *row.ParentID} // written by a version that is not known
		}
	}
	return record.Execution{
		Parent: parent, ID: row.ID, Templates: templates, Workflow: row.Workflow, Revision: row.RevisionNumber, Digest: row.Digest, Status: record.Status(row.Status),
		Reason: row.Reason, Message: row.Message, Params: row.Params, Priority: row.Priority, Trigger: row.Trigger, Actor: row.Actor, Commit: row.Commit,
		CreatedAt: row.CreatedAt.UTC(), StartedAt: timeOf(row.StartedAt), FinishedAt: timeOf(row.FinishedAt), Tests: counts, Runs: runs,
	}
}

func runRecord(row *db.Run, attempts []record.Attempt) record.Run {
	return record.Run{
		ID: row.ID, Name: row.Name, Matrix: row.Matrix, Shard: row.Shard, Shards: row.Shards,
		Environment: row.EnvironmentName, Cluster: row.ClusterName, Namespace: row.Namespace,
		Group: row.ConcurrencyGroup, Retries: row.Retries, Status: record.Status(row.Status), Attempts: attempts,
	}
}

func attemptRecord(row *db.Attempt, in details) record.Attempt {
	return record.Attempt{
		ID: row.ID, Number: row.Number, Status: record.Status(row.Status), Reason: row.Reason, Message: row.Message, Node: row.Node,
		Pod: row.Pod, StartedAt: timeOf(row.StartedAt), FinishedAt: timeOf(row.FinishedAt), Delivered: row.Delivered,
		Notes: row.Notes, Steps: in.steps[row.ID], Services: in.services[row.ID], Start: subjectRecord(row.SubjectStart), End: subjectRecord(row.SubjectEnd),
	}
}

func stepRecord(row *db.Step, stream *db.LogStream) record.Step {
	out := record.Step{
		Index: row.Index, Name: row.Name, Status: record.Status(row.Status), ExitCode: row.ExitCode, Reason: row.Reason, Allowed: row.Allowed,
		StartedAt: timeOf(row.StartedAt), FinishedAt: timeOf(row.FinishedAt),
		Log:   record.Log{Complete: row.Status == string(record.Skipped) && row.Reason != unheard}, // it never wrote any
		Usage: usageRecord(row.Usage),
	}
	if stream != nil {
		out.Log = logRecord(stream)
	}
	return out
}

func logRecord(stream *db.LogStream) record.Log {
	return record.Log{
		Bytes: stream.Committed, Lines: stream.Lines, GapBytes: stream.GapBytes, Complete: stream.Complete, ViaKubeAPI: stream.ViaKubeAPI,
	}
}

func serviceRecord(row *db.Service, stream *db.LogStream) record.Service {
	out := record.Service{
		Name: row.Name, Status: record.ServiceStatus(row.Status), Message: row.Message, ExitCode: row.ExitCode, Restarts: row.Restarts,
		StartedAt: timeOf(row.StartedAt), FinishedAt: timeOf(row.FinishedAt), LogWithheld: row.LogWithheld,
		Log: record.Log{Complete: row.LogWithheld},
	}
	if stream != nil {
		out.Log = logRecord(stream)
	}
	return out
}

func fileRecord(row *db.File) record.File {
	f := record.File{
		ID: row.ID, Attempt: row.AttemptID, Environment: row.EnvironmentName, Step: row.StepIndex, Kind: record.FileKind(row.Kind),
		Path: row.Path, Size: row.Size, SHA256: row.Sha256, ContentType: row.ContentType, Format: row.Format, Grade: row.Grade,
		GradeReason: row.GradeReason, Blob: row.Blob, CreatedAt: row.CreatedAt.UTC(),
		Encoding: row.Encoding, StoredSize: row.StoredSize, StoredSum: row.StoredSha256,
	}
	if row.ExitReason != "" {
		f.Grade, f.GradeReason = string(results.Contradictory), strings.TrimSpace(row.ExitReason+" "+row.GradeReason)
	}
	return f
}

func resultRecord(row *db.TestResult) record.TestResult {
	return record.TestResult{
		ID: row.ID, Attempt: row.AttemptID, Environment: row.EnvironmentName, Step: row.StepIndex, Suite: row.Suite, Name: row.Name,
		File: row.Source, Key: row.TestKey, Variant: row.Variant, Fingerprint: row.Fingerprint, Earlier: row.Earlier,
		Flags: record.Flag(row.Flags), Outcome: row.Outcome, Duration: time.Duration(row.Duration), Message: row.Message, Detail: row.Detail,
		Superseded: row.Severity >= supersededSeverity,
	}
}

func environmentRecord(row *db.Environment) cluster.Environment {
	out := cluster.Environment{
		ID: row.ID, Name: row.Name, ClusterID: row.ClusterID, Namespace: row.Namespace, Labels: row.Labels, Tier: row.Tier,
		Description: row.Description, Digest: row.Digest, Source: row.Source, UpdatedAt: row.UpdatedAt.UTC(),
	}
	if row.Edges.Cluster != nil {
		out.ClusterName = row.Edges.Cluster.Name
	}
	if row.Edges.Team != nil {
		out.Team = row.Edges.Team.Name
	}
	return out
}

// usageRecord returns nil for what was not measured, or written by a version that is not known.
func usageRecord(text json.RawMessage) *record.Usage {
	var u *record.Usage
	if err := json.Unmarshal(text, &u); err != nil {
		return nil
	}
	return u
}

// subjectRecord returns nil for what was not observed, and for what a version has written that is not known.
func subjectRecord(text json.RawMessage) *record.Subject {
	var subject *record.Subject
	if len(text) == 0 || json.Unmarshal(text, &subject) != nil {
		return nil
	}
	return subject
}
