// Package search finds workflows, tests, executions, releases and failures by what people remember of them: the beginning of a word of a
// name or a message, of an id, of a commit or of a digest.
//
// Everything with a name has an entry with its words, which a sweep takes from what is stored: nobody who stores something waits for that,
// and what was stored before there were entries gets them as well. A question is a range of an index for each of its words; no text is
// looked through.
package search

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seatrial/seatrial/controlplane/crowd"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/testcase"
)

// Kind is what was found.
type Kind string

// The kinds.
const (
	Workflow  Kind = "workflow"
	Release   Kind = "release"
	Execution Kind = "execution"
	Test      Kind = "test"
	Failure   Kind = "failure"
)

// Kinds are all kinds in the order in which they are shown: what there is least of comes first.
func Kinds() []Kind { return []Kind{Workflow, Release, Execution, Test, Failure} }

const (
	// MaxText is how many characters a question may have.
	MaxText = 200
	// MaxHits is how much of each kind is found at most.
	MaxHits = 50
	// Span is how far back failures are found.
	Span = 90 * 24 * time.Hour
)

// Question asks for things of some kinds; of all when none is named.
type Question struct {
	Text  string
	Kinds []Kind
	Each  int // of each kind; 0 for 10
}

// Hit is something that was found. What its kind does not have is empty.
type Hit struct {
	Kind  Kind
	Title string
	// Ref names it: workflow, key of a test, id of an execution, or fingerprint.
	Ref         string
	Workflow    string // of a test, an execution, and one of those of a failure
	Description string // of a workflow
	Application string // of a release
	Version     string
	State       verdict.State    // of a release
	Status      execution.Status // of an execution
	Environment string           // names of an execution's, or where a test ran last
	Last        testcase.Letters // outcomes of a test there, newest first
	Commit      string
	At          time.Time // created, or last seen
}

// Group is what was found of one kind, the best first.
type Group struct {
	Kind Kind
	Hits []Hit
	More bool // there is more of it than was asked for
}

// Found is the answer to a question. Groups are those of Kinds with something in them.
type Found struct {
	Text   string
	Groups []Group
}

// None reports whether nothing was found.
func (f Found) None() bool { return len(f.Groups) == 0 }

// Terms are the words of a question, and how many hits it wants.
type Terms struct {
	Text  string
	Words []string // beginnings of words, all of which a hit has
	Limit int
}

// Store is what the service needs of the database. Calls act for the viewer of the context, who finds nothing that he does not see.
type Store interface {
	// Find returns at most t.Limit things of a kind, the best first.
	Find(ctx context.Context, kind Kind, t Terms) ([]Hit, error)
	// ListForSearch gives entries to at most limit things of all organizations that have none, or whose words have changed, and returns how
	// many those were.
	ListForSearch(ctx context.Context, limit int) (int, error)
}

// Service answers questions.
type Service struct {
	store   Store
	finding crowd.InSight[finding, Found]
}

// finding is a question with what is looked for.
type finding struct {
	text, kinds string
	wanted      int
}

// New returns a service.
func New(store Store) *Service { return &Service{store: store} }

const (
	defaultHits = 10
	atOnce      = 500
)

// Search answers a question. Nobody may change the answer: others get the same. It fails with fault.Invalid for one that is too long, or that names an unknown kind.
func (s *Service) Search(ctx context.Context, q Question) (Found, error) {
	out := Found{Text: strings.TrimSpace(q.Text)}
	if n := utf8.RuneCountInString(out.Text); n > MaxText {
		return out, fault.New(fault.Invalid, "the text has %d characters, at most %d are looked for", n, MaxText).WithField("text").
			WithHint("Search for a few words of it.")
	}
	for _, k := range q.Kinds {
		if !slices.Contains(Kinds(), k) {
			return out, fault.New(fault.Invalid, "%q is nothing that can be searched for", k).WithField("kinds").
				WithHint("Search for workflow, release, execution, test or failure.")
		}
	}
	if q.Each < 0 || q.Each > MaxHits {
		return out, fault.New(fault.Invalid, "%d of each kind are asked for, at most %d are found", q.Each, MaxHits).WithField("limit")
	}
	t := Terms{Text: out.Text, Words: Asked(out.Text), Limit: q.Each}
	if t.Limit == 0 {
		t.Limit = defaultHits
	}
	if len(t.Words) == 0 {
		return out, nil
	}
	kinds := slices.DeleteFunc(Kinds(), func(k Kind) bool { return len(q.Kinds) > 0 && !slices.Contains(q.Kinds, k) })
	return s.finding.Ask(ctx, finding{t.Text, fmt.Sprint(kinds), t.Limit}, func(ctx context.Context) (Found, error) { return s.find(ctx, kinds, t) })
}

// find looks for things of some kinds.
func (s *Service) find(ctx context.Context, kinds []Kind, t Terms) (Found, error) {
	out, wanted := Found{Text: t.Text}, t.Limit
	t.Limit++ // tells whether there is more
	for _, k := range kinds {
		hits, err := s.store.Find(ctx, k, t)
		if err != nil {
			return out, fmt.Errorf("search for %s: %w", k, err)
		}
		if len(hits) > 0 {
			out.Groups = append(out.Groups, Group{Kind: k, Hits: hits[:min(len(hits), wanted)], More: len(hits) > wanted})
		}
	}
	return out, nil
}

// List gives entries to what has none. It ends when there is nothing left to do.
func (s *Service) List(ctx context.Context) error {
	for {
		n, err := s.store.ListForSearch(ctx, atOnce)
		if err != nil || n < atOnce {
			return err //nolint:wrapcheck // the sweep says what it was about
		}
		if ctx.Err() != nil {
			return ctx.Err() //nolint:wrapcheck // the end of the caller's own work
		}
	}
}
