// Package agents tests agents against a control plane of several replicas: the real connection at both ends, the real store and
// credentials, and no cluster.
package agents
