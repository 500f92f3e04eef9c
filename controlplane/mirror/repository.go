package mirror

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/mirror/git"
	"github.com/seatrial/seatrial/controlplane/origin"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

// Topic is what is published when a repository is to be read soon.
const Topic = "repositories"

const (
	interval    = 5 * time.Minute  // between looks at a repository, unless somebody says otherwise
	minInterval = 30 * time.Second // and at least
	maxProblems = 200
)

// AddRepository registers a repository of a team of the viewer's. It is read with the next sweep.
func (m *Mirror) AddRepository(ctx context.Context, r origin.Repository, c origin.Credential) (origin.Repository, error) {
	v, err := tenant.Require(ctx, tenant.ScopeCatalog)
	if err != nil {
		return r, err //nolint:wrapcheck // a fault that speaks for itself
	}
	if err := errors.Join(r.Kinds.Check(), c.Check()); err != nil {
		return r, err //nolint:wrapcheck // a fault that speaks for itself
	}
	if r.Kinds == origin.KindsAll && !v.Allows(tenant.ScopeAdmin) {
		return r, fault.New(fault.Forbidden, "only administrators register a repository with environments and readiness policies").
			WithField("kinds").WithHint("Leave kinds at tests, or ask an administrator.")
	}
	if err := m.addressed(r.URL); err != nil {
		return r, err
	}
	if r.Interval = cmp.Or(r.Interval, interval); r.Interval < minInterval {
		return r, fault.New(fault.Invalid, "a repository is looked at every %s at most", minInterval).WithField("interval")
	}
	var credential []byte
	if !c.Empty() {
		if credential, err = json.Marshal(c); err != nil {
			return r, fmt.Errorf("encode the credential: %w", err)
		}
	}
	added, err := m.store.AddRepository(ctx, r, credential)
	if err != nil {
		return r, fmt.Errorf("store repository %s: %w", r.Name, err)
	}
	return added, nil
}

// addressed says early what is wrong with the address of a repository.
func (m *Mirror) addressed(address string) error {
	if strings.HasPrefix(address, "ssh://") || (!strings.Contains(address, "://") && strings.Contains(address, "@") && strings.Contains(address, ":")) {
		if u, err := url.Parse(address); err == nil && u.User != nil {
			if _, has := u.User.Password(); has {
				return fault.New(fault.Invalid, "the address has a password in it").WithField("url").WithHint("Give the secret where it is asked for.")
			}
		}
		return nil
	}
	if err := m.rules.Check(address); err != nil {
		var f *fault.Error
		if errors.As(err, &f) {
			return f.WithField("url")
		}
		return err //nolint:wrapcheck // a fault that speaks for itself
	}
	return nil
}

// mine returns a repository that the viewer may change.
func (m *Mirror) mine(ctx context.Context, name string) (origin.Repository, error) {
	v, err := tenant.Require(ctx, tenant.ScopeCatalog)
	if err != nil {
		return origin.Repository{}, err //nolint:wrapcheck // a fault that speaks for itself
	}
	r, err := m.store.RepositoryNamed(ctx, name)
	if err != nil {
		return r, fmt.Errorf("find repository: %w", err)
	}
	if !v.Acts(r.TeamID) {
		return r, fault.New(fault.Forbidden, "the repository %s belongs to the team %s, which %s is not in", r.Name, r.Team, v.Name).
			WithHint("Ask a maintainer of the team %s, or an admin of the organization.", r.Team)
	}
	return r, nil
}

// SyncNamed reads a repository now, and returns it as it is afterwards.
func (m *Mirror) SyncNamed(ctx context.Context, name string) (origin.Repository, error) {
	r, err := m.mine(ctx, name)
	if err != nil {
		return r, err
	}
	if err := m.Sync(ctx, r.ID); err != nil {
		return r, err
	}
	if r, err = m.store.Repository(ctx, r.ID); err != nil {
		return r, fmt.Errorf("read repository: %w", err)
	}
	return r, nil
}

// RemoveRepository forgets a repository. Its documents leave the catalog, or stay with keep as ones that were applied by hand.
func (m *Mirror) RemoveRepository(ctx context.Context, name string, keep bool) error {
	r, err := m.mine(ctx, name)
	if err != nil {
		return err
	}
	if ok, err := m.store.LeaseRepository(ctx, r.ID, lease); err != nil || !ok {
		return cmp.Or(err, error(fault.New(fault.Conflict, "the repository %s is being read just now", r.Name).WithHint("Try again in a moment.")))
	}
	claims, err := m.store.Claims(neutral(ctx), r.ID)
	if err != nil {
		return fmt.Errorf("read what the repository has: %w", err)
	}
	if err := m.forget(ctx, claims, keep); err != nil {
		return err
	}
	if err := m.store.RemoveRepository(ctx, r); err != nil {
		return fmt.Errorf("forget repository: %w", err)
	}
	return nil
}

