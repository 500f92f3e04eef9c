package step

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const cgroupRoot = "/sys/fs/cgroup"

// Adopt makes this process the parent of orphans below it, as the first process of a container is anyway.
func Adopt() error {
	return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) //nolint:wrapcheck // nothing to add
}

// childrenOf returns the processes whose parent is pid.
func childrenOf(pid int) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var out []int
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat")); err == nil && parent(stat) == pid {
			out = append(out, child)
		}
	}
	return out
}

// parent reads the parent from a stat line; the name of the process in parentheses may hold anything.
func parent(stat []byte) int {
	_, rest, ok := bytes.Cut(stat[max(0, bytes.LastIndexByte(stat, ')')):], []byte(") "))
	fields := strings.Fields(string(rest))
	if !ok || len(fields) < 2 {
		return 0
	}
	pid, err := strconv.Atoi(fields[1])
	if err != nil {
		return 0
	}
	return pid
}

// oomKills returns how many processes of this container the kernel has killed for memory, 0 when that cannot be known.
func oomKills(root string) int {
	for _, file := range []string{"memory.events", "memory/memory.oom_control"} { // cgroup v2, v1
		text, err := os.ReadFile(filepath.Join(root, file)) //nolint:gosec // G304: a fixed place
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if value, ok := strings.CutPrefix(line, "oom_kill "); ok {
				n, err := strconv.Atoi(strings.TrimSpace(value))
				if err == nil {
					return n
				}
			}
		}
	}
	return 0
}
