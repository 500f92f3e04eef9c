package notify

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/workflow/expr"
)

// maxText is how long the text of a message may be, in bytes.
const maxText = 4 << 10

// variables are what templates know, with their types. What has nothing to do with an event is empty.
func variables() map[string]expr.Type {
	return map[string]expr.Type{
		"event.type": expr.String, "event.link": expr.String, "event.text": expr.String,
		"execution.id": expr.String, "execution.workflow": expr.String, "execution.status": expr.String, "execution.before": expr.String,
		"execution.environments": expr.String, "execution.commit": expr.String, "execution.actor": expr.String, "execution.message": expr.String,
		"tests.total": expr.Integer, "tests.passed": expr.Integer, "tests.failed": expr.Integer, "tests.skipped": expr.Integer,
		"tests.flaky":         expr.String,
		"release.application": expr.String, "release.version": expr.String, "release.before": expr.String, "release.after": expr.String, "release.cause": expr.String,
	}
}

// Variables lists what templates know.
func Variables() []string { return slices.Sorted(maps.Keys(variables())) }

// CheckTemplate says what is wrong with a template of a text, which is written as those of workflows are: ${{ execution.workflow }}.
func CheckTemplate(text string) error {
	_, err := compile(text)
	return err
}

func compile(text string) (*expr.Template, error) {
	c, err := expr.New(variables())
	if err != nil {
		return nil, fmt.Errorf("variables of webhooks: %w", err)
	}
	t, err := c.Compile(text, expr.AtTrigger)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the template cannot be read").WithField("template")
	}
	return t, nil
}

// text is what people read: what the template makes of the event, or one line about it.
func text(template string, e Event, h Happening) (string, error) {
	line := About(e, h)
	if template == "" {
		return line, nil
	}
	t, err := compile(template)
	if err != nil {
		return "", err
	}
	out, err := t.Expand(values(e, h, line))
	if err != nil {
		return "", fault.Wrap(fault.Invalid, err, "the template cannot be filled in").WithField("template")
	}
	return clip(out, maxText), nil
}

func values(e Event, h Happening, line string) map[string]any {
	out := map[string]any{}
	for name, kind := range variables() {
		out[name] = any("")
		if kind == expr.Integer {
			out[name] = int64(0)
		}
	}
	out["event.type"], out["event.link"], out["event.text"], out["tests.flaky"] = string(e), h.Link, line, names(h.Flaky)
	if x := h.Ended; x != nil {
		out["execution.id"], out["execution.workflow"], out["execution.status"] = x.ID.String(), x.Workflow, string(x.Status)
		out["execution.before"], out["execution.environments"] = string(x.Before), strings.Join(x.Environments(), ", ")
		out["execution.commit"], out["execution.actor"], out["execution.message"] = x.Commit, x.Actor, x.Message
		out["tests.total"], out["tests.passed"] = int64(x.Tests.Total), int64(x.Tests.Passed)
		out["tests.failed"], out["tests.skipped"] = int64(x.Tests.Failed+x.Tests.Errored), int64(x.Tests.Skipped)
	}
	if c := h.Change; c != nil {
		out["release.application"], out["release.version"], out["release.before"] = c.Application, c.Version, c.Before
		out["release.after"], out["release.cause"] = c.After, c.Cause
	}
	return out
}

func names(list []Unreliable) string {
	var out []string
	for _, u := range list {
		out = append(out, u.Name)
	}
	return strings.Join(out, ", ")
}

// About says in one line what has happened.
func About(e Event, h Happening) string {
	switch {
	case e == Trial:
		return "This is a test of the webhook. It works."
	case h.Change != nil:
		c := h.Change
		if c.Before == "" {
			return fmt.Sprintf("%s %s is %s", c.Application, c.Version, c.After)
		}
		return fmt.Sprintf("%s %s is %s, it was %s", c.Application, c.Version, c.After, c.Before)
	case h.Ended == nil:
		return string(e)
	case e == Flaky:
		if len(h.Flaky) == 1 {
			return fmt.Sprintf("A test of %s has become flaky: %s", h.Ended.Workflow, h.Flaky[0].Name)
		}
		return fmt.Sprintf("%d tests of %s have become flaky", len(h.Flaky), h.Ended.Workflow)
	}
	line := h.Ended.Workflow + " " + strings.ReplaceAll(string(h.Ended.Status), "_", " ")
	if e == Fixed {
		line = h.Ended.Workflow + " is fixed"
	}
	if in := h.Ended.Environments(); len(in) > 0 {
		line += " in " + strings.Join(in, ", ")
	}
	if s := summary(h.Ended); s != "" {
		line += ": " + s
	}
	return line
}

// summary counts the tests of an execution; empty when it has none.
func summary(e *Ended) string {
	bad := e.Tests.Failed + e.Tests.Errored
	switch {
	case e.Tests.Total == 0:
		return ""
	case bad > 0:
		return fmt.Sprintf("%d of %d tests failed", bad, e.Tests.Total)
	}
	return fmt.Sprintf("%d tests passed", e.Tests.Passed)
}

// clip shortens a text to a number of bytes, between characters.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	const more = "…"
	return strings.ToValidUTF8(s[:most-len(more)], "") + more
}

// checkGlob says what is wrong with a pattern of names.
func checkGlob(field, glob string) error {
	if glob == "" || !doublestar.ValidatePattern(glob) {
		return fault.New(fault.Invalid, "%q is no pattern of names", glob).WithField(field).
			WithHint("* stands for any characters, ? for one, [a-z] for one of several, {a,b} for either.")
	}
	return nil
}
