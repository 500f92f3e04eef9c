package app

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// By then the agent has started, enrolled and filled its caches.
const trimAfter = 45 * time.Second

// trim gives back, once, what only the start needed. The tables of hundreds of Kubernetes types are initialized then and hardly
// touched again, yet they would stay resident for as long as the agent lives, which is most of what an idle agent takes.
func trim(ctx context.Context, log *slog.Logger) {
	timer := time.NewTimer(trimAfter)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return
	case <-timer.C:
	}
	debug.FreeOSMemory()
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		log.DebugContext(ctx, "memory not given back", "error", err)
		return
	}
	defer maps.Close() //nolint:errcheck // read only
	if err := releaseProgram(maps); err != nil {
		log.DebugContext(ctx, "memory not given back", "error", err)
	}
}

// releaseProgram drops the pages of the program file that cannot have been written to: the kernel reads them again when they are used.
func releaseProgram(maps io.Reader) error {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("find the program: %w", err)
	}
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var from, to uintptr
		var mode string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &mode); err != nil {
			return fmt.Errorf("read the memory map: %w", err)
		}
		if !strings.HasSuffix(lines.Text(), " "+self) || strings.Contains(mode, "w") {
			continue
		}
		if _, _, code := syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_DONTNEED); code != 0 {
			return fmt.Errorf("give memory back: %w", code)
		}
	}
	return nil
}
