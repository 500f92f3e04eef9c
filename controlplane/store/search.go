package store

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	record "github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/search"
	"github.com/seatrial/seatrial/controlplane/store/database"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/testcase"
	"github.com/seatrial/seatrial/ent/db"
	"github.com/seatrial/seatrial/ent/db/execution"
	"github.com/seatrial/seatrial/ent/db/release"
	"github.com/seatrial/seatrial/ent/db/searchentry"
	"github.com/seatrial/seatrial/ent/db/searchword"
	"github.com/seatrial/seatrial/ent/db/testresult"
	"github.com/seatrial/seatrial/ent/db/workflow"
)

const (
	// candidates is how many entries are judged by their titles.
	candidates = 200
	// common is how many entries have a word that is no help in finding something.
	common = lookedAt + 1
	// lookedAt is how many entries with the rarest word of a question are looked at for its other words.
	lookedAt = 5000
	// idDigits is how much of an id, a commit or a digest has to be there.
	idDigits = 4
)

// Find returns things of a kind that have all words of a question, the best first.
func (s *Store) Find(ctx context.Context, kind search.Kind, t search.Terms) ([]search.Hit, error) {
	find := map[search.Kind]func(context.Context, search.Terms) ([]search.Hit, error){
		search.Workflow: s.findWorkflows, search.Release: s.findReleases, search.Execution: s.findExecutions, search.Test: s.findTests,
		search.Failure: s.findFailures,
	}[kind]
	if find == nil || len(t.Words) == 0 {
		return nil, nil
	}
	hits, err := find(ctx, t)
	return hits[:min(len(hits), t.Limit)], database.Fault(err)
}

// entries returns the entries of a kind with all words of a question, the best first.
func (s *Store) entries(ctx context.Context, kind search.Kind, t search.Terms) ([]*db.SearchEntry, error) {
	v, _ := tenant.FromContext(ctx) // without one the rules of privacy refuse the query
	words, err := s.rarestFirst(ctx, kind, t.Words)
	if err != nil {
		return nil, err
	}
	judged := lookedAt
	if len(words) == 1 && !v.Confined {
		judged = candidates // all of them count, those with the shortest words first
	}
	within := func(sel *entsql.Selector) {
		w := entsql.Table(searchword.Table).As("w")
		sub := entsql.Dialect(sel.Dialect()).Select(w.C(searchword.FieldEntryID)).From(w).Where(entsql.And(
			entsql.EQ(w.C(searchword.FieldOrganizationID), v.Organization), entsql.EQ(w.C(searchword.FieldKind), string(kind)), begins(w.C(searchword.FieldWord), words[0]),
		)).OrderBy(w.C(searchword.FieldWord)).Limit(judged)
		sel.Where(entsql.In(sel.C(searchentry.FieldID), sub))
		for _, word := range words[1:] {
			o := entsql.Table(searchword.Table).As("o")
			sel.Where(entsql.Exists(entsql.Dialect(sel.Dialect()).Select(o.C(searchword.FieldID)).From(o).Where(entsql.And(
				entsql.ColumnsEQ(o.C(searchword.FieldEntryID), sel.C(searchentry.FieldID)), begins(o.C(searchword.FieldWord), word),
			))))
		}
	}
	rows, err := s.db.Read().SearchEntry.Query().Where(searchentry.Kind(string(kind)), within).Order(shortTitlesFirst).Limit(candidates).All(ctx)
	if err != nil {
		return nil, err
	}
	far := make(map[int]int, len(rows)) // each is judged once, and compared often
	for _, row := range rows {
		far[row.ID] = closeness(row, t)
	}
	slices.SortStableFunc(rows, func(a, b *db.SearchEntry) int {
		return cmp.Or(cmp.Compare(far[a.ID], far[b.ID]), cmp.Compare(len(a.Title), len(b.Title)), strings.Compare(a.Title, b.Title))
	})
	seen := map[string]bool{}
	return slices.DeleteFunc(rows, func(r *db.SearchEntry) bool { // one failure is of several workflows
		was := seen[r.Ref]
		seen[r.Ref] = true
		return was
	}), nil
}

