// Package agentlink serves the agents' one connection: identity, session, commands, delivery.
package agentlink
