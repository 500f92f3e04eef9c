// Package deploy holds the tests of what is in deploy/ and integrates with others: that it names nothing which there is not.
package deploy
