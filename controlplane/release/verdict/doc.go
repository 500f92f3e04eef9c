// Package verdict says whether a release is ready.
//
// It is pure: one value goes in, the verdict with everything that it rests upon comes out, and equal values give equal bytes. So a
// signed bundle that holds the input lets anyone recompute the verdict, on any machine and without asking the control plane. Nothing
// here reads a clock, a store or the environment; the order in which the input lists things does not matter.
//
//	input    what is asked: release, policy, runs, cells with their evidence, waivers, now
//	compile  the rules of a policy, checked once
//	subject  which evidence of a run speaks on the release
//	cell     the evidence of an environment and a suite, as one verdict for each test and variant
//	view     what of a cell the rules can see
//	waiver   which exceptions hold
//	decide   rules × cells → state
//	blame    which tests break a rule
//	reading  what a rule can tell results apart by
//
// Whatever is not known speaks against the release: a rule that cannot be evaluated is broken, evidence of another subject is not
// evidence, and what never ran cannot be waived. So a pass has to prove what it was made on, while a failure stays when its crash took
// the proof away, and what is not over yet stands in the way of older verdicts.
package verdict
