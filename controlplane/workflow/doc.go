// Package workflow is the test workflow language: documents, their faults, parameters, and what a workflow compiles to.
//
// Parse turns YAML into a Document or reports every fault at once. What the language defines but this version cannot do is
// refused as "not supported yet", never ignored. Compile turns a document and the inputs of one execution into a Plan.
package workflow
