// Package workflow is the door to the test workflow language: what reads a document, what of it the system can execute, and what it
// compiles to.
//
//	document  the types: what may be written, with its rules and meaning
//	parse     YAML to a document, or every fault at once
//	rule      the checks of texts that the types name
//	expr      the ${{ }} expressions
//	merge     a workflow and the templates that it uses
//	expand    an execution to its runs: environments × matrix × shards
//	schema    the JSON Schema, and the explanation of a field
//	testkube  the import of another format
//
// Compile turns a document and the inputs of one attempt into a Plan. What the language has but the system cannot execute yet is
// refused as "not supported yet", never ignored; the list is in unsupported.go.
package workflow