// shortTitlesFirst keeps those among the candidates that are most of what was asked for.
func shortTitlesFirst(sel *entsql.Selector) {
	sel.OrderExpr(entsql.Expr("length(" + sel.C(searchentry.FieldTitle) + ")"))
	sel.OrderBy(sel.C(searchentry.FieldID))
}

// closeness is how far an entry is from what was asked for: its title itself, its beginning, a part of it, all of its words, or anything else.
func closeness(e *db.SearchEntry, t search.Terms) int {
	title, text := strings.ToLower(e.Title), strings.ToLower(t.Text)
	has := search.Words(e.Title)
	switch {
	case title == text || e.Ref == t.Text:
		return 0
	case strings.HasPrefix(title, text):
		return 1
	case strings.Contains(title, text):
		return 2
	case !slices.ContainsFunc(t.Words, func(w string) bool { return !slices.Contains(has, w) }):
		return 3
	}
	return 4
}

// begins is fulfilled by words that begin with a prefix: a range of the index.
func begins(column, prefix string) *entsql.Predicate {
	from := entsql.GTE(column, []byte(prefix))
	if to := search.After(prefix); to != nil {
		return entsql.And(from, entsql.LT(column, to))
	}
	return from
}

// rarestFirst puts the words of a question in the order of how many entries have them, as far as that matters.
func (s *Store) rarestFirst(ctx context.Context, kind search.Kind, words []string) ([]string, error) {
	if len(words) == 1 {
		return words, nil
	}
	counts := map[string]int{}
	for _, word := range words {
		ids, err := s.db.Read().SearchWord.Query().Where(searchword.Kind(string(kind)), func(sel *entsql.Selector) {
			sel.Where(begins(sel.C(searchword.FieldWord), word))
		}).Limit(common).IDs(ctx)
		if err != nil {
			return nil, err
		}
		counts[word] = len(ids)
	}
	out := slices.Clone(words)
	slices.SortStableFunc(out, func(a, b string) int { return cmp.Or(cmp.Compare(counts[a], counts[b]), cmp.Compare(len(b), len(a))) })
	return out, nil
}

func (s *Store) findWorkflows(ctx context.Context, t search.Terms) ([]search.Hit, error) {
	found, err := s.entries(ctx, search.Workflow, t)
	if err != nil {
		return nil, err
	}
	rows, err := s.db.Read().Workflow.Query().Where(workflow.NameIn(refs(found)...), workflow.RemovedAtIsNil()).
		Select(workflow.FieldName, workflow.FieldDescription, workflow.FieldUpdatedAt).All(ctx)
	if err != nil {
		return nil, err
	}
	known := map[string]*db.Workflow{}
	for _, row := range rows {
		known[row.Name] = row
	}
	return hitsOf(found, func(e *db.SearchEntry) (search.Hit, bool) {
		row := known[e.Ref]
		if row == nil {
			return search.Hit{}, false // removed from the catalog
		}
		return search.Hit{Kind: search.Workflow, Title: row.Name, Ref: row.Name, Workflow: row.Name, Description: row.Description, At: row.UpdatedAt.UTC()}, true
	}), nil
}

func (s *Store) findReleases(ctx context.Context, t search.Terms) ([]search.Hit, error) {
	found, err := s.entries(ctx, search.Release, t)
	if err != nil {
		return nil, err
	}
	ids := make([]uuid.UUID, 0, len(found))
	for _, e := range found {
		if e.SubjectID != nil {
			ids = append(ids, *e.SubjectID)
		}
	}
	rows, err := s.db.Read().Release.Query().Where(release.IDIn(ids...)).
		Select(release.FieldID, release.FieldApplication, release.FieldVersion, release.FieldCommit, release.FieldState, release.FieldCreatedAt).All(ctx)
	if err != nil {
		return nil, err
	}
	known := map[string]*db.Release{}
	for _, row := range rows {
		known[row.ID.String()] = row
	}
	return hitsOf(found, func(e *db.SearchEntry) (search.Hit, bool) {
		row := known[e.Ref]
		if row == nil {
			return search.Hit{}, false
		}
		return search.Hit{
			Kind: search.Release, Title: row.Application + " " + row.Version, Application: row.Application, Version: row.Version, State: verdict.State(row.State),
			Commit: row.Commit, At: row.CreatedAt.UTC(),
		}, true
	}), nil
}

