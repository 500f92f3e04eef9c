// Package usage measures what the container of a step uses, by what the kernel says of its cgroup: version 2, and version 1.
package usage

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Root is where containers find their cgroup, and Self what says which one it is.
const (
	Root = "/sys/fs/cgroup"
	Self = "/proc/self/cgroup"
)

// reading is what the files of a cgroup say at one moment. What cannot be read is negative.
type reading struct {
	cpu, throttled time.Duration // since the cgroup was made
	memory         int64         // without what the kernel can take back at once
	read, written  int64         // bytes, since the cgroup was made
}

// source reads a cgroup.
type source interface {
	read() reading
}

var (
	errNone  = errors.New("the files of its cgroup cannot be read")
	errWhole = errors.New("its container has no cgroup of its own, so its numbers would be those of the whole machine")
)

// find returns the cgroup of this process.
func find(root, self string) (source, error) {
	text, err := os.ReadFile(self) //nolint:gosec // G304: a fixed place
	if err != nil {
		return nil, errNone
	}
	places := memberships(string(text))
	if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); err == nil {
		dir := below(root, places[""])
		// The topmost cgroup, which is the machine, is the only one without this file.
		if _, err := os.Stat(filepath.Join(dir, "cgroup.type")); errors.Is(err, fs.ErrNotExist) {
			return nil, errWhole
		}
		return two{dir}, nil
	}
	one := one{
		cpuacct: controller(root, places, "cpuacct"), cpu: controller(root, places, "cpu"),
		memory: controller(root, places, "memory"), blkio: controller(root, places, "blkio"),
	}
	if one.cpuacct == "" && one.memory == "" {
		return nil, errNone
	}
	return one, nil
}

// memberships reads /proc/PID/cgroup: the path of each controller of version 1, and that of version 2 under "".
func memberships(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for name := range strings.SplitSeq(parts[1], ",") {
			out[name] = parts[2]
		}
	}
	return out
}

// below returns the folder of a path below a mount. In a container the mount may show its own cgroup as the topmost, while the path is
// that on the machine.
func below(mount, path string) string {
	if dir := filepath.Join(mount, filepath.Clean("/"+path)); path != "" && isDir(dir) {
		return dir
	}
	return mount
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// controller returns the folder of a controller of version 1, "" when it is not mounted.
func controller(root string, places map[string]string, name string) string {
	for _, mount := range []string{name, "cpu,cpuacct", "cpuacct,cpu"} {
		if mount != name && !strings.Contains(mount, name) {
			continue
		}
		if dir := filepath.Join(root, mount); isDir(dir) {
			return below(dir, places[name])
		}
	}
	return ""
}

// two is version 2: one folder.
type two struct{ dir string }

func (t two) read() reading {
	cpu := fields(contents(t.dir, "cpu.stat"))
	r := reading{cpu: micros(cpu, "usage_usec"), throttled: micros(cpu, "throttled_usec"), memory: -1, read: -1, written: -1}
	if used, ok := number(contents(t.dir, "memory.current")); ok {
		r.memory = max(0, used-fields(contents(t.dir, "memory.stat"))["inactive_file"])
	}
	if text, err := os.ReadFile(filepath.Join(t.dir, "io.stat")); err == nil {
		r.read, r.written = ioStat(string(text))
	}
	return r
}

// one is version 1: a folder for each controller.
type one struct{ cpuacct, cpu, memory, blkio string }

func (o one) read() reading {
	r := reading{cpu: -1, throttled: -1, memory: -1, read: -1, written: -1}
	if used, ok := number(contents(o.cpuacct, "cpuacct.usage")); ok {
		r.cpu = time.Duration(used)
	}
	if waited, ok := fields(contents(o.cpu, "cpu.stat"))["throttled_time"]; ok {
		r.throttled = time.Duration(waited)
	}
	if used, ok := number(contents(o.memory, "memory.usage_in_bytes")); ok {
		r.memory = max(0, used-fields(contents(o.memory, "memory.stat"))["total_inactive_file"])
	}
	for _, name := range []string{"blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_service_bytes"} {
		if text := contents(o.blkio, name); text != "" {
			r.read, r.written = serviceBytes(text)
			break
		}
	}
	return r
}

// contents returns a file, "" when there is none.
func contents(dir, name string) string {
	if dir == "" {
		return ""
	}
	text, err := os.ReadFile(filepath.Join(dir, name)) //nolint:gosec // G304: a fixed place
	if err != nil {
		return ""
	}
	return string(text)
}

func number(text string) (int64, bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	return n, err == nil && n >= 0
}

// fields reads lines of a name and a number.
func fields(text string) map[string]int64 {
	out := map[string]int64{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, " ")
		if n, ok := number(value); ok {
			out[name] = n
		}
	}
	return out
}

// maxMicros is the most of a microsecond count that a duration can hold.
const maxMicros = int64(1<<63-1) / int64(time.Microsecond)

func micros(from map[string]int64, name string) time.Duration {
	n, ok := from[name]
	if !ok || n > maxMicros {
		return -1
	}
	return time.Duration(n) * time.Microsecond
}

// ioStat adds the devices of io.stat up: "8:0 rbytes=4096 wbytes=0 rios=1 …".
func ioStat(text string) (read, written int64) {
	for line := range strings.Lines(text) {
		for _, cell := range strings.Fields(line) {
			name, value, _ := strings.Cut(cell, "=")
			n, ok := number(value)
			switch {
			case !ok:
			case name == "rbytes":
				read = plus(read, n)
			case name == "wbytes":
				written = plus(written, n)
			}
		}
	}
	return read, written
}

// serviceBytes adds the devices of blkio.throttle.io_service_bytes up: "8:0 Read 4096".
func serviceBytes(text string) (read, written int64) {
	for line := range strings.Lines(text) {
		cells := strings.Fields(line)
		if len(cells) != 3 {
			continue
		}
		n, ok := number(cells[2])
		switch {
		case !ok:
		case cells[1] == "Read":
			read = plus(read, n)
		case cells[1] == "Write":
			written = plus(written, n)
		}
	}
	return read, written
}

// most is what a record says at most of bytes: its readers add.
const most = 1 << 60

// plus adds without running over.
func plus(a, b int64) int64 {
	if b > most-min(a, most) {
		return most
	}
	return a + b
}
