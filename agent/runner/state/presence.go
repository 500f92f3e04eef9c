package state

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// Presence proves to the other containers that this one lives: it holds the writing end of a named pipe, which the kernel closes
// when the process ends in whatever way.
type Presence struct{ pipe *os.File }

// Announce makes a container's presence known.
func (d *Dir) Announce(container string) (*Presence, error) {
	tmp := filepath.Join(d.path, ".alive-"+container)
	if err := syscall.Mkfifo(tmp, fileMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("announce container: %w", err)
	}
	// Open before it has its name: whoever finds it finds it held.
	pipe, err := os.OpenFile(tmp, os.O_RDWR, 0) //nolint:gosec // G304: names of facts are ours
	if err != nil {
		return nil, fmt.Errorf("announce container: %w", err)
	}
	if err := os.Rename(tmp, filepath.Join(d.path, "alive-"+container)); err != nil {
		return nil, errors.Join(fmt.Errorf("announce container: %w", err), pipe.Close())
	}
	return &Presence{pipe}, nil
}

// Close ends the presence, as the end of the process does.
func (p *Presence) Close() error {
	if err := p.pipe.Close(); err != nil {
		return fmt.Errorf("end presence: %w", err)
	}
	return nil
}

// Vigil waits for the end of another container's presence.
type Vigil struct {
	pipe *os.File
	gone chan struct{}
	done chan struct{}
}

// Attend starts a vigil; it returns nil when the container has never announced itself. Close ends it.
func (d *Dir) Attend(container string) (*Vigil, error) {
	pipe, err := os.OpenFile(filepath.Join(d.path, "alive-"+container), os.O_RDONLY|syscall.O_NONBLOCK, 0) //nolint:gosec // G304: names of facts are ours
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // nobody to wait for
	}
	if err != nil {
		return nil, fmt.Errorf("attend to container: %w", err)
	}
	v := &Vigil{pipe: pipe, gone: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(v.done)
		// Nobody writes: the only thing to read is the end, which comes when nobody holds the other end.
		if _, err := io.Copy(io.Discard, pipe); err == nil {
			close(v.gone)
		}
	}()
	return v, nil
}

// Gone returns a channel that is closed when the container is no more.
func (v *Vigil) Gone() <-chan struct{} { return v.gone }

// Close ends the vigil and returns when it has.
func (v *Vigil) Close() error {
	err := v.pipe.Close()
	<-v.done
	if err != nil {
		return fmt.Errorf("end vigil: %w", err)
	}
	return nil
}

// Bury reserves the step of a container that is gone, whether it had claimed it or not: only one caller ever gets true, and it must
// bring the step to its end.
func (d *Dir) Bury(index int, container, gone string) (bool, error) {
	if won, err := d.Claim(index, container); won || err != nil {
		return won, err
	}
	if owner, err := d.Claimed(index); err != nil || owner != gone {
		return false, err // somebody who lives has it
	}
	return d.create("buried-"+strconv.Itoa(index), &runnerv1.Hello{Container: container})
}
