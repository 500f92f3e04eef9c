package gate

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seatrial/seatrial/controlplane/release"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
)

// maxComment is how much text GitHub takes, in bytes.
const maxComment = 1024

// maxBlockers is how many rules a comment names of one release.
const maxBlockers = 5

// answer is what a forge is told. Waiting is said without a decision; an empty comment says nothing at all.
type answer struct {
	State   State
	Comment string
}

// judge answers for the releases of a commit that go to a target: approved when all of them are ready, rejected when one is not, and
// otherwise what is waited for. Home is the page of the organization.
func judge(d Deployment, releases []release.Release, home string) answer {
	if len(releases) == 0 {
		return answer{Waiting, fmt.Sprintf("Seatrial knows no release of commit `%s` for the target `%s`, and waits for one:\n\n"+
			"    seatrial release create APPLICATION VERSION --commit %s --target %s", d.Commit, d.Target, d.Commit, d.Target)}
	}
	out := answer{State: Approved}
	var lines []string
	for _, r := range releases {
		switch {
		case r.Stale: // there is evidence that the verdict does not know yet, which will be said then
			return answer{State: Waiting}
		case r.State == verdict.NotReady:
			out.State = Rejected
		case r.State == verdict.Ready, r.State == verdict.ReadyWithWaivers:
		case out.State != Rejected:
			out.State = Waiting
		}
		lines = append(lines, line(r, home))
	}
	out.Comment = clip(strings.Join(lines, "\n\n"), maxComment)
	return out
}

// line says of one release how it stands.
func line(r release.Release, home string) string {
	page := home + "/releases/" + url.PathEscape(r.Application) + "/" + url.PathEscape(r.Version)
	text := fmt.Sprintf("[%s %s](%s) is **%s**", r.Application, r.Version, page, r.State)
	if r.State == verdict.Incomplete {
		return text + ": evidence is missing, and it is waited for."
	}
	if rules := blockers(r); r.State == verdict.NotReady && len(rules) > 0 {
		return text + " by " + strings.Join(rules, ", ") + "."
	}
	return text + "."
}

// blockers names the rules that keep a release from being ready.
func blockers(r release.Release) (out []string) {
	var known verdict.Output
	if json.Unmarshal(r.Verdict, &known) != nil {
		return nil // the page says why
	}
	for _, b := range release.Blockers(known) {
		if rule := "`" + strings.ReplaceAll(b.Rule, "`", "'") + "`"; !slices.Contains(out, rule) {
			out = append(out, rule)
		}
	}
	if more := len(out) - maxBlockers; more > 0 {
		out = append(out[:maxBlockers], fmt.Sprintf("%d more", more))
	}
	return out
}

// clip cuts a text to a number of bytes, between characters.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	const mark = "…"
	cut := most - len(mark)
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + mark
}