func (s *Store) findTests(ctx context.Context, t search.Terms) ([]search.Hit, error) {
	found, err := s.entries(ctx, search.Test, t)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, nil
	}
	v, _ := tenant.FromContext(ctx)
	rows, err := s.db.Read().TestResult.Query().Where(latestRuns(v.Organization, allSince(refs(found), s.now().Add(-search.Span)), 1, "")).
		Select(testresult.FieldID, testresult.FieldTestKey, testresult.FieldOutcome, testresult.FieldEarlier, testresult.FieldEnvironmentName, testresult.FieldCreatedAt).All(ctx)
	if err != nil {
		return nil, err
	}
	known := map[string]*db.TestResult{}
	for _, row := range rows {
		known[row.TestKey] = row // where it ran last
	}
	return hitsOf(found, func(e *db.SearchEntry) (search.Hit, bool) {
		row := known[e.Ref]
		if row == nil {
			return search.Hit{}, false // it has not run for so long that nothing is known of it
		}
		last := testcase.Letter(results.Outcome(row.Outcome), row.Earlier != nil)
		return search.Hit{
			Kind: search.Test, Title: e.Title, Ref: e.Ref, Workflow: e.Workflow, Environment: row.EnvironmentName, Last: testcase.Letters([]byte{last}),
			At: row.CreatedAt.UTC(),
		}, true
	}), nil
}

func (s *Store) findFailures(ctx context.Context, t search.Terms) ([]search.Hit, error) {
	found, err := s.entries(ctx, search.Failure, t)
	if err != nil {
		return nil, err
	}
	hits := make([]search.Hit, 0, t.Limit)
	for _, e := range found {
		if len(hits) == t.Limit {
			break
		}
		last, err := s.db.Read().TestResult.Query().
			Where(testresult.Fingerprint(e.Ref), withFingerprint, testresult.IDGTE(firstID(s.now().Add(-search.Span))), testresult.SeverityLT(supersededSeverity)).
			Order(testresult.ByID(entsql.OrderDesc())).Select(testresult.FieldID, testresult.FieldCreatedAt, testresult.FieldEnvironmentName).First(ctx)
		if db.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		hits = append(hits, search.Hit{
			Kind: search.Failure, Title: e.Title, Ref: e.Ref, Workflow: e.Workflow, Environment: last.EnvironmentName, At: last.CreatedAt.UTC(),
		})
	}
	return hits, nil
}

// findExecutions finds executions by their ids and commits, and the newest of the workflows that a question names.
func (s *Store) findExecutions(ctx context.Context, t search.Terms) ([]search.Hit, error) {
	var rows []*db.Execution
	add := func(list []*db.Execution, err error) error {
		for _, row := range list {
			if !slices.ContainsFunc(rows, func(r *db.Execution) bool { return r.ID == row.ID }) {
				rows = append(rows, row)
			}
		}
		return err
	}
	newest := func() *db.ExecutionQuery {
		return s.db.Read().Execution.Query().Order(db.Desc(execution.FieldID)).Limit(t.Limit)
	}
	if from, to, ok := idRange(t.Text); ok {
		if err := add(newest().Where(execution.IDGTE(from), execution.IDLTE(to)).All(ctx)); err != nil {
			return nil, err
		}
	}
	if commit := strings.ToLower(t.Text); len(t.Words) == 1 && len(commit) >= idDigits && digits(commit) {
		// Whatever the collation, a letter behind those of hexadecimal digits is behind all of them: a sign, as the next byte may be, is not.
		list, err := newest().Where(execution.CommitGTE(commit), execution.CommitLT(commit+"g"), withCommit).All(ctx)
		if err := add(list, err); err != nil {
			return nil, err
		}
	}
	flows, err := s.findWorkflows(ctx, search.Terms{Text: t.Text, Words: t.Words, Limit: 3})
	if err != nil {
		return nil, err
	}
	for _, f := range flows[:min(len(flows), 3)] {
		if err := add(newest().Where(execution.Workflow(f.Ref)).All(ctx)); err != nil {
			return nil, err
		}
	}
	rows = rows[:min(len(rows), t.Limit)]
	list, err := s.withRuns(ctx, rows, false)
	if err != nil {
		return nil, err
	}
	hits := make([]search.Hit, len(list))
	for i, e := range list {
		hits[i] = search.Hit{
			Kind: search.Execution, Title: e.Workflow, Ref: e.ID.String(), Workflow: e.Workflow, Status: e.Status, Environment: environmentsOf(e), Commit: e.Commit, At: e.CreatedAt,
		}
	}
	return hits, nil
}

