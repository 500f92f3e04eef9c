package workflow

import (
	"fmt"
	"maps"
	"slices"

	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
)

// maxServices bounds what the services of a pod have in texts together: the Job that carries them has a limit.
const maxServices = 256 << 10

// services resolves the services in the order of their names, which is the order in which they start.
func (c *compilation) services() {
	size := 0
	for _, name := range slices.Sorted(maps.Keys(c.doc.Spec.Services)) {
		s := c.service(name, c.doc.Spec.Services[name])
		for _, text := range slices.Concat(s.Command, s.Args) {
			size += len(text)
		}
		for _, v := range s.Env {
			size += len(v.Value)
		}
		c.plan.Services = append(c.plan.Services, s)
	}
	if size > maxServices {
		c.fault("spec.services", "commands and variables have %d KiB with their parameters; the limit is %d KiB", size>>10, maxServices>>10)
	}
}

func (c *compilation) service(name string, s document.Service) PlanService {
	path := "spec.services." + name
	out := PlanService{
		Name: name, Image: c.text(path+".image", s.Image, expr.Here, "image"), PullPolicy: s.ImagePullPolicy,
		Command: c.texts(path+".command", s.Command, expr.Here, ""), Args: c.texts(path+".args", s.Args, expr.Here, ""),
		WorkingDir: c.text(path+".workingDir", s.WorkingDir, expr.Here, "workingDir"),
		Requests:   quantities(s.Resources.Requests), Limits: quantities(s.Resources.Limits), Ready: s.Ready,
		SecretDirs: slices.ContainsFunc(c.doc.Spec.Pod.Volumes, func(v document.Volume) bool { return v.Secret != nil }),
		RunAsUser:  s.Security.RunAsUser, RunAsGroup: s.Security.RunAsGroup,
	}
	for i, v := range s.Env {
		one := PlanServiceEnv{Name: v.Name}
		if v.ValueFrom == nil {
			one.Value = c.text(fmt.Sprintf("%s.env[%d].value", path, i), v.Value, expr.Here, "")
		} else {
			one.Secret, one.ConfigMap = v.ValueFrom.Secret, v.ValueFrom.ConfigMap
		}
		out.Env = append(out.Env, one)
	}
	return out
}
