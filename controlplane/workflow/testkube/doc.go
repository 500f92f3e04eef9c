// Package testkube converts documents of the format testworkflows.testkube.io/v1 into ours. It is pure, and written from the public
// documentation of that format.
//
// Nothing is dropped silently: every field is taken by a function that converts it, or named in a warning. What came of a document
// is read by our own parser at the end; what that finds is a warning too.
package testkube
