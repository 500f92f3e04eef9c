package cmd

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/tenant"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
	"github.com/seatrial/seatrial/ui/cli/render"
)

const (
	auditPage = 1000
	auditLine = 1 << 20 // how long a line of an export may be
)

func (a *app) audit() *cobra.Command {
	c := &cobra.Command{
		Use: "audit", Short: "Who did what: list, export and check the audit log",
		Long: "Every call that may change something is on record: who made it with which credential and from where, what it was about, and how it " +
			"ended. Entries are never changed, and each carries a hash of the one before it.",
	}
	c.AddCommand(a.auditList(), a.auditExport(), a.auditVerify())
	return c
}

// auditFilter is what list and export select by.
type auditFilter struct {
	apiv1.ListAuditEntriesRequest

	since, until string
}

func (f *auditFilter) flags(c *cobra.Command) {
	c.Flags().StringVar(&f.Actor, "actor", "", "only what this one did: e-mail, or name or id of a token or cluster; an e-mail takes in the tokens of its member")
	c.Flags().StringVar(&f.Action, "action", "", "only this action, such as RunWorkflow")
	c.Flags().StringVar(&f.Kind, "kind", "", "only what was done to objects of a kind, such as workflow")
	c.Flags().StringVar(&f.Object, "object", "", "only what was done to the object with this name or id")
	c.Flags().StringVar(&f.Outcome, "outcome", "", "only what ended so: done, refused or failed")
	c.Flags().StringVar(&f.From, "from", "", "only what came from this network address")
	c.Flags().StringVar(&f.since, "since", "", "only from then on: a time as 2026-01-31T12:00:00Z, or how long ago, such as 24h")
	c.Flags().StringVar(&f.until, "until", "", "only before then")
}

func (f *auditFilter) complete(now time.Time) error {
	for flag, to := range map[string]struct {
		text string
		at   **timestamppb.Timestamp
	}{"since": {f.since, &f.Since}, "until": {f.until, &f.Until}} {
		if to.text == "" {
			continue
		}
		at, err := moment(to.text, now)
		if err != nil {
			return fmt.Errorf("--%s: %w", flag, err)
		}
		*to.at = timestamppb.New(at)
	}
	return nil
}

// moment reads a time, or how long ago one was.
func moment(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is neither a time such as 2026-01-31T12:00:00Z nor a span such as 24h", text)
}

func (a *app) auditList() *cobra.Command {
	f := &auditFilter{}
	limit := 50
	c := &cobra.Command{
		Use: "list", Short: "List the newest entries", Args: cobra.NoArgs,
		Example: "  seatrial audit list --actor ada@acme.example --since 24h\n  seatrial audit list --outcome refused -o json",
	}
	f.flags(c)
	c.Flags().IntVar(&limit, "limit", limit, "how many at most, up to 1000; export has no limit")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := f.complete(time.Now()); err != nil {
			return err
		}
		if limit < 1 || limit > auditPage {
			return fmt.Errorf("--limit: give 1 to %d", auditPage)
		}
		f.NewestFirst, f.PageSize = true, int32(limit)
		cl, err := a.connect()
		if err != nil {
			return err
		}
		res, err := cl.audits.ListAuditEntries(c.Context(), &f.ListAuditEntriesRequest)
		if err != nil {
			return err
		}
		if a.format != render.Table {
			return render.Message(a.Out, a.format, res)
		}
		return a.showAudit(res)
	}
	return c
}

func (a *app) showAudit(res *apiv1.ListAuditEntriesResponse) error {
	var rows [][]string
	for _, e := range res.GetEntries() {
		who := e.GetActorName()
		if e.GetActorPerson() != "" {
			who += " (" + e.GetActorPerson() + ")"
		}
		object := strings.TrimSpace(e.GetObjectKind() + " " + e.GetObjectName())
		if e.GetObjectName() == "" {
			object = strings.TrimSpace(e.GetObjectKind() + " " + e.GetObjectId())
		}
		rows = append(rows, []string{
			strconv.FormatInt(e.GetNumber(), 10), render.Time(e.GetAt()), e.GetActorKind(), who, e.GetAction(), object, e.GetOutcome(), e.GetFrom(),
		})
	}
	if len(rows) == 0 {
		a.say("No entry matches.")
		return nil
	}
	if err := render.Rows(a.Out, []string{"ENTRY", "WHEN", "KIND", "WHO", "ACTION", "OBJECT", "OUTCOME", "FROM"}, rows); err != nil {
		return err
	}
	if res.GetNextPageToken() != "" {
		a.say("There are earlier ones; seatrial audit export writes all of them.")
	}
	return nil
}

func (a *app) auditExport() *cobra.Command {
	f := &auditFilter{}
	to := target{file: stdio}
	c := &cobra.Command{
		Use: "export", Short: "Write entries as lines of JSON, oldest first", Args: cobra.NoArgs,
		Long: "Write entries as lines of JSON, oldest first. Without a filter the file holds the whole log, which seatrial audit verify FILE checks on " +
			"any machine. The hash of its last entry, noted elsewhere, proves later that nothing before it was changed.",
		Example: "  seatrial audit export --out audit.jsonl",
	}
	f.flags(c)
	to.flags(c, "file to write to (default: standard output)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := f.complete(time.Now()); err != nil {
			return err
		}
		if to.file == "" {
			to.file = stdio
		}
		if err := to.check(); err != nil {
			return err
		}
		var text bytes.Buffer
		if _, err := a.entries(c.Context(), &f.ListAuditEntriesRequest, func(e audit.Entry) error { return json.NewEncoder(&text).Encode(e) }); err != nil {
			return err
		}
		return a.save(to, text.Bytes())
	}
	return c
}

