package git

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// maxObjects is how many objects a commit may have.
const maxObjects = 200_000

var errTooLong = errors.New("an object is longer than it says")

// measure refuses a pack whose objects would take too much memory. Nothing is kept of what it expands.
func measure(pack []byte) error {
	broken := func(err error) error {
		return fault.Wrap(fault.Unavailable, err, "the git server sends something that is no pack")
	}
	scanner := packfile.NewScanner(bytes.NewReader(pack))
	_, count, err := scanner.Header()
	if err != nil {
		return broken(err)
	}
	if count > maxObjects {
		return fault.New(fault.Exhausted, "the commit has %d objects, more than %d", count, maxObjects)
	}
	var total uint64
	for range count {
		h, err := scanner.NextObjectHeader()
		if err != nil {
			return broken(err)
		}
		out := &counting{left: h.Length}
		if total += uint64(max(h.Length, 0)); total > MaxExpanded {
			return tooLarge()
		}
		if _, _, err := scanner.NextObject(out); err != nil {
			return broken(err)
		}
		if h.Type == plumbing.OFSDeltaObject || h.Type == plumbing.REFDeltaObject {
			made, err := deltaSize(out.head)
			if err != nil {
				return broken(err)
			}
			if total += made; made > MaxExpanded || total > MaxExpanded {
				return tooLarge()
			}
		}
	}
	return nil
}

func tooLarge() error {
	return fault.New(fault.Exhausted, "the files of the commit have more than %d MiB", MaxExpanded>>20).
		WithHint("Keep the documents in a repository without large files.")
}

// deltaSize returns the size of what a delta makes: the second number at its begin.
func deltaSize(head []byte) (uint64, error) {
	_, n := binary.Uvarint(head)
	if n <= 0 {
		return 0, fmt.Errorf("a delta of %d bytes", len(head)) //nolint:err113 // a detail of a fault
	}
	made, n := binary.Uvarint(head[n:])
	if n <= 0 {
		return 0, fmt.Errorf("a delta of %d bytes", len(head)) //nolint:err113 // a detail of a fault
	}
	return made, nil
}

// counting keeps the first bytes of an object, and ends one that is longer than it says.
type counting struct {
	left int64
	head []byte
}

// Write implements io.Writer.
func (c *counting) Write(p []byte) (int, error) {
	if c.left -= int64(len(p)); c.left < 0 {
		return 0, errTooLong
	}
	if room := 2*binary.MaxVarintLen64 - len(c.head); room > 0 {
		c.head = append(c.head, p[:min(room, len(p))]...)
	}
	return len(p), nil
}
