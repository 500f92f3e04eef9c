// Package charts renders the charts by Helm and holds what comes out: golden files, the types of Kubernetes, and the settings of the programs.
package charts
