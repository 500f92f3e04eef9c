// Package assess says at any time whether a release is ready.
//
// A release freezes at its creation what it has to show: the readiness policy, and the tests that are required in each environment,
// as the catalog and the history know them then. Executions become evidence when their trigger names the release, or when they ran
// against its images. Whatever comes in marks the release as stale in its own transaction; whoever settles it reads all evidence,
// hands it to the pure package verdict, and records the verdict together with what has changed it.
//
//	create ─► frozen policy and requirements ─┐
//	execution ends, report arrives ─► stale ──┴─► Settle ─► evidence ─► verdict.Decide ─► state, changes
package assess
