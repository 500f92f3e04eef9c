// Package verdict says whether a release is ready.
//
// It is pure: one value goes in, the verdict with everything that it rests upon comes out, and equal values give equal bytes. So a
// signed bundle that holds the input lets anyone recompute the verdict, on any machine and without asking the control plane. Nothing
// here reads a clock, a store or the environment; the order in which the input lists things does not matter.
//
//	input    what is asked: release, policy, runs, cells with their evidence, waivers, now
//	compile  the rules of a policy, checked once
//	subject  whether a run saw the release
//	cell     the evidence of an environment and a suite, as one verdict for each test and variant
//	view     what of a cell the rules can see
//	waiver   which exceptions hold
//	decide   rules × cells → state
//	blame    which tests break a rule
//
// Whatever is not known speaks against the release: a rule that cannot be evaluated is broken, evidence of another subject is not
// evidence, and what never ran cannot be waived.
package verdict
