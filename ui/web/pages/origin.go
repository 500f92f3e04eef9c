package pages

import (
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/ui/web/logview"
	"github.com/seatrial/seatrial/ui/web/words"
)

// Origin is what wrote a log: a step or a service of an attempt.
type Origin struct {
	Kind    string // step or service
	Name    string
	Attempt execution.AttemptID
	Stream  string
	Log     execution.Log
	Class   string // of its state in the style sheet
	State   string // the word for it
	Over    bool   // it writes no more
	Bad     bool   // it did not end well: the end of its log says why
	Silence string // why a log is empty
}

// Source is where its log is read.
func (o Origin) Source() logview.Source { return logview.Source{Attempt: o.Attempt, Stream: o.Stream} }

// OfStep describes a step as the origin of a log.
func OfStep(at execution.AttemptID, s execution.Step) Origin {
	return Origin{
		Kind: "step", Name: s.Name, Attempt: at, Stream: execution.Stream(s.Index), Log: s.Log, Class: string(s.Status),
		State: words.Status(s.Status), Over: s.Status.Terminal(), Bad: s.Status.Terminal() && s.Status != execution.Passed, Silence: silence(s),
	}
}

// silence says why the log of a step is empty.
func silence(s execution.Step) string {
	switch {
	case s.Status == execution.Waiting:
		return "The step has not started yet."
	case s.Status == execution.Skipped:
		return "The step was skipped, so it wrote nothing."
	case s.Log.Complete:
		return "The step wrote nothing."
	}
	return "Nothing of the log has arrived."
}

// OfService describes a service as the origin of a log.
func OfService(a execution.Attempt, s execution.Service) Origin {
	return Origin{
		Kind: "service", Name: s.Name, Attempt: a.ID, Stream: execution.ServiceStream(s.Name), Log: s.Log, Class: words.ServiceClass(s.Status),
		State: words.Service(a, s), Over: s.Status.Ended() || a.Status.Terminal(), Bad: s.Status == execution.ServiceFailed,
		Silence: serviceSilence(a, s),
	}
}

func serviceSilence(a execution.Attempt, s execution.Service) string {
	switch {
	case s.LogWithheld:
		return withheld(a, s)
	case s.StartedAt.IsZero():
		return "The service has not started yet."
	case s.Log.Complete:
		return "The service wrote nothing."
	}
	return "Nothing of the log has arrived."
}

// withheld says why the log of a service is not kept, and how to see it nevertheless.
func withheld(a execution.Attempt, s execution.Service) string {
	return "Its log is not kept, because the service is given a secret or its pod mounts one, and nothing could redact it; while the pod is there, read it with: " +
		"kubectl logs " + or(a.Pod, "POD") + " -c service-" + s.Name
}

// Origins lists what wrote logs in an attempt: its steps and its services.
func Origins(a execution.Attempt) []Origin {
	var out []Origin
	for _, s := range a.Steps {
		out = append(out, OfStep(a.ID, s))
	}
	for _, s := range a.Services {
		out = append(out, OfService(a, s))
	}
	return out
}

// times says how often a service was started again.
func times(n int) string {
	if n == 0 {
		return "–"
	}
	return words.Count(int64(n), "time")
}
