package app

import (
	"crypto/tls"
	"slices"

	"github.com/seatrial/seatrial/agent/config"
	"github.com/seatrial/seatrial/agent/examine"
	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/kube"
)

// everywhere is how a configuration names all namespaces.
const everywhere = "*"

// examiner builds what looks at the agent and its cluster when somebody asks.
func (s *stages) examiner(cfg config.Config, client *kube.Client, clusterID string, dial examine.Options, transport *tls.Config) *examine.Examiner {
	dial.Client, dial.Rehearsal, dial.Offset, dial.Views = client, s.launch, s.link, s.watch
	dial.Address, dial.TLS, dial.Endpoint = cfg.ControlPlane, transport, cfg.Endpoint()
	dial.RunNamespaces, dial.Mine = cfg.RunNamespaces, jobspec.LabelAgent+"="+clusterID
	dial.Rights = rights(cfg)
	dial.Forbidden = append(slices.Clone(cfg.RunNamespaces), cfg.Namespace)
	slices.Sort(dial.Forbidden)
	dial.Forbidden = slices.Compact(dial.Forbidden)
	return examine.New(dial)
}

// rights are what the agent needs for its configuration: what its chart gives it, as the test on a cluster shows.
func rights(cfg config.Config) []examine.Rights {
	const upgrade = "Upgrade the release of the agent's chart, which makes its roles anew."
	out := []examine.Rights{{
		Where: "the cluster", Remedy: upgrade,
		Needed: []kube.Access{
			{Group: "authentication.k8s.io", Resource: "tokenreviews", Verb: "create"}, {Resource: "namespaces", Verb: "get", Name: "kube-system"},
		},
	}, {
		Where: "its own key", Remedy: upgrade,
		Needed: verbs(kube.Access{Resource: "secrets", Namespace: cfg.Namespace, Name: cfg.SecretName}, "get", "update"),
	}}
	for _, ns := range cfg.RunNamespaces {
		out = append(out, examine.Rights{
			Where: "tests in " + ns, Remedy: "Add " + ns + " to runNamespaces of the agent's chart and upgrade the release.",
			Needed: slices.Concat(
				verbs(kube.Access{Group: "batch", Resource: "jobs", Namespace: ns}, "create", "get", "list", "watch", "patch", "delete"),
				verbs(kube.Access{Resource: "pods", Namespace: ns}, "get", "list", "watch"),
				verbs(kube.Access{Resource: "pods", Subresource: "log", Namespace: ns}, "get"),
				verbs(kube.Access{Resource: "events", Namespace: ns}, "list"),
			),
		})
	}
	for _, s := range cfg.Subjects {
		out = append(out, examine.Rights{
			Where: "what is under test in " + s.Namespace, Remedy: "Add " + s.Namespace + " to subjects of the agent's chart and upgrade the release.",
			Needed: verbs(kube.Access{Resource: "pods", Namespace: s.Namespace}, "get", "list", "watch"),
		})
	}
	for _, ns := range cfg.Catalog {
		r := examine.Rights{Where: "documents in " + place(ns), Remedy: "Add the namespace to catalog.namespaces of the agent's chart and upgrade the release."}
		for _, kind := range kube.DocumentKinds() {
			of := kube.Access{Group: kube.DocumentVersion().Group, Resource: kind.Plural, Namespace: named(ns)}
			r.Needed = append(r.Needed, verbs(of, "get", "list", "watch")...)
			of.Subresource = "status"
			r.Needed = append(r.Needed, verbs(of, "patch")...)
		}
		out = append(out, r)
	}
	for _, ns := range cfg.Triggers.Namespaces {
		r := examine.Rights{Where: "triggers in " + place(ns), Remedy: "Add the namespace to triggers.namespaces of the agent's chart and upgrade the release."}
		for _, resource := range cfg.Triggers.Resources {
			r.Needed = append(r.Needed, verbs(watched(resource, ns), "get", "list", "watch")...)
		}
		r.Needed = append(r.Needed, verbs(kube.Access{Resource: "pods", Namespace: named(ns)}, "list")...)
		out = append(out, r)
	}
	return out
}

// verbs is one right for each verb.
func verbs(a kube.Access, all ...string) []kube.Access {
	out := make([]kube.Access, len(all))
	for i, verb := range all {
		out[i] = a
		out[i].Verb = verb
	}
	return out
}

func named(namespace string) string {
	if namespace == everywhere {
		return ""
	}
	return namespace
}

func place(namespace string) string {
	if namespace == everywhere {
		return "all namespaces"
	}
	return namespace
}

// watched is a resource as a configuration names it, which was checked when it was read.
func watched(resource, namespace string) kube.Access {
	plural, group, _ := kube.Split(resource)
	return kube.Access{Group: group, Resource: plural, Namespace: named(namespace)}
}