// forget drops claims, what uses others first.
func (m *Mirror) forget(ctx context.Context, claims []origin.Claim, keep bool) error {
	slices.SortStableFunc(claims, func(a, b origin.Claim) int { return cmp.Compare(order(b.Kind), order(a.Kind)) })
	for _, c := range claims {
		if err := m.drop(ctx, c, keep); err != nil {
			return err
		}
	}
	return nil
}

// Pushed has those repositories of the viewer's organization read soon that a push concerns. Should that fail, they are read after their
// interval.
func (m *Mirror) Pushed(ctx context.Context, path, branch string) {
	n, err := m.store.RepositoriesPushed(ctx, path, branch)
	if err != nil {
		m.log.WarnContext(ctx, "push not heeded", "repository", path, "error", err)
	}
	if n > 0 {
		m.bus.Publish(ctx, Topic)
	}
}

func (m *Mirror) onBehalf(ctx context.Context, r origin.Repository) context.Context {
	return tenant.WithViewer(ctx, tenant.Viewer{
		Kind: tenant.KindOrigin, Organization: r.Organization, Team: r.TeamID, Subject: r.ID, Name: r.Origin().String(), Scopes: []tenant.Scope{tenant.ScopeRead},
	})
}

// Sync reads a repository of the viewer's organization now; fault.Conflict while it is being read. What cannot be read is stored with it.
func (m *Mirror) Sync(ctx context.Context, id uuid.UUID) error {
	r, err := m.store.Repository(ctx, id)
	if err != nil {
		return fmt.Errorf("read repository: %w", err)
	}
	ok, err := m.store.LeaseRepository(ctx, id, lease)
	if err != nil {
		return fmt.Errorf("take repository: %w", err)
	}
	if !ok {
		return fault.New(fault.Conflict, "the repository %s is being read just now", r.Name).WithHint("Try again in a moment.")
	}
	return m.read(m.onBehalf(ctx, r), r)
}

// sentence begins with a capital letter.
func sentence(text string) string {
	text = strings.TrimSpace(text)
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return text
	}
	return string(unicode.ToUpper(first)) + text[size:]
}

func (m *Mirror) look(ctx context.Context, r origin.Repository) (origin.Look, error) {
	var credential origin.Credential
	kept, err := m.store.Credential(ctx, r)
	if err != nil {
		return origin.Look{}, fmt.Errorf("read the credential: %w", err)
	}
	if len(kept) > 0 {
		if err := json.Unmarshal(kept, &credential); err != nil {
			return origin.Look{}, fmt.Errorf("read the credential: %w", err)
		}
	}
	known := r.Commit
	if len(r.Problems) > 0 {
		known = "" // something elsewhere may have mended them
	}
	tree, err := m.git.Read(ctx, r, credential, known)
	if err != nil {
		return origin.Look{}, err //nolint:wrapcheck // a fault that speaks for itself
	}
	tips := m.pushed(ctx, r, tree.Refs)
	if tree.Commit == r.Commit && known != "" {
		return origin.Look{Commit: r.Commit, Documents: r.Documents, Problems: r.Problems, Tips: tips}, nil
	}
	look, err := m.applyTree(ctx, r, tree)
	look.Tips = tips
	return look, err
}

// pushed tells of the branches and tags that have moved while nobody told of it, and returns where they are. What could not be told is told
// with the next look.
func (m *Mirror) pushed(ctx context.Context, r origin.Repository, has map[string]string) origin.Tips {
	if m.Pushes == nil {
		return nil
	}
	next, changes := r.Tips.Look(has, m.clock().UTC())
	wanted, err := m.Pushes.Missed(ctx, r, changes)
	switch {
	case err != nil:
		m.log.ErrorContext(ctx, "pushes not told of, they are told of again", "repository", r.Name, "error", err)
		return next
	case !wanted:
		return nil
	}
	next.Told(changes)
	return next
}

