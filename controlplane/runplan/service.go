package runplan

import (
	"cmp"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seatrial/seatrial/controlplane/workflow"
	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// What holds for the readiness of a service unless its workflow says otherwise.
const (
	readyTimeout  = 2 * time.Minute
	readyInterval = time.Second
)

func service(s workflow.PlanService) *agentv1.Service {
	out := &agentv1.Service{
		Name: s.Name, Image: s.Image, ImagePullPolicy: s.PullPolicy, Command: s.Command, Args: s.Args, WorkingDir: s.WorkingDir,
		Requests: s.Requests, Limits: s.Limits, Ready: ready(s.Ready),
		RunAsUser: s.RunAsUser, RunAsGroup: s.RunAsGroup,
	}
	for _, v := range s.Env {
		out.Env = append(out.Env, variable(v.Name, v.Value, v.Secret, v.ConfigMap))
	}
	return out
}

func ready(r *workflow.Ready) *agentv1.Ready {
	if r == nil {
		return nil
	}
	out := &agentv1.Ready{
		Timeout:  durationpb.New(cmp.Or(time.Duration(r.Timeout), readyTimeout)),
		Interval: durationpb.New(cmp.Or(time.Duration(r.Interval), readyInterval)),
	}
	switch {
	case r.TCP != nil:
		out.Check = &agentv1.Ready_TcpPort{TcpPort: int32(r.TCP.Port)} //nolint:gosec // at most 65535
	case r.HTTP != nil:
		out.Check = &agentv1.Ready_Http{Http: &agentv1.HTTPCheck{
			Port: int32(r.HTTP.Port), //nolint:gosec // at most 65535
			Path: cmp.Or(r.HTTP.Path, "/"), Https: r.HTTP.Scheme == "https",
		}}
	default:
		out.Check = &agentv1.Ready_Exec{Exec: &agentv1.ExecCheck{Command: r.Exec}}
	}
	return out
}
