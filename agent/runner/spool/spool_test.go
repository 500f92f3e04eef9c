package spool_test

import (
	"bytes"
	"hash/crc32"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/agent/runner/spool"
)

func setup(t *testing.T, o spool.Options) *spool.Spool {
	t.Helper()
	return create(t, filepath.Join(t.TempDir(), "s"), o)
}

func create(t *testing.T, path string, o spool.Options) *spool.Spool {
	t.Helper()
	s, err := spool.Create(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func read(t *testing.T, s *spool.Spool, from int64, size int) (data []byte, frames []spool.Frame) {
	t.Helper()
	for {
		f, err := s.Read(from, make([]byte, size))
		if err != nil {
			t.Fatal(err)
		}
		if f.End() == from {
			return data, frames
		}
		data = append(data, f.Data...)
		frames = append(frames, f)
		from = f.End()
	}
}

func TestSpool_Read(t *testing.T) {
	t.Parallel()
	s := setup(t, spool.Options{})
	var want []byte
	for i := range 5000 {
		line := append(bytes.Repeat([]byte{byte(i)}, i%97), '\n')
		want = append(want, line...)
		s.Write(line)
	}
	want = append(want, "no newline"...)
	s.Write([]byte("no newline"))
	totals := s.Seal()
	if totals.Bytes != int64(len(want)) || totals.Lines != int64(bytes.Count(want, []byte("\n"))) ||
		totals.CRC != crc32.Checksum(want, crc32.MakeTable(crc32.Castagnoli)) || totals.GapBytes != 0 {
		t.Fatalf("totals %+v do not match %d bytes", totals, len(want))
	}
	for _, from := range []int64{0, 1, 33333, 20000, 5, totals.Bytes - 1, totals.Bytes} {
		data, frames := read(t, s, from, 777)
		if !bytes.Equal(data, want[from:]) {
			t.Fatalf("from %d: other bytes", from)
		}
		for _, f := range frames {
			if first := int64(bytes.Count(want[:f.Start], []byte("\n"))); f.FirstLine != first {
				t.Fatalf("frame at %d: first line %d, want %d", f.Start, f.FirstLine, first)
			}
			if f.Lines != bytes.Count(f.Data, []byte("\n")) || f.FirstTime.IsZero() || f.LastTime.Before(f.FirstTime) {
				t.Fatalf("frame at %d: %d lines from %v to %v", f.Start, f.Lines, f.FirstTime, f.LastTime)
			}
		}
	}
	for _, offset := range []int64{totals.Bytes, 0, totals.Bytes} { // read on, and after a seek
		if f, err := s.Read(offset, make([]byte, 777)); err != nil || offset > 0 && f.FirstLine != totals.Lines {
			t.Errorf("at the end: line %d, %v; want %d, which the totals are sent with", f.FirstLine, err, totals.Lines)
		}
	}
	if f, err := setup(t, spool.Options{}).Read(0, make([]byte, 1)); err != nil || f.FirstLine != 0 {
		t.Errorf("an empty stream: %+v, %v", f, err)
	}
	if _, err := s.Read(totals.Bytes+1, make([]byte, 1)); err == nil {
		t.Error("an offset behind the end was read")
	}
}

func TestSpool_Limit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, spool.Options{Limit: 10, Patience: time.Minute})
		s.Write([]byte("0123456789"))
		wrote := make(chan struct{})
		go func() {
			defer close(wrote)
			s.Write([]byte("abc"))
		}()
		synctest.Wait()
		select {
		case <-wrote:
			t.Fatal("the writer was not held back")
		default:
		}
		s.Acked(5)
		<-wrote
		if f := s.Fault(); f != "" {
			t.Fatalf("fault without a gap: %s", f)
		}
		s.Acked(0) // the database went back
		start := time.Now()
		s.Write([]byte("lost1"))
		if waited := time.Since(start); waited != time.Minute {
			t.Errorf("waited %v for room, want a minute", waited)
		}
		s.Write([]byte("lost2"))
		if waited := time.Since(start); waited != time.Minute {
			t.Errorf("waited again, %v in all: a step must not crawl", waited)
		}
		s.Acked(23)
		s.Write([]byte("kept"))
		totals := s.Seal()
		if totals.Bytes != 27 || totals.GapBytes != 10 {
			t.Fatalf("totals %+v", totals)
		}
		data, frames := read(t, s, 0, 100)
		if string(data) != "0123456789abckept" || len(frames) != 3 || frames[1].Gap != 10 || frames[1].Start != 13 {
			t.Fatalf("data %q, frames %+v", data, frames)
		}
		if f, err := s.Read(15, make([]byte, 100)); err != nil || f.Gap != 8 {
			t.Errorf("inside the gap: %+v, %v", f, err)
		}
		if s.Fault() == "" {
			t.Error("a gap without a reason")
		}
	})
}

