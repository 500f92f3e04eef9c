// Package merge builds a workflow upon the templates that it uses. It is pure.
//
// The templates are laid upon each other in the order of use, and the workflow upon them. What is laid upon something is called the
// upper one below. The rules, each with a golden file in testdata:
//
//   - scalar: a text, number or boolean of the upper one wins when it is set.
//   - mapping: mappings (labels of the pod, node selector, requests and limits) are merged key by key; the upper one wins.
//   - struct: container, pod, retry, resources and security context are merged field by field.
//   - whole: environments, concurrency, shards, the kinds of source and the readiness of a service are taken whole from the upper
//     one when it has them: half of each makes no sense.
//   - named: lists of things with a name (variables, volumes, pull secrets; files by their path) are merged by name; the upper one
//     replaces the whole entry in its place, and new entries follow.
//   - services: a service of the same name is merged field by field; its command and args are replaced.
//   - append: triggers and tolerations of the upper one follow; equal ones are there once.
//   - matrix: axes are merged by name, the upper one's values win; exclude and include of the upper one follow.
//   - steps: the steps of a template come before those of the upper one.
//   - teardown: the teardown of a template comes after that of the upper one.
//   - own: name, labels, annotations, description and params of a template stay its own.
//   - params: with gives the params of the template, which expressions of the template read; its own defaults fill the rest. A text
//     with expressions is resolved in the workflow that uses the template.
//   - nested: a template may use others; it is built first.
//   - names: two steps of one name are a fault, as anywhere.
package merge
