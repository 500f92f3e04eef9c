// Package api serves the Connect API for people and pipelines.
package api
