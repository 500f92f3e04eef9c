package runspec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// Policy is what the owner of a cluster demands of everything that runs in it.
type Policy struct {
	// Keys are those of the people who may sign. None means that nothing has to be signed.
	Keys []Key
	// Organization is that of the cluster: what was signed for another one is refused.
	Organization string
	// After refuses what was signed before; the zero time nothing.
	After time.Time
}

// Demands reports whether anything has to be signed.
func (p Policy) Demands() bool { return len(p.Keys) > 0 }

// Sentences say what is demanded, for people.
func (p Policy) Sentences() []string {
	var out []string
	for _, key := range p.Keys {
		out = append(out, fmt.Sprintf("workflow: signed for %s with key %s", p.Organization, key.ID()))
	}
	if p.Demands() && !p.After.IsZero() {
		out = append(out, "signature: made after "+p.After.UTC().Format(time.RFC3339))
	}
	return out
}

// refusedError is a refusal in sentences for people, which may travel to the execution.
type refusedError string

func (e refusedError) Error() string { return string(e) }

func refuse(format string, args ...any) error { return refusedError(fmt.Sprintf(format, args...)) }

// skew is how far ahead the clock of a signer may be.
const skew = 5 * time.Minute

// Check returns why an assignment is not what somebody with one of the keys has signed, in sentences for people who can mend it, or nil.
func (p Policy) Check(a *agentv1.Assignment, now time.Time) error {
	signed := a.GetRunSpecification()
	if len(signed.GetEnvelope()) == 0 {
		return refuse("The agent of this cluster runs signed workflows only, and %q carries no signature: "+
			"sign it with seatrial workflow sign and apply it again.", a.GetWorkflow())
	}
	s, key, err := Open(signed.GetEnvelope(), p.Keys)
	switch {
	case errors.Is(err, errSigner):
		return refuse("The signature of %q is of none of the keys that the agent of this cluster trusts (%s), or what it covers was changed: "+
			"sign with one of these, or add the key to runSpecifications.publicKeys of the agent's chart.", a.GetWorkflow(), IDs(p.Keys))
	case err != nil:
		return refuse("The signature of %q cannot be read: %v.", a.GetWorkflow(), err)
	}
	if err := p.holds(s, key, a, now); err != nil {
		return err
	}
	if digest := Digest(signed.GetSpecification()); !slices.Contains(s.Specifications, digest) {
		return refuse("What %q is to do now is not among what was signed on %s with key %s: the workflow, one of its templates or "+
			"the version of the control plane has changed since. Look at it and sign it again with seatrial workflow sign.",
			a.GetWorkflow(), s.SignedAt.Format(time.DateOnly), key.ID())
	}
	if faults := Compare(signed.GetSpecification(), a); len(faults) > 0 {
		return refuse("The control plane asks for something else than was signed for %q with key %s: %s",
			a.GetWorkflow(), key.ID(), few(faults))
	}
	return nil
}

// holds checks a statement that is verified against where and when it is to hold.
func (p Policy) holds(s Statement, key Key, a *agentv1.Assignment, now time.Time) error {
	const date = "2006-01-02 15:04 UTC"
	refuse := func(format string, args ...any) error {
		return refuse("The signature of %q by key %s does not hold here: "+format, //nolint:err113 // for people alone
			append([]any{a.GetWorkflow(), key.ID()}, args...)...)
	}
	switch {
	case s.Organization != p.Organization:
		return refuse("it is for the organization %q, and this cluster is one of %q.", s.Organization, p.Organization)
	case s.Workflow != a.GetWorkflow():
		return refuse("it is of the workflow %q.", s.Workflow)
	case len(s.Namespaces) > 0 && !slices.Contains(s.Namespaces, a.GetNamespace()):
		return refuse("it is for the namespaces %s, not for %s.", strings.Join(s.Namespaces, ", "), a.GetNamespace())
	case s.SignedAt.After(now.Add(skew)):
		return refuse("it says that it was made at %s, and it is %s: look at the clocks.", s.SignedAt.UTC().Format(date), now.UTC().Format(date))
	case s.SignedAt.Before(p.After):
		return refuse("it was made at %s, and runSpecifications.signedAfter of the agent's chart is %s: sign the workflow again.",
			s.SignedAt.UTC().Format(date), p.After.UTC().Format(date))
	case !s.ExpiresAt.IsZero() && !now.Before(s.ExpiresAt):
		return refuse("it expired at %s: sign the workflow again.", s.ExpiresAt.UTC().Format(date))
	}
	return nil
}

