package viewfake

import (
	"time"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/policy"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/workflow"
)

// The applications of the sample's releases. One has a slash in its name, which is one segment of an address all the same.
const (
	Checkout = "shop/checkout" // 1.40.0 is ready, 1.41.0 with waivers, 1.42.0 is not and lacks evidence too
	Cart     = "shop/cart"     // of 0.9.0 much never ran, of 0.9.1 tests are under way
	Harbour  = "harbour"       // 2026.11.0 has four suites in three environments
)

func (w *World) sampleReleases() {
	w.Policies = []workflow.Record{{ID: ID("policy"), Name: "prod-gate", Revision: 3, Digest: Digest("prod-gate"), Source: prodGate, UpdatedAt: ago(9 * 24 * time.Hour)}}
	for _, one := range []func() (release.Release, verdict.Input){ready, withWaivers, neverRan, underWay, harbour, notReady} {
		w.PutRelease(one())
	}
}

// sampleRelease returns a release without evidence.
func sampleRelease(application, version string, created time.Time, images ...string) release.Release {
	r := release.Release{
		ID: ID("release " + application + version), Application: application, Version: version, Commit: Digest(version)[:40], Team: "payments",
		Actor: "pipeline of shop", CreatedAt: created, Decided: ago(3 * time.Minute), State: verdict.Incomplete,
		Policy: verdict.Policy{
			Name: "prod-gate", Revision: 3, Digest: Digest("prod-gate"), Rules: policy.DefaultRules(),
			Waivers: verdict.WaiverTerms{
				Approvers: "team:release-managers", MinApprovers: 1, MaxAge: verdict.Duration(72 * time.Hour), BindTo: verdict.BindFingerprint,
			},
		},
		Changes: []release.Change{{
			Number: 1, After: verdict.Incomplete, At: created,
			Cause: "The release was created by pipeline of shop. Missing: evidence-complete (staging-eu/api, staging-eu/smoke, staging-us/api and 1 more).",
		}},
	}
	for _, name := range images {
		r.Images = append(r.Images, verdict.Image{Name: name, Digest: "sha256:" + Digest(name+version)})
	}
	return r
}

func linkedTo(link release.Link, e execution.Execution) release.Linked {
	e.Runs = nil
	return release.Linked{Execution: e, Link: link}
}

// ran returns the head of an execution that is evidence.
func ran(name, flow string, s execution.Status, start time.Time, c execution.Counts) execution.Execution {
	e := attempt("release "+name, flow, s, start, step(0, "test", s, start, 2*time.Minute, code(0)))
	e.Tests = c
	return e
}

func ready() (release.Release, verdict.Input) {
	r := sampleRelease(Checkout, "1.40.0", ago(29*24*time.Hour), "registry.example.com/shop/checkout")
	r.Changes = append(r.Changes, release.Change{
		Number: 2, Before: verdict.Incomplete, After: verdict.Ready, At: ago(29*24*time.Hour - 40*time.Minute), Cause: "checkout-api came in. Every rule holds.",
	})
	r.Executions = []release.Linked{
		linkedTo(release.Observed, ran("api", "api", execution.Passed, ago(2*time.Hour), execution.Counts{Total: 16, Passed: 16})),
		linkedTo(release.Asked, ran("smoke", "smoke", execution.Passed, ago(3*time.Hour), execution.Counts{Total: 8, Passed: 8})),
	}
	return r, evidence(&r, map[spot]string{
		at("staging-eu", "api"): "PPPPPPPP", at("staging-eu", "smoke"): "PPPP", at("staging-us", "api"): "PPPPPPPPE", at("staging-us", "smoke"): "PPPP",
	})
}

func withWaivers() (release.Release, verdict.Input) {
	r := sampleRelease(Checkout, "1.41.0", ago(8*24*time.Hour), "registry.example.com/shop/checkout", "registry.example.com/shop/worker")
	in := evidence(&r, map[spot]string{
		at("staging-eu", "api"): "PPFPPPPP", at("staging-eu", "smoke"): "PPPP", at("staging-us", "api"): "PPPPPPSP", at("staging-us", "smoke"): "PPQP",
	})
	w := waiver(r, "approved", in.Cells[0], 2)
	w.Reason = "The voucher service of staging is being moved; vouchers are off in production until Thursday."
	w.Approvals = []verdict.Approval{{By: "ada@acme.example", At: ago(5 * time.Hour)}}
	r.Waivers = []verdict.Waiver{w}
	r.Changes = append(r.Changes,
		release.Change{Number: 2, Before: verdict.Incomplete, After: verdict.NotReady, At: ago(8 * time.Hour), Cause: "Broken: no-unwaived-failures (staging-eu/api)."},
		release.Change{
			Number: 3, Before: verdict.NotReady, After: verdict.ReadyWithWaivers, At: ago(5 * time.Hour),
			Cause: "ada@acme.example approved a waiver of no-unwaived-failures. Every rule holds with the waivers that were approved.",
		})
	return r, in
}

