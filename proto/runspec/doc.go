// Package runspec is what people sign of a workflow so that nobody else decides what runs in their cluster: the run specification.
//
// A specification is everything of an assignment that a pod is made from or that a runner does: images, commands, scripts, variables,
// files, sources, secrets, volumes, security contexts, and whatever the protocol gets in future. It binds by default: Of takes every field
// that free does not name. What a control plane must be able to choose, such as the values of parameters, is open, and only where
// the specification says so: as the whole value of an environment variable, held to the rule of its parameter.
//
// A Statement names the workflow and its organization and lists the digests of its specifications, one for each different run. It travels
// signed in an annotation of the document, so that it is a part of the revision however that comes into the catalog. The control
// plane derives the specification of a run once more and hands both to the agent, which believes neither: it verifies the statement with
// keys that the owner of the cluster gave it, looks for the digest, and holds the assignment against the specification.
//
// The package is pure and belongs to the wire contract, as the generated code beside it: author, control plane and agent share it.
package runspec
