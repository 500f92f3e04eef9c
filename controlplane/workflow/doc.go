// Package workflow is the test workflow language: documents, their faults, expressions, and what a workflow compiles to.
package workflow
