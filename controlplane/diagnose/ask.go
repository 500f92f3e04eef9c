package diagnose

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// Client asks the replica that listens on a socket.
type Client struct {
	path  string
	calls *http.Client
}

// At returns a client for a socket.
func At(path string) *Client {
	return &Client{path, &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
	}}}
}

// Profile writes a profile of one of the Kinds; seconds count for those that take time.
func (c *Client) Profile(ctx context.Context, to io.Writer, kind string, seconds int) error {
	return c.get(ctx, to, fmt.Sprintf("/profile/%s?seconds=%d", kind, seconds))
}

// Bundle writes a zip file with what is needed to find out why a replica is as it is: what it says of itself, metrics, the stacks of all
// goroutines, and profiles of memory and, for some seconds, of time.
func (c *Client) Bundle(ctx context.Context, to io.Writer, seconds int) error {
	all := zip.NewWriter(to)
	for _, part := range [][2]string{
		{"about.json", "/about"},
		{"metrics.txt", "/metrics"},
		{"goroutines.txt", "/profile/goroutine?text=1"},
		{"heap.pprof", "/profile/heap"},
		{"mutex.pprof", fmt.Sprintf("/profile/mutex?seconds=%d", seconds)},
		{"cpu.pprof", fmt.Sprintf("/profile/cpu?seconds=%d", seconds)},
	} {
		w, err := all.Create(part[0])
		if err != nil {
			return fmt.Errorf("write %s: %w", part[0], err)
		}
		if err := c.get(ctx, w, part[1]); err != nil {
			return err
		}
	}
	if err := all.Close(); err != nil {
		return fmt.Errorf("write the bundle: %w", err)
	}
	return nil
}

func (c *Client) get(ctx context.Context, to io.Writer, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://replica"+path, http.NoBody)
	if err != nil {
		return fmt.Errorf("ask for %s: %w", path, err)
	}
	answer, err := c.calls.Do(req)
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fault.New(fault.NotFound, "no control plane runs over this data folder: nothing listens on %s", c.path).
			WithHint("Run the command where the control plane runs, with the same --data-dir.")
	case errors.Is(err, os.ErrPermission):
		return fault.New(fault.Forbidden, "%s is of another user", c.path).WithHint("Run the command as the user of the control plane.")
	case err != nil:
		return fmt.Errorf("ask the replica: %w", err)
	}
	defer answer.Body.Close() //nolint:errcheck // it was only read
	if answer.StatusCode != http.StatusOK {
		const sentence = 1000
		why, _ := io.ReadAll(io.LimitReader(answer.Body, sentence)) // what there is of it
		return fault.New(fault.Invalid, "%s", strings.TrimSpace(string(why)))
	}
	if _, err := io.Copy(to, answer.Body); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}
