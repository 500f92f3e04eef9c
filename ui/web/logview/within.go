package logview

// Within returns the rows about a line (from 0) that have at most limit together, and that line in any case. Size says how
// much a row has.
func (w Window) Within(limit int, line int64, size func(Row) int) Window {
	if len(w.Rows) == 0 {
		return w
	}
	from := w.at(line)
	until := from + 1
	left := limit - size(w.Rows[from])
	// The side that has less grows first, so that as much is seen before the line as after it.
	before, after := 0, 0
	for from > 0 || until < len(w.Rows) {
		grow := until
		if from > 0 && (until == len(w.Rows) || before < after) {
			grow = from - 1
		}
		n := size(w.Rows[grow])
		if left -= n; left < 0 {
			return w.part(from, until)
		}
		if grow < from {
			from, before = grow, before+n
		} else {
			until, after = until+1, after+n
		}
	}
	return w
}

// at is the row of a line (from 0), or the nearest one.
func (w Window) at(line int64) int {
	n := w.First
	for i, r := range w.Rows {
		if r.Gap > 0 {
			continue
		}
		if n >= line {
			return i
		}
		n++
	}
	return len(w.Rows) - 1
}

// part leaves out the rows before from, and those after until.
func (w Window) part(from, until int) Window {
	w.Cut = true
	w.First += count(w.Rows[:from])
	if until < len(w.Rows) {
		w.NextLine = w.First + count(w.Rows[from:until])
		w.Next = w.Rows[until-1].after
		w.Open, w.Tail, w.Complete = false, false, false
	}
	w.Rows = w.Rows[from:until]
	return w
}

// count is how many of the rows are lines.
func count(rows []Row) (n int64) {
	for _, r := range rows {
		if r.Gap == 0 {
			n++
		}
	}
	return n
}
