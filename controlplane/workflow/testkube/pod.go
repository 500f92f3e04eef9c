package testkube

import (
	"strconv"

	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

func itoa(i int) string { return strconv.Itoa(i) }

func (c *converter) container(at value, s *document.Spec) {
	c.object(at, func(f *fields) {
		d := &s.Container
		d.Image, d.ImagePullPolicy = c.template(f.take("image")), c.scalar(f.take("imagePullPolicy"))
		d.WorkingDir = workspace(c.template(f.take("workingDir")))
		d.Env = c.env(f.take("env"))
		c.resources(f.take("resources"), &d.Resources)
		c.security(f.take("securityContext"), &s.Pod.Security)
		c.mounts(f.take("volumeMounts"), s)
		f.drop("name the variables one by one, with valueFrom", "envFrom")
		f.drop("every step of Seatrial says its own command", "command", "args")
	})
}

func (c *converter) env(at value) []document.EnvVar {
	var all []document.EnvVar
	c.list(at, func(_ int, item value) {
		c.object(item, func(f *fields) {
			v := document.EnvVar{Name: c.scalar(f.take("name"))}
			if f.has("value") {
				v.Value = c.template(f.take("value"))
			}
			if f.has("valueFrom") {
				v.ValueFrom = c.from(f.take("valueFrom"))
				if v.ValueFrom == nil {
					return
				}
			}
			all = append(all, v)
		})
	})
	return all
}

func (c *converter) from(at value) *document.EnvFrom {
	var from *document.EnvFrom
	ref := func(at value) *document.KeyRef {
		k := &document.KeyRef{}
		c.object(at, func(f *fields) {
			k.Name, k.Key, k.Optional = c.scalar(f.take("name")), c.scalar(f.take("key")), c.boolean(f.take("optional"))
		})
		return k
	}
	c.object(at, func(f *fields) {
		switch {
		case f.has("secretKeyRef"):
			from = &document.EnvFrom{Secret: ref(f.take("secretKeyRef"))}
		case f.has("configMapKeyRef"):
			from = &document.EnvFrom{ConfigMap: ref(f.take("configMapKeyRef"))}
		}
		f.drop("variables come from secrets and config maps", "fieldRef", "resourceFieldRef")
	})
	return from
}

func (c *converter) resources(at value, into *document.Resources) {
	quantities := func(at value) map[string]document.Quantity {
		var all map[string]document.Quantity
		for name, q := range c.textMap(at) {
			if all == nil {
				all = map[string]document.Quantity{}
			}
			all[name] = document.Quantity(q)
		}
		return all
	}
	c.object(at, func(f *fields) {
		into.Requests, into.Limits = quantities(f.take("requests")), quantities(f.take("limits"))
	})
}

// security merges a security context into that of the pod; the first one to say something wins.
func (c *converter) security(at value, s *document.Security) {
	c.object(at, func(f *fields) {
		for name, into := range map[string]**int64{"runAsUser": &s.RunAsUser, "runAsGroup": &s.RunAsGroup, "fsGroup": &s.FSGroup} {
			if n, ok := c.integer(f.take(name)); ok && *into == nil {
				*into = &n
			}
		}
		for name, into := range map[string]**bool{"runAsNonRoot": &s.RunAsNonRoot, "readOnlyRootFilesystem": &s.ReadOnlyRootFilesystem} {
			if f.has(name) && *into == nil {
				b := c.boolean(f.take(name))
				*into = &b
			}
		}
	})
}

func (c *converter) pod(at value, s *document.Spec) {
	c.object(at, func(f *fields) {
		p := &s.Pod
		p.ServiceAccountName, p.NodeSelector = c.scalar(f.take("serviceAccountName")), c.textMap(f.take("nodeSelector"))
		p.Labels, p.Annotations = c.textMap(f.take("labels")), c.textMap(f.take("annotations"))
		c.list(f.take("imagePullSecrets"), func(_ int, item value) {
			c.object(item, func(f *fields) {
				p.ImagePullSecrets = append(p.ImagePullSecrets, document.NameRef{Name: c.scalar(f.take("name"))})
			})
		})
		c.list(f.take("tolerations"), func(_ int, item value) { p.Tolerations = append(p.Tolerations, c.toleration(item)) })
		c.security(f.take("securityContext"), &p.Security)
		c.list(f.take("volumes"), func(_ int, item value) { c.volume(item, p) })
		if f.has("activeDeadlineSeconds") {
			s.Timeout = c.seconds(f.take("activeDeadlineSeconds"))
		}
	})
}

func (c *converter) toleration(at value) document.Toleration {
	t := document.Toleration{}
	c.object(at, func(f *fields) {
		t.Key, t.Operator = c.scalar(f.take("key")), c.scalar(f.take("operator"))
		t.Value, t.Effect = c.scalar(f.take("value")), c.scalar(f.take("effect"))
		if n, ok := c.integer(f.take("tolerationSeconds")); ok {
			t.Seconds = &n
		}
	})
	return t
}

// volume keeps a volume until a mount says where it goes.
func (c *converter) volume(at value, p *document.Pod) {
	v := document.Volume{}
	c.object(at, func(f *fields) {
		v.Name = c.scalar(f.take("name"))
		object := func(name, field string) *document.ObjectVolume {
			o := &document.ObjectVolume{}
			c.object(f.take(name), func(f *fields) {
				o.Name, o.Optional = c.scalar(f.take(field)), c.boolean(f.take("optional"))
			})
			return o
		}
		switch {
		case f.has("emptyDir"):
			v.EmptyDir = &document.EmptyDir{}
			c.object(f.take("emptyDir"), func(f *fields) {
				v.EmptyDir.Medium, v.EmptyDir.SizeLimit = c.scalar(f.take("medium")), document.Quantity(c.scalar(f.take("sizeLimit")))
			})
		case f.has("configMap"):
			v.ConfigMap = object("configMap", "name")
		case f.has("secret"):
			v.Secret = object("secret", "secretName")
		case f.has("persistentVolumeClaim"):
			v.PersistentVolumeClaim = &document.Claim{}
			c.object(f.take("persistentVolumeClaim"), func(f *fields) {
				v.PersistentVolumeClaim.ClaimName = c.scalar(f.take("claimName"))
				v.ReadOnly = c.boolean(f.take("readOnly"))
			})
		default:
			return
		}
		p.Volumes = append(p.Volumes, v)
	})
}

// mounts says where the volumes of the pod go; ours are mounted into every step and service.
func (c *converter) mounts(at value, s *document.Spec) {
	c.list(at, func(_ int, item value) {
		c.object(item, func(f *fields) {
			name := c.scalar(f.take("name"))
			mount, sub, readOnly := c.scalar(f.take("mountPath")), c.scalar(f.take("subPath")), c.boolean(f.take("readOnly"))
			for i := range s.Pod.Volumes {
				if v := &s.Pod.Volumes[i]; v.Name == name && v.MountPath == "" {
					v.MountPath, v.SubPath, v.ReadOnly = mount, sub, v.ReadOnly || readOnly
					return
				}
			}
			c.lost(item, "the pod has no such volume, or it is mounted already")
		})
	})
}

func (c *converter) job(at value, s *document.Spec) {
	c.object(at, func(f *fields) {
		merge := func(into *map[string]string, at value) {
			for name, v := range c.textMap(at) {
				if *into == nil {
					*into = map[string]string{}
				}
				(*into)[name] = v
			}
			if at.Node != nil {
				c.warn(at, "they are those of the pod now: Seatrial has one pod for each Job")
			}
		}
		merge(&s.Pod.Labels, f.take("labels"))
		merge(&s.Pod.Annotations, f.take("annotations"))
		if f.has("activeDeadlineSeconds") {
			s.Timeout = c.seconds(f.take("activeDeadlineSeconds"))
		}
		f.drop("an environment says it", "namespace")
	})
}

func (c *converter) services(at value, s *document.Spec) {
	c.mapping(at, func(name string, item value) {
		if s.Services == nil {
			s.Services = map[string]document.Service{}
		}
		s.Services[name] = c.service(item)
	})
}

func (c *converter) service(at value) document.Service {
	var s document.Service
	c.object(at, func(f *fields) {
		s.Image, s.ImagePullPolicy = c.template(f.take("image")), c.scalar(f.take("imagePullPolicy"))
		s.Command, s.Args, s.WorkingDir = c.templates(f.take("command")), c.templates(f.take("args")), c.template(f.take("workingDir"))
		if f.has("shell") {
			s.Command, s.Args = []string{"/bin/sh", "-c", c.template(f.take("shell"))}, nil
		}
		for _, v := range c.env(f.take("env")) {
			s.Env = append(s.Env, document.ServiceEnv(v))
		}
		c.resources(f.take("resources"), &s.Resources)
		if f.has("readinessProbe") {
			s.Ready = c.probe(f.take("readinessProbe"))
		}
		timeout := f.take("timeout")
		if s.Ready != nil {
			s.Ready.Timeout = c.duration(timeout)
		} else {
			c.lost(timeout, "without a readiness probe there is nothing to wait for")
		}
		f.drop("a service of Seatrial is one container next to the steps", "count", "maxCount", "matrix", "shards", "pod", "parallelism")
		f.drop("services of Seatrial share the workspace with the steps", "transfer", "content")
		f.drop("the log of a service is kept, unless the service is given a secret", "logs")
		f.drop("a service that ends is started again", "restartPolicy")
	})
	return s
}

func (c *converter) probe(at value) *document.Ready {
	ready := &document.Ready{}
	c.object(at, func(f *fields) {
		if f.has("exec") {
			c.object(f.take("exec"), func(f *fields) { ready.Exec = c.texts(f.take("command")) })
		}
		if f.has("tcpSocket") {
			ready.TCP = &document.PortCheck{}
			c.object(f.take("tcpSocket"), func(f *fields) { ready.TCP.Port, _ = c.integer(f.take("port")) })
		}
		if f.has("httpGet") {
			ready.HTTP = &document.HTTPCheck{}
			c.object(f.take("httpGet"), func(f *fields) {
				ready.HTTP.Port, _ = c.integer(f.take("port"))
				ready.HTTP.Path = c.scalar(f.take("path"))
				if scheme := c.scalar(f.take("scheme")); scheme == "HTTPS" {
					ready.HTTP.Scheme = "https"
				}
			})
		}
		if f.has("periodSeconds") {
			ready.Interval = c.seconds(f.take("periodSeconds"))
		}
		f.drop("a service is ready the first time it says so, within ready.timeout",
			"initialDelaySeconds", "timeoutSeconds", "successThreshold", "failureThreshold")
	})
	return ready
}
