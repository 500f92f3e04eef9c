package cmd

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/controlplane/release/attest"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
	"github.com/seatrial/seatrial/ui/cli/render"
)

func (a *app) releaseVerify() *cobra.Command {
	var keys []string
	var of string
	var ready bool
	c := &cobra.Command{
		Use: "verify BUNDLE", Short: "Check the signed evidence of a release, without a control plane", Args: cobra.ExactArgs(1),
		Long: "Check the signed evidence of a release: that every byte of it is signed by a trusted key, that its parts belong together, and that " +
			"the same evidence gives the same verdict again, byte for byte. It needs no network, unless a key is given by its address.\n\n" +
			"A bundle of a release that is not ready holds as well as any other. Before something is shipped, say what it has to be of: " +
			"--release APPLICATION@VERSION --ready.\n\n" +
			"Exit codes: 0 all of it holds · 1 something does not hold, or it is not what was asked for · 2 wrong usage, or a file that cannot be read.",
		Example: "  seatrial release verify shop-1.42.0.seatrial.jsonl --key keys.json --release shop@1.42.0 --ready",
	}
	c.Flags().StringArrayVar(&keys, "key", nil, "public key in PEM, or key list in JSON, by its file or its address; several are allowed (required)")
	c.Flags().StringVar(&of, "release", "", "release that it has to be of, as APPLICATION@VERSION")
	c.Flags().BoolVar(&ready, "ready", false, "the release has to be READY or READY_WITH_WAIVERS")
	_ = c.MarkFlagRequired("key")
	c.RunE = func(c *cobra.Command, args []string) error {
		name, err := releaseName(of)
		if err != nil {
			return err
		}
		ring, err := a.trusted(c.Context(), keys)
		if err != nil {
			return err
		}
		file, err := a.input(args[0])
		if err != nil {
			return err
		}
		defer file.Close() //nolint:errcheck // it was only read
		f, err := attest.Examine(c.Context(), file, ring, verdict.Recompute)
		if err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		if err := a.found(f); err != nil {
			return err
		}
		return asAsked(findingOf(f).Release, name, ready)
	}
	return c
}

// asAsked refuses a bundle that holds and is of something else than what is to be shipped.
func asAsked(of *findingRelease, name *apiv1.ReleaseName, ready bool) error {
	switch {
	case name != nil && (of.Application != name.GetApplication() || of.Version != name.GetVersion()):
		return coded(exitcode.Failed, fmt.Errorf("the bundle is of %s %s, not of %s %s",
			render.Line(of.Application), render.Line(of.Version), name.GetApplication(), name.GetVersion()))
	case ready && of.Verdict != string(verdict.Ready) && of.Verdict != string(verdict.ReadyWithWaivers):
		return coded(exitcode.Failed, fmt.Errorf("%s %s is %s", render.Line(of.Application), render.Line(of.Version), of.Verdict))
	}
	return nil
}

// input opens a file, or standard input.
func (a *app) input(name string) (io.ReadCloser, error) {
	if name == stdio {
		return io.NopCloser(a.In), nil
	}
	return os.Open(name) //nolint:gosec // the user's own path
}

// found prints a finding and makes it an exit code.
func (a *app) found(f attest.Finding) error {
	var err error
	if a.format != render.Table {
		err = render.Value(a.Out, a.format, findingOf(f))
	} else {
		err = a.print("%s", findingText(f))
	}
	if err != nil || f.Holds() {
		return err
	}
	return coded(exitcode.Failed, &toldError{"the bundle does not hold"})
}

// finding is a finding for scripts. What is said of the release is absent when nobody trusted has signed it.
type finding struct {
	Holds   bool            `json:"holds"`
	Points  []findingPoint  `json:"points"`
	Release *findingRelease `json:"release,omitempty"`
}

type findingPoint struct {
	Part    attest.Part    `json:"part"`
	Outcome attest.Outcome `json:"outcome"`
	Text    string         `json:"text"`
}

type findingRelease struct {
	Application string   `json:"application"`
	Version     string   `json:"version"`
	Verdict     string   `json:"verdict"`
	DecidedAt   string   `json:"decidedAt"`
	Policy      string   `json:"policy"`
	Subject     []string `json:"subject"` // images and commit with their digests
	Keys        []string `json:"keys"`    // IDs of those that signed
}

func findingOf(f attest.Finding) finding {
	out := finding{Holds: f.Holds()}
	for _, p := range f.Points {
		out.Points = append(out.Points, findingPoint(p))
	}
	if len(f.Verified.Statements) == 0 {
		return out
	}
	r := f.Verified.Readiness
	signed, err := r.Verdict()
	if err != nil { // Examine has read it
		return out
	}
	out.Release = &findingRelease{
		Application: r.Release.Application, Version: r.Release.Version, Verdict: string(signed), DecidedAt: instantOf(r.TimeCreated), Policy: r.Policy.Name,
	}
	for _, s := range f.Verified.Subject() {
		out.Release.Subject = append(out.Release.Subject, s.String())
	}
	for _, k := range f.Verified.Keys {
		out.Release.Keys = append(out.Release.Keys, k.ID())
	}
	return out
}

func findingText(f attest.Finding) string {
	var b strings.Builder
	known := findingOf(f)
	for _, p := range known.Points {
		fmt.Fprintf(&b, "%s %-10s  %s\n", mark(p.Outcome), p.Part, render.Line(p.Text))
	}
	r := known.Release
	if r == nil {
		return b.String() + "\nThe bundle proves nothing."
	}
	says := ""
	if !known.Holds {
		says = "The bundle says, without proof: "
	}
	fmt.Fprintf(&b, "\n%s%s %s was %s at %s by %s\n", says, render.Line(r.Application), render.Line(r.Version), r.Verdict, r.DecidedAt, render.Line(r.Policy))
	for _, s := range r.Subject {
		fmt.Fprintf(&b, "  %s\n", render.Line(s))
	}
	return strings.TrimRight(b.String(), "\n")
}

func mark(o attest.Outcome) string {
	switch o {
	case attest.Holds:
		return "✓"
	case attest.Fails:
		return "✕"
	case attest.Unchecked:
	}
	return "○"
}
