package parts

import (
	"bufio"
	"context"
	"io"
	"strconv"

	"github.com/a-h/templ"

	"github.com/seatrial/seatrial/ui/web/ansi"
	"github.com/seatrial/seatrial/ui/web/logview"
	"github.com/seatrial/seatrial/ui/web/words"
)

// Marked is a range of lines, from 1, that a reader pointed at; zero for none.
type Marked struct{ From, To int64 }

// blockRows is how many rows share a block: the browser lays out only the blocks that are seen.
const blockRows = 100

// Rows writes the rows of a log. Base is the address of the log's page up to the number of a line; prefix begins the ids of lines,
// which are left out when it is empty. Every space counts here, so this is not a template.
func Rows(base, prefix string, w logview.Window, m Marked) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, out io.Writer) error {
		b := bufio.NewWriter(out)
		number := w.First
		for i, r := range w.Rows {
			if i%blockRows == 0 {
				if i > 0 {
					put(b, "</div>")
				}
				put(b, `<div class="block">`)
			}
			if r.Gap > 0 {
				put(b, `<div class="gap">`, GapText(r.Gap), "</div>\n")
				continue
			}
			number++
			row(b, lineOf{base, prefix, number, w.Open && i == len(w.Rows)-1}, r, m)
		}
		if len(w.Rows) > 0 {
			put(b, "</div>")
		}
		return b.Flush()
	})
}

// CutText says that the line goes on.
const CutText = " … longer than 16 KiB: the raw log has the rest"

// GapText says that bytes are missing.
func GapText(n int64) string { return words.Size(n) + " of the log are missing here." }

// lineOf is where a line stands.
type lineOf struct {
	base, prefix string
	number       int64
	open         bool
}

// RowSize is how many bytes of HTML a row of a log has, at most, whose number has as many digits.
func RowSize(base string, digits int, r logview.Row) int {
	const (
		frame  = len(`<div class="l on" id="L" data-open><a href="#L" tabindex="-1"></a><span></span></div>`) + 1
		styled = len(`<span class=""></span>`)
		linked = len(`<a class="" href="" title="" rel="noopener nofollow"></a>`)
	)
	size := frame + escaped(base) + 4*digits
	for _, run := range r.Runs {
		size += escaped(run.Text)
		switch {
		case run.Link != "":
			size += linked + len(run.Class) + 2*escaped(run.Link)
		case run.Class != "":
			size += styled + len(run.Class)
		}
	}
	if r.Cut {
		size += len(`<i class="soft"></i>`) + len(CutText)
	}
	return size
}

// escaped is how long a text is as HTML.
func escaped(text string) int {
	n := len(text)
	for i := range len(text) {
		switch text[i] {
		case '&', '<', '>', '\'', '"':
			n += len("&#34;") - 1
		}
	}
	return n
}

func row(b *bufio.Writer, l lineOf, r logview.Row, m Marked) {
	n := strconv.FormatInt(l.number, 10)
	put(b, `<div class="l`)
	if l.number >= m.From && l.number <= m.To {
		put(b, ` on`)
	}
	put(b, `"`)
	if l.prefix != "" {
		put(b, ` id="`, l.prefix, n, `"`)
	}
	if l.open {
		put(b, ` data-open`)
	}
	put(b, `><a href="`, templ.EscapeString(l.base), n, `#L`, n, `" tabindex="-1">`, n, `</a><span>`)
	for _, run := range r.Runs {
		text(b, run)
	}
	if r.Cut {
		put(b, `<i class="soft">`, CutText, `</i>`)
	}
	put(b, "</span></div>\n")
}

func text(b *bufio.Writer, r ansi.Run) {
	content := templ.EscapeString(r.Text)
	switch {
	case r.Link != "":
		href := templ.EscapeString(r.Link)
		put(b, `<a class="`, r.Class, `" href="`, href, `" title="`, href, `" rel="noopener nofollow">`, content, `</a>`)
	case r.Class != "":
		put(b, `<span class="`, r.Class, `">`, content, `</span>`)
	default:
		put(b, content)
	}
}

// put writes strings; the writer keeps the first error for Flush.
func put(b *bufio.Writer, list ...string) {
	for _, s := range list {
		_, _ = b.WriteString(s)
	}
}