func neverRan() (release.Release, verdict.Input) {
	r := sampleRelease(Cart, "0.9.0", ago(4*24*time.Hour), "registry.example.com/shop/cart")
	r.Executions = []release.Linked{linkedTo(release.Observed, ran("cart", "smoke", execution.Passed, ago(4*time.Hour), execution.Counts{Total: 4, Passed: 4}))}
	return r, evidence(&r, map[spot]string{
		at("staging-eu", "api"): "PPP..oPP", at("staging-eu", "smoke"): "PPPP", at("staging-us", "api"): "........", at("staging-us", "smoke"): "OOOO",
	})
}

func underWay() (release.Release, verdict.Input) {
	r := sampleRelease(Cart, "0.9.1", ago(14*time.Minute), "registry.example.com/shop/cart")
	r.Executions = []release.Linked{
		linkedTo(release.Asked, ran("cart under way", "api", execution.Running, ago(4*time.Minute), execution.Counts{Total: 4, Passed: 4})),
	}
	return r, evidence(&r, map[spot]string{
		at("staging-eu", "api"): "PPPPRRRR", at("staging-eu", "smoke"): "PPPP", at("staging-us", "smoke"): "RRRR",
	})
}

func notReady() (release.Release, verdict.Input) {
	r := sampleRelease(Checkout, "1.42.0", ago(95*time.Minute), "registry.example.com/shop/checkout", "registry.example.com/shop/worker")
	in := evidence(&r, map[spot]string{
		at("staging-eu", "api"): "PPFPPKPP", at("staging-eu", "smoke"): "PPPP", at("staging-us", "api"): "PPFPP.IP", at("staging-us", "smoke"): "....",
	})
	r.Executions = []release.Linked{
		linkedTo(release.Asked, ran("checkout us", "api", execution.Failed, ago(20*time.Minute), execution.Counts{Total: 7, Passed: 5, Failed: 1, Errored: 1})),
		linkedTo(release.Observed, ran("checkout eu", "api", execution.Failed, ago(50*time.Minute), execution.Counts{Total: 8, Passed: 7, Failed: 1})),
		linkedTo(release.Observed, ran("checkout smoke", "smoke", execution.Passed, ago(80*time.Minute), execution.Counts{Total: 4, Passed: 4})),
	}
	asked := waiver(r, "asked", in.Cells[0], 2)
	asked.Requester, asked.Reason = "grace@acme.example", "Vouchers are off in production this week."
	old := waiver(r, "over", in.Cells[2], 2)
	old.CreatedAt, old.ExpiresAt, old.Reason = ago(90*time.Minute), ago(20*time.Minute), "Until the fixture is back."
	r.Waivers = []verdict.Waiver{old, asked}
	r.Changes = append(r.Changes, release.Change{
		Number: 2, Before: verdict.Incomplete, After: verdict.NotReady, At: ago(49 * time.Minute),
		Cause: "api failed in staging-eu. Broken: no-unwaived-failures (staging-eu/api).",
	})
	return r, in
}

func harbour() (release.Release, verdict.Input) {
	r := sampleRelease(Harbour, "2026.11.0", ago(3*time.Hour), "registry.example.com/harbour/berths", "registry.example.com/harbour/pilots", "registry.example.com/harbour/tides")
	in := evidence(&r, map[spot]string{
		at("lab", "api"): "PPPPPPPP", at("lab", "browser"): "PPPPP", at("lab", "load"): "PPP", at("lab", "smoke"): "PPPP",
		at("staging-eu", "api"): "PPFPPKKK", at("staging-eu", "browser"): "PPKPP", at("staging-eu", "load"): "RRP", at("staging-eu", "smoke"): "PPPP",
		at("staging-us", "api"): "PPPPPPCC", at("staging-us", "browser"): ".....", at("staging-us", "load"): "PoB", at("staging-us", "smoke"): "PFPP",
	})
	given := waiver(r, "given", in.Cells[11], 1)
	given.Approvals = []verdict.Approval{{By: "grace@acme.example", At: ago(time.Hour)}}
	given.Reason = "The pilot of the smoke test is on shore leave."
	r.Waivers = []verdict.Waiver{given}
	r.Executions = []release.Linked{
		linkedTo(release.Asked, ran("harbour load", "load", execution.Running, ago(4*time.Minute), execution.Counts{Total: 1, Passed: 1})),
		linkedTo(release.Asked, ran("harbour browser", "browser", execution.Passed, ago(70*time.Minute), execution.Counts{Total: 5, Passed: 5})),
		linkedTo(release.Observed, ran("harbour api", "api", execution.Failed, ago(2*time.Hour), execution.Counts{Total: 8, Passed: 7, Failed: 1})),
	}
	return r, in
}
