package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// watchMemory follows the processes of the agent and of the runner in a pod; peak ends that and returns the most KiB that either has
// held at once. Processes are found anew each time: they may be killed meanwhile.
func (a *agent) watchMemory(t *testing.T, pod string) (peak func() (runner, agent int)) {
	t.Helper()
	var runner, agent int
	look := func() {
		for dir, host := range hostnames() {
			switch program := executable(dir); {
			case host == pod && program == "seatrial-runner":
				runner = max(runner, peakKiB(dir))
			case strings.HasPrefix(host, a.release+"-") && program == "seatrial-agent":
				agent = max(agent, peakKiB(dir))
			}
		}
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		again := time.NewTicker(500 * time.Millisecond)
		defer again.Stop()
		for {
			look()
			select {
			case <-stop:
				return
			case <-again.C:
			}
		}
	}()
	return func() (int, int) {
		close(stop)
		<-done
		if runner == 0 || agent == 0 {
			t.Errorf("the processes of the runner (%d KiB) and the agent (%d KiB) were not found", runner, agent)
		}
		return runner, agent
	}
}

// hostnames returns the host names of this machine's processes by their folders in /proc; in pods they are the names of those.
func hostnames() map[string]string {
	out := map[string]string{}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		environment, _ := os.ReadFile(filepath.Join(dir, "environ")) // gone meanwhile, perhaps
		for variable := range strings.SplitSeq(string(environment), "\x00") {
			if host, ok := strings.CutPrefix(variable, "HOSTNAME="); ok {
				out[dir] = host
				break
			}
		}
	}
	return out
}

func executable(dir string) string {
	path, _ := os.Readlink(filepath.Join(dir, "exe"))
	return filepath.Base(path)
}

func peakKiB(dir string) int {
	status, _ := os.ReadFile(filepath.Join(dir, "status"))
	for line := range strings.Lines(string(status)) {
		var kib int
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
			return kib
		}
	}
	return 0
}
