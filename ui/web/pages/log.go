package pages

import (
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/ui/web/logview"
	"github.com/seatrial/seatrial/ui/web/words"
)

// move is a link to another part of a log.
type move struct{ Word, Path string }

// moves lists the links to the other parts; those that would change nothing have no address.
func (p LogPageProps) moves() []move {
	w := p.Log.Box.Window
	step := int64(p.Size) / 2
	if w.Cut { // no line may be passed over, and nobody knows how many the next page has room for
		step = 0
	}
	list := []move{{Word: "First lines"}, {Word: "Earlier"}, {Word: "Later"}, {Word: "Last lines"}}
	if w.First > 0 {
		list[0].Path = linePath(p.Log.Path, 1)
		list[1].Path = linePath(p.Log.Path, max(w.First-step, 1))
	}
	if last := p.Log.Of.Log.Lines; !w.Tail && w.NextLine < last {
		list[2].Path = linePath(p.Log.Path, min(w.NextLine+max(step, 1), last))
		list[3].Path = linePath(p.Log.Path, last)
	}
	return list
}

// shown says which lines are on the page.
func (p LogPageProps) shown() string {
	w := p.Log.Box.Window
	last := w.NextLine
	if w.Open {
		last++
	}
	if last <= w.First {
		return ""
	}
	text := "Lines " + words.Number(w.First+1) + " to " + words.Number(last)
	if total := max(p.Log.Of.Log.Lines, last); w.Complete && w.Tail {
		text += ", the end of the log"
	} else {
		text += " of " + words.Number(total)
	}
	return text + "."
}

// pathOf is the address of another log of the same attempt.
func (p LogPageProps) pathOf(stream string) string {
	path := streamPath(p.Frame, p.Execution.ID, stream)
	if p.Query != "" {
		path += "?attempt=" + p.Query
	}
	return path
}

func (p LogPageProps) rawPath() string {
	path, query, _ := strings.Cut(p.pathOf(p.Log.Of.Stream), "?")
	if query != "" {
		query = "?" + query
	}
	return path + "/raw" + query
}

// navigation names the links to the other logs.
func (p LogPageProps) navigation() string {
	if _, ok := execution.StreamService(p.Origins[len(p.Origins)-1].Stream); ok {
		return "Steps and services"
	}
	return "Steps"
}

// label names a log among the others of its attempt; steps are numbered.
func label(o Origin) string {
	if index, ok := execution.StreamIndex(o.Stream); ok {
		return strconv.Itoa(index+1) + ". " + o.Name
	}
	return "Service " + o.Name
}

// LogSearch is what somebody searches a log for, and what was found.
type LogSearch struct {
	Query logview.Query
	From  int64 // the line from which was searched, from 0
	Found logview.Found
	Wrong Wrong
}

// Asked reports whether anything is searched for.
func (s LogSearch) Asked() bool { return s.Query.Text != "" && s.Wrong.Message == "" }

// Size is about how many bytes of HTML the lines that were found have.
func (s LogSearch) Size() (n int) {
	const each = 300 // an item with its address
	for _, h := range s.Found.Hits {
		n += each + len(s.Query.Text) + len(h.Before) + len(h.Match) + len(h.After)
	}
	return n
}

// said says what was found.
func (p LogPageProps) said() string {
	f := p.Search.Found
	where := " in the whole log"
	switch {
	case p.Search.From > 0 && f.Done:
		where = " from line " + words.Number(p.Search.From+1) + " on"
	case !f.Done:
		where = " in lines " + words.Number(p.Search.From+1) + " to " + words.Number(f.Next)
	}
	if len(f.Hits) == 0 {
		return "No line has it" + where + "."
	}
	if len(f.Hits) == 1 {
		return "1 line has it" + where + "."
	}
	return words.Number(int64(len(f.Hits))) + " lines have it" + where + "."
}

// hitPath is the address of a line that was found, with the search that found it; line 0 is for the search alone, from its line on.
func (p LogPageProps) hitPath(from, line int64) string {
	path, query, _ := strings.Cut(p.Log.Path, "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		q = url.Values{}
	}
	q.Set("q", p.Search.Query.Text)
	if p.Search.Query.Regexp {
		q.Set("re", "1")
	}
	if from > 0 {
		q.Set("from", strconv.FormatInt(from+1, 10))
	}
	if line == 0 {
		return path + "?" + q.Encode()
	}
	n := strconv.FormatInt(line, 10)
	q.Set("l", n)
	return path + "?" + q.Encode() + "#L" + n
}

// matches lists the links to the match before and the one after the line that is pointed at, and to where the search goes on.
func (p LogPageProps) matches() (before, after, on string) {
	f, at := p.Search.Found, p.Log.Box.Marked.From-1
	for _, h := range f.Hits {
		switch {
		case h.Line < at:
			before = p.hitPath(p.Search.From, h.Line+1)
		case h.Line > at && after == "":
			after = p.hitPath(p.Search.From, h.Line+1)
		}
	}
	if !f.Done {
		on = p.hitPath(f.Next, 0)
		after = or(after, on)
	}
	if before == "" && p.Search.From > 0 {
		before = p.hitPath(0, 0)
	}
	return before, after, on
}

// soughtPath is the address of a log with what a text is searched for in it.
func soughtPath(logPath, text string) string {
	sign := "?"
	if strings.Contains(logPath, "?") {
		sign = "&"
	}
	for len(text) > logview.MaxQuery { // the beginning of it is enough to find it
		_, last := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-last]
	}
	return logPath + sign + url.Values{"q": {text}}.Encode()
}