// TestSpool_Frees writes far more than the disk is to hold: what is acknowledged leaves it, what is not stays readable.
func TestSpool_Frees(t *testing.T) {
	t.Parallel()
	const keep, line = 1 << 20, "a line of thirty-two characters\n"
	path := filepath.Join(t.TempDir(), "s")
	s := create(t, path, spool.Options{Keep: keep})
	block := []byte(strings.Repeat(line, 2048)) // 64 KiB
	for range 64 {
		s.Write(block)
		end, _ := s.State()
		s.Acked(end.Bytes)
	}
	var stat syscall.Stat_t
	if err := syscall.Stat(path, &stat); err != nil {
		t.Fatal(err)
	}
	if onDisk := stat.Blocks * 512; onDisk > 2*keep+int64(len(block)) {
		t.Errorf("%d bytes are on the disk, all of them acknowledged", onDisk)
	}
	end, _ := s.State()
	from := end.Bytes - keep + 5
	f, err := s.Read(from, make([]byte, 1000))
	if err != nil || f.Gap != 0 || f.FirstLine != from/int64(len(line)) || f.Data[0] != line[from%int64(len(line))] {
		t.Errorf("near the end: frame %d+%d of line %d, gap %d, err %v", f.Start, len(f.Data), f.FirstLine, f.Gap, err)
	}
	f, err = s.Read(1, make([]byte, 1000))
	if err != nil || f.Gap == 0 || f.End() > from {
		t.Fatalf("a database that went back far gets %d bytes, a gap of %d, err %v: the bytes are gone", len(f.Data), f.Gap, err)
	}
	after, err := s.Read(f.End(), make([]byte, 1000))
	if err != nil || after.FirstLine != after.Start/int64(len(line)) || after.Data[0] != line[after.Start%int64(len(line))] {
		t.Errorf("after the gap: frame of line %d at %d, err %v", after.FirstLine, after.Start, err)
	}
}

// TestSpool_FreesBeforeItThinsOut frees a part of a log whose index is thinned out later: the lines after the gap keep their numbers,
// whether or not the mark at its end was dropped.
func TestSpool_FreesBeforeItThinsOut(t *testing.T) {
	t.Parallel()
	const line, keep = "a line of thirty-two characters\n", 64 << 10
	for _, odd := range []int64{0, 1} {
		now := time.Unix(0, 0)
		s := setup(t, spool.Options{Keep: keep, Now: func() time.Time { now = now.Add(time.Second); return now }}) // every line has a mark
		for i := range int64(40_000) {
			s.Write([]byte(line))
			if i == 10_000+odd {
				s.Acked(i * int64(len(line)))
			}
		}
		gap, err := s.Read(1, make([]byte, 100))
		if err != nil || gap.Gap == 0 {
			t.Fatalf("nothing was freed: %+v, %v", gap, err)
		}
		f, err := s.Read(gap.End(), make([]byte, 100))
		if want := gap.End() / int64(len(line)); err != nil || f.FirstLine != want {
			t.Errorf("after the gap comes line %d, want %d, err %v", f.FirstLine, want, err)
		}
	}
}
