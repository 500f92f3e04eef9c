// Report prints the table of metric cards from the samples that benchmarks have noted, and refuses to have any taken on a busy machine.
//
//	report -quiet 1m               ends with 1 when the machine is not idle within a minute
//	report [-markdown] SAMPLES.csv prints the table
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/seatrial/seatrial/integration/bench/cards"
)

func main() {
	quiet := flag.Duration("quiet", 0, "wait so long at most until the machine is idle, and do nothing else")
	markdown := flag.Bool("markdown", false, "print the table as Markdown")
	flag.Parse()
	if err := run(*quiet, *markdown, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func run(quiet time.Duration, markdown bool, files []string) error {
	if quiet > 0 {
		return cards.Await(quiet) //nolint:wrapcheck // it speaks for itself
	}
	if len(files) != 1 {
		return fmt.Errorf("name one file of samples; there are %d", len(files))
	}
	file, err := os.Open(files[0])
	if err != nil {
		return err //nolint:wrapcheck // names the file
	}
	defer file.Close()
	samples, err := cards.Read(file)
	if err != nil {
		return fmt.Errorf("%s: %w", files[0], err)
	}
	show := cards.Text
	if markdown {
		show = cards.Markdown
	}
	return show(os.Stdout, cards.Judge(samples)) //nolint:wrapcheck // of standard output
}
