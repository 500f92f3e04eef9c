package cards

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"
)

// busy is how many percent of the last ten seconds something waited for a processor on a machine that is too busy to measure on.
const busy = 20

// Quiet returns an error that says so when the machine is too busy to measure on: other work changes each figure. Where the kernel does not
// tell how long work waits (Linux without pressure stall information), the load is judged instead.
func Quiet() error {
	text, err := os.ReadFile("/proc/pressure/cpu")
	if errors.Is(err, fs.ErrNotExist) {
		return loaded("/proc/loadavg")
	}
	if err != nil {
		return fmt.Errorf("read how busy the machine is: %w", err)
	}
	waited, err := pressure(string(text))
	if err != nil {
		return err
	}
	if waited > busy {
		return fmt.Errorf("the machine is busy: in %.0f %% of the last ten seconds something waited for a processor (at most %d %%); try again when it is idle", waited, busy)
	}
	return nil
}

// pressure reads "some avg10" of the kernel's pressure stall information (Documentation/accounting/psi.rst), in percent.
func pressure(text string) (float64, error) {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "some avg10="); ok {
			value, _, _ := strings.Cut(rest, " ")
			waited, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return 0, fmt.Errorf("pressure %q is no number", value)
			}
			return waited, nil
		}
	}
	return 0, errors.New("the kernel's pressure stall information has no line \"some avg10=\"")
}

func loaded(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read how busy the machine is: %w", err)
	}
	first, _, _ := strings.Cut(string(text), " ")
	load, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return fmt.Errorf("load %q is no number", first)
	}
	if load > 1 {
		return fmt.Errorf("the machine is busy: its load is %.1f (at most 1); try again when it is idle", load)
	}
	return nil
}

// Await waits until the machine is quiet, for so long at most, and returns Quiet's error otherwise. A build that has just ended still counts in
// the last ten seconds.
func Await(atMost time.Duration) error {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for deadline := time.After(atMost); ; {
		err := Quiet()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-deadline:
			return err
		}
	}
}