// applyTree applies what a commit has, and takes out what it does not have any more.
func (m *Mirror) applyTree(ctx context.Context, r origin.Repository, tree git.Tree) (origin.Look, error) {
	found := gather(r.Origin(), tree.Files)
	if len(found.claims) > MaxDocuments {
		return origin.Look{}, fault.New(fault.Exhausted, "a repository brings at most %d documents, this one has %d", MaxDocuments, len(found.claims))
	}
	before, err := m.store.Claims(neutral(ctx), r.ID)
	if err != nil {
		return origin.Look{}, fmt.Errorf("read what the repository has: %w", err)
	}
	look := origin.Look{Commit: tree.Commit, Documents: len(found.claims), Problems: found.problems}
	gone := slices.DeleteFunc(before, func(c origin.Claim) bool {
		return found.broken[c.Path] || slices.ContainsFunc(found.claims, func(f origin.Claim) bool { return f.Kind == c.Kind && f.Name == c.Name })
	})
	if err := m.take(ctx, found.claims, func(c origin.Claim, err error) { look.Problems = append(look.Problems, problems(c, err)...) }); err != nil {
		return origin.Look{}, err
	}
	if err := m.forget(ctx, gone, false); err != nil {
		return origin.Look{}, err
	}
	slices.SortStableFunc(look.Problems, func(a, b origin.Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	look.Problems = look.Problems[:min(len(look.Problems), maxProblems)]
	return look, nil
}

// problems says what is wrong with a document, each with its place.
func problems(c origin.Claim, err error) []origin.Problem {
	var f *fault.Error
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &f) || len(f.Places) == 0:
		return []origin.Problem{{File: c.Path, Line: c.Line + 1, Message: said(c, err)}}
	}
	out := make([]origin.Problem, len(f.Places))
	for i, p := range f.Places {
		out[i] = origin.Problem{File: c.Path, Field: p.Field, Message: p.Message}
		if p.Line > 0 {
			out[i].Line = c.Line + p.Line
		}
	}
	return out
}

// gathered is what the files of a commit have.
type gathered struct {
	claims   []origin.Claim
	problems []origin.Problem
	broken   map[string]bool // files of which nobody knows what they have
}

// gather finds the documents in files. What is of another system is left alone.
func gather(of origin.Origin, files []git.File) gathered {
	out := gathered{broken: map[string]bool{}}
	first := map[origin.Ref]origin.Claim{}
	for _, file := range files {
		for _, part := range split(file.Text) {
			if !strings.Contains(part.text, document.APIVersion) {
				continue
			}
			wrong := func(line int, format string, args ...any) {
				out.problems = append(out.problems, origin.Problem{File: file.Path, Line: part.line + line, Message: fmt.Sprintf(format, args...)})
			}
			head, line, err := headOf(part.text)
			switch {
			case err != nil:
				out.broken[file.Path] = true
				wrong(line, "%s", err)
				continue
			case head.APIVersion != document.APIVersion:
				continue // it only mentions it
			case order(head.Kind) < 0:
				wrong(1, "there is no kind of document %q", head.Kind)
				continue
			case head.Kind == document.TestExecutionKind:
				wrong(1, "a %s is an object of a cluster: it runs a workflow once", head.Kind)
				continue
			case head.Metadata.Name == "":
				wrong(1, "metadata.name is missing")
				continue
			}
			sum := sha256.Sum256([]byte(part.text))
			c := origin.Claim{
				Kind: head.Kind, Name: head.Metadata.Name, Origin: of, Path: file.Path, Line: part.line, Digest: hex.EncodeToString(sum[:]), Source: part.text,
				Adopt: head.Metadata.Annotations[origin.AdoptAnnotation] == "true",
			}
			at := origin.Ref{Kind: c.Kind, Name: c.Name}
			if other, ok := first[at]; ok {
				wrong(1, "%s %s is in %s:%d already", c.Kind, c.Name, other.Path, other.Line+1)
				continue
			}
			first[at] = c
			out.claims = append(out.claims, c)
		}
	}
	return out
}

// part is one document of a file.
type part struct {
	text string
	line int // lines of the file before it
}

// split takes the documents of a file apart.
func split(text string) []part {
	var out []part
	lines := strings.SplitAfter(text, "\n")
	begin := 0
	add := func(end int) {
		if body := strings.Join(lines[begin:end], ""); strings.TrimSpace(body) != "" {
			out = append(out, part{body, begin})
		}
	}
	for i, line := range lines {
		if rest, ok := strings.CutPrefix(line, "---"); ok && (strings.TrimSpace(rest) == "" || rest[0] == ' ' || rest[0] == '\t') {
			add(i)
			begin = i
			if strings.TrimSpace(rest) == "" {
				begin = i + 1
			}
		}
	}
	add(len(lines))
	return out
}

// head is what tells which document a text is.
type head struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Metadata   struct {
		Name        string            `yaml:"name"`
		Annotations map[string]string `yaml:"annotations"`
	} `yaml:"metadata"`
}

// headOf reads the head of a document. The line is that of the error, from 1.
func headOf(text string) (h head, line int, err error) {
	kind, err := parse.Head([]byte(text), &h)
	return h, kind, err //nolint:wrapcheck // a sentence
}
