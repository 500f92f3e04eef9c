// Package release is the record of what is to be shipped: a release, what it has to show, and what is known of it. What is done with
// it is in the packages below: verdict decides, policy resolves what is required, assess keeps the verdict up to date, attest
// says it in statements that sign signs, report writes it down, share lets others read it, and compare holds two of them side by side.
package release
