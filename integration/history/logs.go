package history

import "time"

// logs is I3. What was taken away with its pod may be incomplete, but may not say otherwise.
func logs(h *facts) (out []Violation) {
	written := h.written()
	viewers, pieces := h.by(Read, func(e Event) string { return e.Viewer + " " + streamOf(e) })
	length := map[string]int64{}
	for _, viewer := range viewers {
		group := pieces[viewer]
		stream := streamOf(group[0])
		end, bad := sequence(stream, group, written[stream])
		out = append(out, bad...)
		length[stream] = max(length[stream], end)
	}
	taken := map[string]bool{}
	for _, e := range h.of[Taken] {
		taken[e.Attempt] = true
	}
	totals := map[string]Event{}
	for _, e := range h.of[Totals] {
		totals[streamOf(e)] = e
		w := written[streamOf(e)]
		switch {
		case w == nil || w.partial:
		case e.Complete && e.Offset != w.end:
			out = append(out, broken(I3, e.At, "%s is called complete with %d bytes, and %d were written", streamOf(e), e.Offset, w.end))
		case !e.Complete && !taken[e.Attempt]:
			out = append(out, broken(I3, e.At, "%s is not complete although nobody took its pod away: %d of %d bytes", streamOf(e), e.Offset, w.end))
		}
		if read, any := length[streamOf(e)]; any && read > e.Offset {
			out = append(out, broken(I3, e.At, "%d bytes of %s were read, and %d are stored", read, streamOf(e), e.Offset))
		}
	}
	if h.settled.IsZero() {
		return out // it may still be on its way
	}
	streams, _ := h.by(Wrote, streamOf)
	for _, stream := range streams {
		if _, known := totals[stream]; !known && len(h.of[Totals]) > 0 && written[stream].end > 0 && !taken[written[stream].attempt] {
			out = append(out, broken(I3, time.Time{}, "nothing is stored of the %d bytes of %s", written[stream].end, stream))
		}
	}
	return out
}

// text is what was written to a stream.
type text struct {
	attempt string
	data    []byte // all of it, nil when only sums were taken
	sums    map[int64]uint32
	end     int64
	partial bool // some of it was written without being told
}

func (h *facts) written() map[string]*text {
	out := map[string]*text{}
	for _, e := range h.of[Wrote] {
		t := out[streamOf(e)]
		if t == nil {
			t = &text{attempt: e.Attempt, sums: map[int64]uint32{}}
			out[streamOf(e)] = t
		}
		if e.Offset != t.end {
			t.partial = true
		}
		t.end = max(t.end, e.Offset+e.Bytes)
		if e.Sum != 0 {
			t.sums[t.end] = e.Sum
		}
		if int64(len(e.Data)) == e.Bytes && int64(len(t.data)) == e.Offset {
			t.data = append(t.data, e.Data...)
		}
	}
	return out
}

// sequence checks the pieces that one viewer got of a stream and returns where they end.
func sequence(stream string, pieces []Event, w *text) (end int64, out []Violation) {
	gaps := int64(0)
	for _, e := range pieces {
		switch {
		case e.Offset < end:
			return end, append(out, broken(I3, e.At, "%s was sent again from %d, after %d", stream, e.Offset, end))
		case e.Offset > end:
			return end, append(out, broken(I3, e.At, "%s went on at %d, and nothing says what became of the bytes from %d", stream, e.Offset, end))
		}
		from := e.Offset + e.Gap
		end, gaps = e.Offset+e.Bytes, gaps+e.Gap
		switch {
		case w == nil || w.partial:
		case end > w.end:
			return end, append(out, broken(I3, e.At, "%s has %d bytes, and %d were written", stream, end, w.end))
		case e.Data != nil && int64(len(w.data)) >= end && string(e.Data) != string(w.data[from:end]):
			return end, append(out, broken(I3, e.At, "the bytes of %s from %d to %d are others than those written", stream, from, end))
		case e.Sum != 0 && gaps == 0 && w.sums[end] != 0 && w.sums[end] != e.Sum:
			return end, append(out, broken(I3, e.At, "the first %d bytes of %s are others than those written", end, stream))
		}
	}
	return end, out
}
