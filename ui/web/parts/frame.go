// Package parts holds the pieces that pages are made of.
package parts

import (
	"net/url"
	"time"

	"github.com/seatrial/seatrial/ui/web/static"
)

// Frame is what surrounds a page.
type Frame struct {
	Title   string
	Assets  static.Assets
	Theme   string // "light", "dark" or empty for the system's
	Path    string // address of the page, to come back to
	Data    bool   // the address has the data of the page, too, for whoever asks for JSON
	Now     time.Time
	Org     string // empty when nobody is signed in
	Email   string
	Area    Area
	Refresh bool   // the page changes by itself: without script it is loaded again
	Still   bool   // it is not: somebody reads
	NoKeys  bool   // single keys do nothing
	Fault   string // id of a failure, on its page only
}

// Area is the part of the site that a page belongs to.
type Area string

// The areas.
const (
	Overview   Area = "overview"
	Releases   Area = "releases"
	Catalog    Area = "catalog"
	Executions Area = "executions"
	Tests      Area = "tests"
	Clusters   Area = "clusters"
	Settings   Area = "settings"
)

func (f Frame) areas() []struct {
	Area    Area
	Path, A string
} {
	home := "/o/" + f.Org
	return []struct {
		Area    Area
		Path, A string
	}{
		{Overview, home, "Overview"},
		{Releases, home + "/releases", "Releases"},
		{Catalog, home + "/catalog", "Catalog"},
		{Executions, home + "/executions", "Executions"},
		{Tests, home + "/tests", "Tests"},
		{Clusters, home + "/clusters", "Clusters"},
	}
}

// otherTheme is what the button switches to, and its label: the system's theme, then light, then dark.
func (f Frame) otherTheme() (value, label string) {
	switch f.Theme {
	case "light":
		return "dark", "Light"
	case "dark":
		return "", "Dark"
	}
	return "light", "Auto"
}

func (f Frame) themeValue() string { v, _ := f.otherTheme(); return v }
func (f Frame) themeLabel() string { _, l := f.otherTheme(); return l }

// Still is the part of an address that asks for a page which is not loaded again by itself.
const Still = "still"

// reloading is the address of the page that is loaded again by itself when this one is not, and the other way round.
func (f Frame) reloading() string {
	at, err := url.Parse(f.Path)
	if err != nil {
		return f.Path
	}
	q := at.Query()
	if q.Del(Still); !f.Still {
		q.Set(Still, "yes")
	}
	at.RawQuery = q.Encode()
	return at.String()
}
