// Package format knows the report formats: their names, how to tell them apart by their first bytes, and who reads each.
package format

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/format/ctrf"
	"github.com/seatrial/seatrial/controlplane/results/format/cucumber"
	"github.com/seatrial/seatrial/controlplane/results/format/gotest"
	"github.com/seatrial/seatrial/controlplane/results/format/jest"
	"github.com/seatrial/seatrial/controlplane/results/format/jmeter"
	"github.com/seatrial/seatrial/controlplane/results/format/junit"
	"github.com/seatrial/seatrial/controlplane/results/format/k6"
	"github.com/seatrial/seatrial/controlplane/results/format/mocha"
	"github.com/seatrial/seatrial/controlplane/results/format/newman"
	"github.com/seatrial/seatrial/controlplane/results/format/nunit"
	"github.com/seatrial/seatrial/controlplane/results/format/playwright"
	"github.com/seatrial/seatrial/controlplane/results/format/robot"
	"github.com/seatrial/seatrial/controlplane/results/format/tap"
	"github.com/seatrial/seatrial/controlplane/results/format/trx"
	"github.com/seatrial/seatrial/controlplane/results/format/xunit"
)

// Name names a report format, as workflows do.
type Name string

// The formats. Auto is decided by the content of a report.
const (
	Auto       Name = "auto"
	JUnit      Name = "junit"
	Playwright Name = "playwright"
	CTRF       Name = "ctrf"
	GoTest     Name = "gotest"
	K6         Name = "k6"
	Newman     Name = "newman"
	JTL        Name = "jtl"
	TAP        Name = "tap"
	NUnit      Name = "nunit"
	XUnit      Name = "xunit"
	TRX        Name = "trx"
	Robot      Name = "robot"
	Cucumber   Name = "cucumber"
	Mocha      Name = "mocha"
	Jest       Name = "jest"
)

// Names returns the formats that can be read, Auto left out.
func Names() []Name {
	return []Name{JUnit, Playwright, CTRF, GoTest, K6, Newman, JTL, TAP, NUnit, XUnit, TRX, Robot, Cucumber, Mocha, Jest}
}

type parser func(io.Reader, func(results.Case) error) (results.Summary, error)

func (n Name) parser() parser {
	switch n {
	case JUnit:
		return junit.Parse
	case Playwright:
		return playwright.Parse
	case CTRF:
		return ctrf.Parse
	case GoTest:
		return gotest.Parse
	case K6:
		return k6.Parse
	case Newman:
		return newman.Parse
	case JTL:
		return jmeter.Parse
	case TAP:
		return tap.Parse
	case NUnit:
		return nunit.Parse
	case XUnit:
		return xunit.Parse
	case TRX:
		return trx.Parse
	case Robot:
		return robot.Parse
	case Cucumber:
		return cucumber.Parse
	case Mocha:
		return mocha.Parse
	case Jest:
		return jest.Parse
	default: // Auto is none that could be read
		return nil
	}
}

// Parse reads a report and calls emit for every case. It returns the format, which for Auto and for no name its content decides;
// none when that says nothing. An error wraps results.ErrUnreadable unless emit or r caused it.
func Parse(name Name, r io.Reader, emit func(results.Case) error) (Name, results.Summary, error) {
	name, r, err := Resolve(name, r)
	if err != nil {
		return "", results.Summary{}, err
	}
	parse := name.parser()
	if parse == nil {
		return name, results.Summary{}, fmt.Errorf("%w: there is no format %q", results.ErrUnreadable, name)
	}
	sum, err := parse(r, emit)
	return name, sum, err
}

// Resolve finds out by the first bytes of a report what its format is, unless that is known, and returns a reader of all of it. The
// error wraps results.ErrUnreadable when they are of no format that is known.
func Resolve(name Name, r io.Reader) (Name, io.Reader, error) {
	if name != Auto && name != "" {
		return name, r, nil
	}
	b := bufio.NewReaderSize(r, peek)
	head, err := b.Peek(peek)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", nil, fmt.Errorf("read report: %w", err)
	}
	if name = Detect(head); name == "" {
		return "", nil, unknown(head)
	}
	return name, b, nil
}

func unknown(head []byte) error {
	if strings.TrimSpace(string(head)) == "" {
		return fmt.Errorf("%w: the file is empty", results.ErrUnreadable)
	}
	return fmt.Errorf("%w: its content is of no format that is known; name the format if it is one of them", results.ErrUnreadable)
}
