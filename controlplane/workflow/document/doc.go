// Package document is the types of the language. What may be written, how it is checked and what it means all stand here, once:
// the parser, the JSON Schema and `seatrial explain` read the fields, their comments and their rule tags.
//
// The rule tag of a field is a list of options: required; enum=a|b; min=N and max=N (of a number, a duration or the length of a
// list); default=X (what holds when the field is absent, for people); rule=NAME and keys=NAME (a check of texts, list items or
// map values, and of map keys); expr=WHERE (expressions are resolved in it: here, pod, trigger; or it is one: if, count, items).
//
// The merge tag says how a field of a template and that of what uses it become one; package merge explains its words.
//
// A document in canonical JSON is a valid document with the same meaning.
package document

import "embed"

// Sources are the files of this package, whose comments explain the fields.
//
//go:embed *.go
var Sources embed.FS
