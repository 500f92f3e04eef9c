// Package intake stores what agents deliver: reports of state, log chunks, result files.
package intake