// entries calls take for each entry that a request selects, oldest first, and returns the end of the chain as of the first answer.
func (a *app) entries(ctx context.Context, r *apiv1.ListAuditEntriesRequest, take func(audit.Entry) error) (head audit.Head, err error) {
	cl, err := a.connect()
	if err != nil {
		return head, err
	}
	r.PageSize = auditPage
	for first := true; ; first = false {
		res, err := cl.audits.ListAuditEntries(ctx, r)
		if err != nil {
			return head, err
		}
		if first {
			head = audit.Head{Number: res.GetHeadNumber(), Hash: res.GetHeadHash()}
		}
		for _, wire := range res.GetEntries() {
			if wire.GetNumber() > head.Number { // it was written while this was read
				return head, nil
			}
			e, err := entryFrom(wire)
			if err == nil {
				err = take(e)
			}
			if err != nil {
				return head, err
			}
		}
		if r.PageToken = res.GetNextPageToken(); r.GetPageToken() == "" {
			return head, nil
		}
	}
}

func entryFrom(w *apiv1.AuditEntry) (audit.Entry, error) {
	e := audit.Entry{
		Number: w.GetNumber(), At: w.GetAt().AsTime(), Actor: audit.Actor{Kind: tenant.Kind(w.GetActorKind()), Name: w.GetActorName(), Person: w.GetActorPerson()},
		Action: w.GetAction(), Object: audit.Object{Kind: w.GetObjectKind(), ID: w.GetObjectId(), Name: w.GetObjectName()}, From: w.GetFrom(),
		Outcome: audit.Outcome(w.GetOutcome()), Details: w.GetDetails(), Previous: w.GetPrevious(), Hash: w.GetHash(),
	}
	var errs [3]error
	e.Organization, errs[0] = uuid.Parse(w.GetOrganizationId())
	e.Actor.ID, errs[1] = uuid.Parse(w.GetActorId())
	e.Actor.Credential, errs[2] = uuid.Parse(w.GetCredentialId())
	if err := errors.Join(errs[:]...); err != nil {
		return e, fmt.Errorf("entry %d of the audit log: %w", e.Number, err)
	}
	return e, nil
}

func (a *app) auditVerify() *cobra.Command {
	var expected string
	c := &cobra.Command{
		Use: "verify [FILE]", Short: "Prove that no entry was changed, removed or inserted", Args: cobra.MaximumNArgs(1),
		Long: "Check the chain of hashes from the first entry to the last: of the control plane, or of a file that export wrote, for which no control " +
			"plane is needed. Whoever can write to the database could write the whole chain anew: --head proves that this has not happened since the " +
			"hash was noted.\n\nExit codes: 0 it holds · 1 it does not hold · 2 wrong usage, or a file that cannot be read.",
		Example: "  seatrial audit verify --head 1042:9f2c…\n  seatrial audit verify audit.jsonl",
	}
	c.Flags().StringVar(&expected, "head", "", "number and hash of an entry as they were noted earlier, as NUMBER:HASH")
	c.RunE = func(c *cobra.Command, args []string) error {
		noted, err := headFrom(expected)
		if err != nil {
			return err
		}
		check := checked{noted: noted}
		var end audit.Head
		if len(args) == 0 {
			end, err = a.entries(c.Context(), &apiv1.ListAuditEntriesRequest{}, check.take)
		} else {
			err = a.exported(args[0], check.take)
			end = check.chain.End()
		}
		if err == nil {
			err = check.finish(end)
		}
		if err != nil {
			return brokenChain(err)
		}
		return a.print("The audit log holds: %d entries\nhead %d:%s", end.Number, end.Number, hex.EncodeToString(end.Hash))
	}
	return c
}

// checked is a chain under examination, with the hash that was noted of one of its entries.
type checked struct {
	chain audit.Verifier
	noted audit.Head
	found bool
}

func (k *checked) take(e audit.Entry) error {
	if err := k.chain.Next(e); err != nil {
		return &chainError{err}
	}
	if e.Number == k.noted.Number {
		if err := k.chain.Finish(k.noted); err != nil {
			return &chainError{err}
		}
		k.found = true
	}
	return nil
}

func (k *checked) finish(end audit.Head) error {
	if err := k.chain.Finish(end); err != nil {
		return &chainError{err}
	}
	if k.noted.Number > 0 && !k.found {
		return &chainError{k.chain.Finish(k.noted)}
	}
	return nil
}

// chainError is a chain that does not hold, which is another thing than one that cannot be read.
type chainError struct{ error }

func brokenChain(err error) error {
	var broken *chainError
	if errors.As(err, &broken) {
		return coded(exitcode.Failed, broken.error)
	}
	return err
}

func headFrom(text string) (audit.Head, error) {
	if text == "" {
		return audit.Head{}, nil
	}
	number, hash, _ := strings.Cut(text, ":")
	n, err := strconv.ParseInt(number, 10, 64)
	sum, bad := hex.DecodeString(hash)
	if err != nil || bad != nil || n < 1 || len(sum) != len(audit.Start()) {
		return audit.Head{}, fmt.Errorf("--head %s: write it as verify prints it, NUMBER:HASH", text)
	}
	return audit.Head{Number: n, Hash: sum}, nil
}

// exported reads what export wrote.
func (a *app) exported(name string, take func(audit.Entry) error) error {
	file, err := a.input(name)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it was only read
	lines := bufio.NewScanner(io.Reader(file))
	lines.Buffer(nil, auditLine)
	for n := 1; lines.Scan(); n++ {
		var e audit.Entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return fmt.Errorf("%s:%d: not an entry as seatrial audit export writes it: %w", name, n, err)
		}
		if err := take(e); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
