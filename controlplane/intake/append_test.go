package intake_test

import (
	"errors"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/intake"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

func chunk(t *testing.T, id execution.AttemptID, stream string, start int64, text string) execution.Chunk {
	t.Helper()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return execution.Chunk{
		Attempt: id, Stream: stream, Start: start, RawLen: len(text), Lines: strings.Count(text, "\n"),
		Data: enc.EncodeAll([]byte(text), nil), CRC: crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli)),
	}
}

func TestIntake_Append_RefusesOneChunkAndKeepsTheRest(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spoil  func(*execution.Chunk)
		reason string
	}{
		"Damaged":        {func(c *execution.Chunk) { c.CRC++ }, "a damaged chunk is answered by itself"},
		"ForeignAttempt": {func(c *execution.Chunk) { c.Attempt = uuid.New() }, "the store refuses the whole batch for it"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, intake.Limits{})
			bad := chunk(t, b.store.own, "step/1", 0, "bad")
			tc.spoil(&bad)
			got, err := b.intake.Append(b.ctx, []execution.Chunk{
				chunk(t, b.store.own, "step/0", 0, "one\n"), bad, chunk(t, b.store.own, "step/0", 4, "two\n"),
			})
			if err != nil {
				t.Fatal(err)
			}
			if got[1].Refused == "" || got[1].Stream != "step/1" {
				t.Errorf("answer %+v: %s", got[1], tc.reason)
			}
			if got[0].Committed != 4 || got[2].Committed != 8 {
				t.Errorf("answers %+v and %+v: %s", got[0], got[2], tc.reason)
			}
			if b.heard(execution.LogTopic(b.viewer.Organization, b.store.own, "step/1")) {
				t.Error("told of a stream that did not move")
			}
		})
	}
}

func TestIntake_Append_TellsOncePerStream(t *testing.T) {
	t.Parallel()
	b := setup(t, intake.Limits{})
	_, err := b.intake.Append(b.ctx, []execution.Chunk{
		chunk(t, b.store.own, "step/0", 0, "a"), chunk(t, b.store.own, "step/0", 1, "b"), chunk(t, b.store.own, "step/2", 0, "c"),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		execution.LogTopic(b.viewer.Organization, b.store.own, "step/0"), execution.LogTopic(b.viewer.Organization, b.store.own, "step/2"),
	}
	if d := cmp.Diff(want, b.bus.topics); d != "" {
		t.Error(d)
	}
}

func TestIntake_Append_OutOfPlaceAnswersWhereToGoOn(t *testing.T) {
	t.Parallel()
	b := setup(t, intake.Limits{})
	chunks := []execution.Chunk{chunk(t, b.store.own, "step/0", 0, "abc"), chunk(t, b.store.own, "step/0", 9, "x")}
	got, err := b.intake.Append(b.ctx, chunks)
	if err != nil {
		t.Fatal(err)
	}
	if got[1].Committed != 3 || got[1].Refused != "" {
		t.Errorf("answer %+v, want to go on at 3", got[1])
	}
}

func TestIntake_Append_StoreAwayIsAnError(t *testing.T) {
	t.Parallel()
	for name, down := range map[string]error{
		"Unavailable": fault.New(fault.Unavailable, "the database is away"), "Unknown": errors.New("disk full"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, intake.Limits{})
			b.store.down = down
			c := chunk(t, b.store.own, "step/0", 0, "abc")
			if got, err := b.intake.Append(b.ctx, []execution.Chunk{c, c}); !errors.Is(err, down) {
				t.Errorf("answers %+v, error %v: a refusal would lose the bytes", got, err)
			}
		})
	}
}

func TestIntake_OnlyAgentsDeliver(t *testing.T) {
	t.Parallel()
	b := setup(t, intake.Limits{})
	ctx := tenant.WithViewer(t.Context(), tenant.Viewer{Kind: tenant.KindToken, Organization: b.viewer.Organization})
	_, appended := b.intake.Append(ctx, nil)
	_, reported := b.intake.Report(ctx, execution.Report{Attempt: b.store.own, Status: execution.Running})
	_, streams := b.intake.Streams(ctx, b.store.own)
	filed := b.intake.File(ctx, execution.File{}, strings.NewReader(""))
	for name, err := range map[string]error{"Append": appended, "Report": reported, "Streams": streams, "File": filed} {
		if !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%s: %v, want unauthenticated", name, err)
		}
	}
}
