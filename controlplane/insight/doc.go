// Package insight answers what many executions say together: what changed from one to another, which failures are alike, and where
// the catalog has not been run.
package insight
