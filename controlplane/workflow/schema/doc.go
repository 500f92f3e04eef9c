// Package schema describes the language for others: as JSON Schema for editors, the API and the custom resources, and field by field
// for people. Both are made from the Go types, their tags and their comments.
package schema
