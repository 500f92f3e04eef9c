package pages

import (
	"strconv"
	"strings"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/ui/web/words"
)

// move is a link to another part of a log.
type move struct{ Word, Path string }

// moves lists the links to the other parts; those that would change nothing have no address.
func (p LogPageProps) moves() []move {
	w := p.Log.Box.Window
	list := []move{{Word: "First lines"}, {Word: "Earlier"}, {Word: "Later"}, {Word: "Last lines"}}
	if w.First > 0 {
		list[0].Path = linePath(p.Log.Path, 1)
		list[1].Path = linePath(p.Log.Path, max(w.First-int64(p.Size)/2, 1))
	}
	if last := p.Log.Of.Log.Lines; !w.Tail && w.NextLine < last {
		list[2].Path = linePath(p.Log.Path, min(w.NextLine+int64(p.Size)/2, last))
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
