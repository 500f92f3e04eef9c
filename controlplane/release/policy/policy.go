package policy

import (
	"slices"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

// What holds where a document says nothing; the same as in its field comments.
const (
	defaultMinApprovers = 1
	defaultMaxAge       = 72 * time.Hour
	bindTest            = "test" // by the names in the waiver alone
)

// FromDocument returns the policy that a document without faults says. It has the default rules when the document has none, and no
// waiver holds when the document does not say who approves them. The revision is for the catalog to set.
func FromDocument(doc *document.ReadinessPolicyDocument) verdict.Policy {
	p := verdict.Policy{Name: doc.Metadata.Name, Digest: doc.Digest, Rules: DefaultRules()}
	if len(doc.Spec.Rules) > 0 {
		p.Rules = rules(doc.Spec.Rules)
	}
	if w := doc.Spec.Waivers; w != nil {
		p.Waivers = terms(*w)
	}
	return p
}

func rules(written []document.Rule) []verdict.Rule {
	all := make([]verdict.Rule, len(written))
	for i, r := range written {
		all[i] = verdict.Rule{ID: r.ID, Kind: verdict.RuleKind(r.Kind), Waivable: r.Waivable, Expr: r.Expr, Description: r.Description}
	}
	return all
}

func terms(w document.Waivers) verdict.WaiverTerms {
	t := verdict.WaiverTerms{
		Approvers: w.Approvers, MinApprovers: int(w.MinApprovers), SelfApproval: w.SelfApproval,
		MaxAge: verdict.Duration(w.MaxAge), BindTo: verdict.BindFingerprint,
	}
	if t.MinApprovers == 0 {
		t.MinApprovers = defaultMinApprovers
	}
	if t.MaxAge == 0 {
		t.MaxAge = verdict.Duration(defaultMaxAge)
	}
	if w.BindTo == bindTest {
		t.BindTo = ""
	}
	return t
}

// Match reports whether a policy is for the releases of an application that are to go to some targets: one that is for certain targets
// has to be for each of them, because a release that it lets pass may go to all of them.
func Match(doc *document.ReadinessPolicyDocument, application string, targets []string) bool {
	of := doc.Spec.AppliesTo.Targets
	elsewhere := func(t string) bool { return !slices.Contains(of, t) }
	return MatchApplication(doc, application) && (len(of) == 0 || len(targets) > 0 && !slices.ContainsFunc(targets, elsewhere))
}

// Claims reports whether a policy is for an application on its way to one of some targets by name. Other policies have no say about
// that target.
func Claims(doc *document.ReadinessPolicyDocument, application string, targets []string) bool {
	named := func(t string) bool { return slices.Contains(doc.Spec.AppliesTo.Targets, t) }
	return MatchApplication(doc, application) && slices.ContainsFunc(targets, named)
}

// MatchApplication reports whether a policy is for an application, such as "shop/cart", whatever its releases' targets. In its patterns
// "*" stops at a slash and "**" does not.
func MatchApplication(doc *document.ReadinessPolicyDocument, application string) bool {
	for _, pattern := range doc.Spec.AppliesTo.Applications {
		if ok, err := doublestar.Match(pattern, application); ok && err == nil {
			return true
		}
	}
	return false
}

// DefaultRules are those of a policy that has none, in the order in which people read them: first whether there is evidence, then what
// it says. They fail closed, and only what is known to be bad can be waived.
func DefaultRules() []verdict.Rule {
	return []verdict.Rule{
		{
			ID: "evidence-complete", Kind: verdict.Missing, Expr: `cell.never_ran == 0 && cell.running == 0`,
			Description: "Every required test ran to its end.",
		},
		{
			ID: "evidence-matches-digest", Kind: verdict.Missing,
			Expr:        `cell.results.all(r, r.outcome in ["skipped","never_ran"] || r.subject_ok)`,
			Description: "What was tested is what is to be released.",
		},
		{
			ID: "evidence-fresh", Kind: verdict.Missing,
			Expr:        `cell.results.all(r, r.outcome == "never_ran" || now - r.finished_at <= duration("24h"))`,
			Description: "Nothing was tested longer than a day ago.",
		},
		{
			ID: "no-unwaived-failures", Kind: verdict.Negative, Waivable: true,
			Expr:        `!cell.results.exists(r, r.outcome in ["failed","errored","timed_out"] && !r.waived && !r.quarantined)`,
			Description: "No test fails, but for those that are waived or in quarantine.",
		},
		{
			ID: "flaky-budget", Kind: verdict.Negative, Waivable: true,
			Expr:        `cell.flaky <= 2 && double(cell.flaky) <= 0.25 * double(cell.required)`,
			Description: "At most two tests are flaky, and at most a quarter of those required.",
		},
		{
			ID: "critical-not-flaky", Kind: verdict.Negative, Waivable: true,
			Expr:        `!cell.results.exists(r, r.outcome == "flaky" && "critical" in r.labels && !r.waived)`,
			Description: "No test with the label critical is flaky.",
		},
		{
			ID: "skips-explained", Kind: verdict.Negative, Expr: `double(cell.skipped) <= 0.5 * double(cell.required)`,
			Description: "At most half as many tests are skipped as are required.",
		},
	}
}
