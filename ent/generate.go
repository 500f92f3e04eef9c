// Package ent holds the database: schema and rules by hand, db by generation, migrations as SQL.
package ent

//go:generate go run ./internal/generate
