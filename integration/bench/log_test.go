package bench_test

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/integration/bench/cards"
	"github.com/seatrial/seatrial/integration/harness"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

const (
	heapBudget = 50 << 20 // bytes of a browser's heap, whatever log it shows
	logChunks  = 4260
	chunkLines = 4850 // of 52 bytes: as many as fit into a frame
	logOpened  = 200  // lines that are opened
	logVisits  = 20   // of them in a browser
)

// BenchmarkLog stores a log of a gibibyte and 20 million lines, and opens it at lines all over it: how long the server takes, and how much of
// its heap a browser needs for the page.
func BenchmarkLog(b *testing.B) { measureLog(b, logChunks) }

// TestLog goes the same way with a small log.
func TestLog(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it starts a database")
	}
	measureLog(t, 20)
}

func measureLog(tb testing.TB, chunks int) {
	tb.Helper()
	owner := harness.Postgres(tb)
	user := harness.PostgresUser(tb, owner)
	p, _ := start(tb, tb.TempDir(), user, owner)
	s := newSeeder(tb, p, user, owner)
	place := s.enroll("eu-1")
	s.apply(fmt.Sprintf(uiFlow, "checkout", "load", "standard"))
	e := s.begin("checkout-load", "", nil, place)
	r := e.GetRuns()[0]
	began := time.Now()
	s.report(r, execution.Running, nil, began)
	bytes := s.longLog(r, chunks)
	code := 1
	s.report(r, execution.Failed, &code, began)
	lines := int64(chunks) * chunkLines
	tb.Logf("%6.1f s  a log of %d MiB and %.1f million lines is stored", time.Since(began).Seconds(), bytes>>20, float64(lines)/1e6)

	path := "/o/default/executions/" + e.GetId() + "/log/0"
	random := rand.New(rand.NewPCG(1, 2))
	at := make([]int64, logOpened)
	for i := range at {
		at[i] = random.Int64N(lines) + 1
	}
	tb.Logf("%-40s %10s %10s %10s  %s", "page", "p50", "p99", "largest", "budget")
	half, top, size := p.openLines(tb, path+"?l=%d", at, func(n int64) string { return fmt.Sprintf("request=%09d", n) })
	row := func(name string, half, top time.Duration, size int, budget time.Duration) {
		verdict := "met"
		if budget > 0 && top > budget || size > sizeBudget {
			verdict = "MISSED"
		}
		tb.Logf("%-40s %7.1f ms %7.1f ms %6.1f KiB  %s", name, ms(half), ms(top), float64(size)/1024, verdict)
	}
	row("a line", half, top, size, serverBudget)
	cards.Note(tb, cards.Sample{Card: "P14", Metric: "line of 1 GiB", Arm: cards.Seatrial, Value: ms(top), Unit: "ms"})
	half, top, size = p.openLines(tb, path+"?q=nothing+such&from=%d", at, func(int64) string { return "No line has it" })
	row("a search that finds nothing, one request", half, top, size, 0)
	if harness.HasBrowser() {
		used := p.heap(tb, path, at[:logVisits])
		verdict := "met"
		if used > heapBudget {
			verdict = "MISSED"
		}
		cards.Note(tb, cards.Sample{Card: "P14", Metric: "heap of 1 GiB", Arm: cards.Seatrial, Value: float64(used) / (1 << 20), Unit: "MiB"})
		tb.Logf("heap of the browser, at most: %.1f MiB of %d MiB  %s", float64(used)/(1<<20), heapBudget>>20, verdict)
		if used > heapBudget {
			tb.Errorf("the page needs %d bytes of heap", used)
		}
	}
}

// longLog stores as many frames of lines that say their number, and returns how many bytes they have.
func (s *seeder) longLog(r *apiv1.Run, chunks int) (total int64) {
	s.tb.Helper()
	pack, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	ok(s.tb, err)
	table, sum := crc32.MakeTable(crc32.Castagnoli), uint32(0)
	var batch []execution.Chunk
	for n := range chunks {
		var text strings.Builder
		for i := range chunkLines {
			fmt.Fprintf(&text, "12:00:00 INFO request=%09d status=200 in 33 ms\n", n*chunkLines+i+1)
		}
		raw := []byte(text.String())
		sum = crc32.Update(sum, table, raw)
		batch = append(batch, execution.Chunk{
			Attempt: uuid.MustParse(r.GetAttempts()[0].GetId()), Stream: execution.Stream(0), Start: total, RawLen: len(raw), Lines: chunkLines, FirstLine: int64(n) * chunkLines,
			FirstTime: time.Now(), LastTime: time.Now(), Data: pack.EncodeAll(raw, nil), CRC: crc32.Checksum(raw, table),
		})
		total += int64(len(raw))
		if n == chunks-1 {
			batch[len(batch)-1].Final = &execution.Totals{Bytes: total, Lines: int64(chunks) * chunkLines, CRC: sum}
		}
		if len(batch) == 50 || n == chunks-1 {
			states, err := s.intake.Append(s.as(r), batch)
			ok(s.tb, err)
			if refused := states[len(states)-1].Refused; refused != "" {
				s.tb.Fatal(refused)
			}
			batch = nil
		}
	}
	return total
}

// openLines asks for a page of each line, one after the other, and holds that it shows what it should.
func (p *program) openLines(tb testing.TB, path string, at []int64, shows func(line int64) string) (half, top time.Duration, size int) {
	tb.Helper()
	took := make([]time.Duration, 0, len(at))
	for _, line := range at {
		begun := time.Now()
		res, err := p.signed.Get(p.url + fmt.Sprintf(path, line))
		ok(tb, err)
		text, err := io.ReadAll(res.Body)
		took = append(took, time.Since(begun))
		_ = res.Body.Close()
		ok(tb, err)
		if res.StatusCode != http.StatusOK || !strings.Contains(string(text), shows(line)) {
			tb.Fatalf("line %d: %s without %q", line, res.Status, shows(line))
		}
		size = max(size, len(text))
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100], size
}

// heap opens lines in a browser and returns the largest heap that it needs, once its garbage is collected.
func (p *program) heap(tb testing.TB, path string, at []int64) (most int64) {
	tb.Helper()
	ctx := harness.Browser(tb)
	c := p.cookie(tb)
	ok(tb, chromedp.Do(ctx, chromedp.Navigate(p.url+"/login")))
	if _, err := chromedp.Call(ctx, network.SetCookie, network.SetCookieParams{Name: c.Name, Value: c.Value, URL: p.url}); err != nil {
		tb.Fatal(err)
	}
	for _, line := range at {
		harness.Visit(ctx, tb, p.url+fmt.Sprintf("%s?l=%d#L%d", path, line, line))
		most = max(most, usedHeap(ctx, tb))
	}
	return most
}

func usedHeap(ctx context.Context, tb testing.TB) int64 {
	tb.Helper()
	if _, err := chromedp.Call(ctx, heapprofiler.CollectGarbage, cdp.Empty{}); err != nil {
		tb.Fatal(err)
	}
	used, err := chromedp.Call(ctx, runtime.GetHeapUsage, cdp.Empty{})
	if err != nil {
		tb.Fatal(err)
	}
	return int64(used.UsedSize + used.EmbedderHeapUsedSize + used.BackingStorageSize)
}