// Compare returns what of an assignment is not as its specification says, a clause for each field, in their order.
func Compare(specification []byte, a *agentv1.Assignment) []string {
	got, err := Of(a, nil)
	if err != nil {
		return []string{err.Error()}
	}
	var want, is any
	if err := errors.Join(decode(specification, &want), decode(got, &is)); err != nil {
		return []string{"the specification cannot be read: " + err.Error()}
	}
	var c comparison
	c.compare("", "", want, is)
	if p := a.GetPlan(); p != nil && p.GetAttemptId() != a.GetAttemptId() {
		c.fault("plan.attempt_id", "is another one than that of the assignment")
	}
	if s := a.GetPlan().GetShard(); s != nil && (s.GetIndex() < 1 || s.GetIndex() > s.GetCount()) {
		c.fault("plan.shard", "is none of those there are")
	}
	return c.faults
}

func decode(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(into) //nolint:wrapcheck // the caller says of what
}

type comparison struct{ faults []string }

func (c *comparison) fault(path, format string, args ...any) {
	c.faults = append(c.faults, path+" "+fmt.Sprintf(format, args...))
}

// compare holds a part of an assignment against that of the specification. The place is the path without indexes and keys of maps.
func (c *comparison) compare(path, place string, want, got any) {
	switch w := want.(type) {
	case map[string]any:
		if rule, ok := w[open].(map[string]any); ok {
			c.open(path, place, rule, got)
			return
		}
		if g, ok := got.(map[string]any); ok {
			c.object(path, place, w, g)
			return
		}
	case []any:
		if g, ok := got.([]any); ok && len(g) == len(w) {
			for i := range w {
				c.compare(fmt.Sprintf("%s[%d]", path, i), place, w[i], g[i])
			}
			return
		} else if ok {
			c.fault(path, "has %d entries, %d are signed", len(g), len(w))
			return
		}
	default:
		if want == got {
			return
		}
	}
	switch {
	case want == nil:
		c.fault(path, "is not signed (%s)", show(got))
	case got == nil:
		c.fault(path, "is missing, signed is %s", show(want))
	default:
		c.fault(path, "is %s, signed is %s", show(got), show(want))
	}
}

func (c *comparison) object(path, place string, want, got map[string]any) {
	names := slices.Sorted(maps.Keys(want))
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, known := want[name]; !known {
			names = append(names, name)
		}
	}
	if o, ok := want["value"].(map[string]any); ok && o[open] != nil {
		if name, ok := want["name"].(string); !ok || Powerful(name) {
			c.fault(path, "is the variable %v, whose value has to be signed: it decides what programs do", want["name"])
		}
	}
	for _, name := range names {
		inside := strings.TrimPrefix(place+"."+name, ".")
		if mapped(place) {
			inside = place
		}
		c.compare(strings.TrimPrefix(path+"."+name, "."), inside, want[name], got[name])
	}
}

// Places of values that may be open, and of the map among them.
const (
	stepValue    = "plan.steps.env.value"
	serviceValue = "services.env.value"
	callValue    = "plan.steps.execute.calls.params"
)

func mapped(place string) bool { return place == callValue }

// open checks a value that the control plane chooses. Texts for the runner hold no expression: it would read more than is signed.
func (c *comparison) open(path, place string, rule map[string]any, got any) {
	text, ok := got.(string)
	if !ok && got != nil { // an empty text is not written
		c.fault(path, "is no text")
		return
	}
	switch place {
	case stepValue, callValue:
		literal, plain := unescape(text)
		if !plain {
			c.fault(path, "holds an expression for the runner, which nobody has signed: %s", show(text))
			return
		}
		text = literal
	case serviceValue:
	default:
		c.fault(path, "cannot be open")
		return
	}
	var r Rule
	raw, err := json.Marshal(rule)
	if err == nil {
		err = strict(raw, &r)
	}
	if err != nil {
		c.fault(path, "has a rule that cannot be read: %v", err)
		return
	}
	if wrong := r.wrong(text); wrong != "" {
		c.fault(path, "is %s and %s", show(text), wrong)
	}
}

// unescape returns what a template without expressions stands for; plain is false when it has one.
func unescape(template string) (text string, plain bool) {
	const opening = "${{"
	var b strings.Builder
	for at := 0; ; {
		i := strings.Index(template[at:], opening)
		if i < 0 {
			b.WriteString(template[at:])
			return b.String(), true
		}
		if i == 0 || template[at+i-1] != '$' {
			return "", false
		}
		b.WriteString(template[at:at+i-1] + opening)
		at += i + len(opening)
	}
}

// show is a value for a message.
func show(v any) string {
	const most = 80
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "something"
	}
	text := []rune(strings.TrimSpace(out.String()))
	if len(text) > most {
		return string(text[:most]) + "…"
	}
	return string(text)
}

// maxFaults bounds a refusal: who reads it mends what it names and sees the rest then.
const maxFaults = 3

func few(faults []string) string {
	if more := len(faults) - maxFaults; more > 0 {
		return strings.Join(faults[:maxFaults], "; ") + fmt.Sprintf("; and %d more.", more)
	}
	return strings.Join(faults, "; ") + "."
}
