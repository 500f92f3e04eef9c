// Package sign makes the signed bundle of a release, with the key of its organization.
//
// A bundle holds one statement for each suite and environment in which the release was tested, one on the verdict with all that it rests
// upon, and a verification result for other tools when the release is ready. The verdict in it is made from the very bytes that are
// signed as its input, so that whoever has the bundle gets the same bytes again.
//
// An organization has one key that signs and any number that did. Private keys stay in the store and in the memory of a call.
package sign