// withCommit is written as the partial index has it.
func withCommit(sel *entsql.Selector) {
	sel.Where(entsql.ExprP(sel.C(execution.FieldCommit) + " <> ''"))
}

// environmentsOf names the environments of an execution, each once.
func environmentsOf(e record.Execution) string {
	var names []string
	for _, r := range e.Runs {
		if !slices.Contains(names, r.Environment) {
			names = append(names, r.Environment)
		}
	}
	return strings.Join(names, ", ")
}

// idRange is the first and the last id that begin with a text.
func idRange(text string) (from, to uuid.UUID, ok bool) {
	plain := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(text)), "-", "")
	const all = 32
	if len(plain) < idDigits || len(plain) > all || !digits(plain) {
		return from, to, false
	}
	if _, err := hex.Decode(from[:], []byte(plain+strings.Repeat("0", all-len(plain)))); err != nil {
		return from, to, false
	}
	_, err := hex.Decode(to[:], []byte(plain+strings.Repeat("f", all-len(plain))))
	return from, to, err == nil
}

// digits reports whether a text is hexadecimal.
func digits(text string) bool { return strings.Trim(text, "0123456789abcdef") == "" }

func refs(list []*db.SearchEntry) []string {
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = e.Ref
	}
	return out
}

func hitsOf(list []*db.SearchEntry, hit func(*db.SearchEntry) (search.Hit, bool)) []search.Hit {
	var out []search.Hit
	for _, e := range list {
		if h, ok := hit(e); ok {
			out = append(out, h)
		}
	}
	return out
}

// maxTitle is how many bytes of a message are shown of a failure.
const maxTitle = 300

// titleOf is the first line of a message.
func titleOf(message string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(clean(message)), "\n")
	if len(line) > maxTitle {
		line = strings.ToValidUTF8(line[:maxTitle], "") + "…"
	}
	return cmp.Or(line, "no message")
}

// rememberFailures makes entries for the failures of a report that have none yet, in the order of their fingerprints: two reports that have
// the same ones do not wait for each other crosswise. Their words are found later.
func (s *Store) rememberFailures(ctx context.Context, tx *db.Tx, of resultsOf, list []record.TestResult) error {
	titles := map[string]string{}
	for _, r := range list {
		if _, ok := titles[r.Fingerprint]; !ok && r.Fingerprint != "" && len(titles) < maxFingerprints {
			titles[r.Fingerprint] = titleOf(r.Message)
		}
	}
	prints := make([]string, 0, len(titles))
	for p := range titles {
		prints = append(prints, p)
	}
	slices.Sort(prints)
	for part := range slices.Chunk(prints, rowsAtOnce) {
		var values []any
		for _, p := range part {
			values = append(values, of.attempt.OrganizationID.String(), string(search.Failure), p, of.workflow, titles[p])
		}
		statement := "INSERT INTO search_entries (organization_id, kind, ref, workflow, title) VALUES " +
			strings.TrimPrefix(strings.Repeat(", (?, ?, ?, ?, ?)", len(part)), ", ") + " ON CONFLICT DO NOTHING"
		if _, err := s.exec(ctx, tx, statement, values...); err != nil {
			return fmt.Errorf("remember failures: %w", err)
		}
	}
	return nil
}

// maxFingerprints is how many failures of one report are found by their words. One that has more has failed as a whole.
const maxFingerprints = 500
