package bench_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cost is the processor time that pages take. Other work on the machine changes how long an answer takes, but hardly what it costs.
type cost struct {
	program  time.Duration // with those who ask, which is little
	database time.Duration // none where the server's data are not kept
}

// spent is what was used so far.
func spent(tb testing.TB) (c cost) {
	tb.Helper()
	var used syscall.Rusage
	ok(tb, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	c.program = time.Duration(used.Utime.Nano() + used.Stime.Nano())
	if *uiKept == "" {
		return c
	}
	text, err := os.ReadFile(filepath.Join(*uiKept, "postgres", "data", "postmaster.pid"))
	if err != nil {
		return c
	}
	server, _, _ := strings.Cut(string(text), "\n")
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	ok(tb, err)
	for _, path := range stats {
		c.database += usedBy(path, server)
	}
	return c
}

// usedBy is what a process of a server has used; nothing when it is of another one.
func usedBy(path, server string) time.Duration {
	const (
		tick = 10 * time.Millisecond
		// Among the fields behind the name; times are of user and system, and the same of those processes that have ended.
		parent, first, ended, last = 1, 11, 13, 15
	)
	text, err := os.ReadFile(path)
	if err != nil {
		return 0 // it has ended meanwhile
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < last {
		return 0
	}
	times := fields[first:last]
	if filepath.Base(filepath.Dir(path)) != server {
		if times = fields[first:ended]; fields[parent] != server {
			return 0
		}
	}
	ticks := 0
	for _, text := range times {
		n, err := strconv.Atoi(text)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return time.Duration(ticks) * tick
}

// each is what one of so many answers cost since then.
func (c cost) each(since cost, answers int) cost {
	return cost{program: (c.program - since.program) / time.Duration(answers), database: (c.database - since.database) / time.Duration(answers)}
}

func (c cost) String() string {
	if c.database == 0 {
		return fmt.Sprintf("%.1f ms", ms(c.program))
	}
	return fmt.Sprintf("%.1f+%.1f ms", ms(c.program), ms(c.database))
}
