// Package state is what the containers of one attempt share: whose turn it is, how each step stands, whether to stop.
//
// It is a directory on the pod's emptyDir. A fact is a file that appears whole, by rename or link, and is never changed by anybody
// but its writer; whoever waits is woken by inotify.
package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// Containers of a pod may run as different users.
const (
	dirMode  = 0o777
	fileMode = 0o666
)

// A test may fill the disk. The result must still find room, so some is kept aside until it is needed.
const reserveSize = 64 << 10

// Dir is the shared state of an attempt.
type Dir struct{ path, reserve string }

// Open returns the state kept in a directory, which is made when it does not exist. Close it in the end.
func Open(path string) (*Dir, error) {
	if err := os.MkdirAll(path, dirMode); err != nil {
		return nil, fmt.Errorf("open shared state: %w", err)
	}
	f, err := os.CreateTemp(path, ".reserve.*")
	if err != nil {
		return nil, fmt.Errorf("open shared state: %w", err)
	}
	_, err = f.Write(make([]byte, reserveSize))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("open shared state: %w", err)
	}
	return &Dir{path, f.Name()}, nil
}

// Close gives the disk space back that was kept aside. What was recorded stays.
func (d *Dir) Close() error {
	if err := os.Remove(d.reserve); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("close shared state: %w", err)
	}
	return nil
}

// Start returns when the attempt began: the time that the first caller gave.
func (d *Dir) Start(now time.Time) (time.Time, error) {
	if _, err := d.create("started", timestamppb.New(now)); err != nil {
		return time.Time{}, err
	}
	var at timestamppb.Timestamp
	if _, err := d.read("started", &at); err != nil {
		return time.Time{}, err
	}
	return at.AsTime(), nil
}

// Claim reserves a step: only one caller ever gets true, and it must bring the step to its end.
func (d *Dir) Claim(index int, container string) (bool, error) {
	return d.create("claim-"+strconv.Itoa(index), &runnerv1.Hello{Container: container})
}

// Claimed returns the container that has claimed a step, empty when none has.
func (d *Dir) Claimed(index int) (string, error) {
	var h runnerv1.Hello
	_, err := d.read("claim-"+strconv.Itoa(index), &h)
	return h.GetContainer(), err
}

// SetStep replaces the snapshot of a step. Only who claimed it may call this.
func (d *Dir) SetStep(s *runnerv1.StepState) error {
	return d.replace("step-"+strconv.Itoa(int(s.GetIndex())), s)
}

// Step returns the snapshot of a step, nil when there is none yet.
func (d *Dir) Step(index int) (*runnerv1.StepState, error) {
	s := &runnerv1.StepState{}
	ok, err := d.read("step-"+strconv.Itoa(index), s)
	if err != nil || !ok {
		return nil, err
	}
	return s, nil
}

// SetOutputs records what a step has given to those after it. Only who claimed the step may call this.
func (d *Dir) SetOutputs(index int, o *runnerv1.Outputs) error {
	return d.replace("outputs-"+strconv.Itoa(index), o)
}

// Outputs returns what a step has given, empty when it has given nothing.
func (d *Dir) Outputs(index int) (*runnerv1.Outputs, error) {
	o := &runnerv1.Outputs{}
	_, err := d.read("outputs-"+strconv.Itoa(index), o)
	return o, err
}

// ClaimSources reserves the writing of the source files and returns the container that has it, the first that asked: it must call
// SetSources.
func (d *Dir) ClaimSources(container string) (writer string, err error) {
	if _, err := d.create("sources-claim", &runnerv1.Hello{Container: container}); err != nil {
		return "", err
	}
	var h runnerv1.Hello
	_, err = d.read("sources-claim", &h)
	return h.GetContainer(), err
}

// SetSources records that the source files are written, or why they could not be.
func (d *Dir) SetSources(fault error) error {
	done := &runnerv1.Finished{}
	if fault != nil {
		done.Reason = fault.Error()
	}
	return d.replace("sources", done)
}

// Sources returns whether the source files are written, or were given up for a reason.
func (d *Dir) Sources() (done bool, fault string, err error) {
	f := &runnerv1.Finished{}
	done, err = d.read("sources", f)
	return done, f.GetReason(), err
}

// SetShardFiles records which test files are this shard's. What was recorded first stays; only one caller ever gets true.
func (d *Dir) SetShardFiles(files []string) (bool, error) {
	return d.create("shard", &runnerv1.Shard{Files: files})
}

// ShardFiles returns the test files of this shard, and whether they are known.
func (d *Dir) ShardFiles() (files []string, known bool, err error) {
	s := &runnerv1.Shard{}
	known, err = d.read("shard", s)
	return s.GetFiles(), known, err
}

// Cancel asks every container to stop. The first reason stays.
func (d *Dir) Cancel(c *runnerv1.Cancel) error {
	_, err := d.create("cancel", c)
	return err
}

// Cancelled returns the request to stop, nil when there is none.
func (d *Dir) Cancelled() (*runnerv1.Cancel, error) {
	c := &runnerv1.Cancel{}
	ok, err := d.read("cancel", c)
	if err != nil || !ok {
		return nil, err
	}
	return c, nil
}

// Resume lets a step go on that waits for a person or for other executions, or that will. The first word stays.
func (d *Dir) Resume(r *runnerv1.Resume) error {
	_, err := d.create("resume-"+strconv.Itoa(int(r.GetStepIndex())), r)
	return err
}

// Resumed returns the word that lets a step go on, nil when there is none.
func (d *Dir) Resumed(index int) (*runnerv1.Resume, error) {
	r := &runnerv1.Resume{}
	ok, err := d.read("resume-"+strconv.Itoa(index), r)
	if err != nil || !ok {
		return nil, err
	}
	return r, nil
}

// Finish records the end of the attempt; only one caller ever gets true, and it must report it.
func (d *Dir) Finish(f *runnerv1.Finished) (bool, error) { return d.create("finished", f) }

// Finished returns the end of the attempt, nil while it goes on.
func (d *Dir) Finished() (*runnerv1.Finished, error) {
	f := &runnerv1.Finished{}
	ok, err := d.read("finished", f)
	if err != nil || !ok {
		return nil, err
	}
	return f, nil
}

// Terminal reports whether a step has ended.
func Terminal(s *runnerv1.StepState) bool {
	switch s.GetStatus() {
	case runnerv1.StepStatus_STEP_STATUS_UNSPECIFIED, runnerv1.StepStatus_STEP_STATUS_WAITING, runnerv1.StepStatus_STEP_STATUS_RUNNING,
		runnerv1.StepStatus_STEP_STATUS_PAUSED:
		return false
	default:
		return true
	}
}

// create writes a fact unless it exists; link fails when it does, however many try.
func (d *Dir) create(name string, m proto.Message) (bool, error) {
	tmp, err := d.write(name, m)
	if err != nil {
		return false, err
	}
	defer os.Remove(tmp) //nolint:errcheck // a leftover is harmless: names of facts have no dot
	err = os.Link(tmp, filepath.Join(d.path, name))
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("record %s: %w", name, err)
	}
	return true, nil
}

func (d *Dir) replace(name string, m proto.Message) error {
	tmp, err := d.write(name, m)
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, filepath.Join(d.path, name)); err != nil {
		return fmt.Errorf("record %s: %w", name, err)
	}
	return nil
}

func (d *Dir) write(name string, m proto.Message) (string, error) {
	b, err := proto.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("record %s: %w", name, err)
	}
	tmp, err := d.writeFile(name, b)
	if errors.Is(err, syscall.ENOSPC) && os.Remove(d.reserve) == nil {
		return d.writeFile(name, b)
	}
	return tmp, err
}

func (d *Dir) writeFile(name string, b []byte) (string, error) {
	f, err := os.CreateTemp(d.path, "."+name+".*")
	if err != nil {
		return "", fmt.Errorf("record %s: %w", name, err)
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Chmod(fileMode), f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return "", fmt.Errorf("record %s: %w", name, err)
	}
	return f.Name(), nil
}

func (d *Dir) read(name string, into proto.Message) (bool, error) {
	b, err := os.ReadFile(filepath.Join(d.path, name)) //nolint:gosec // G304: names of facts are ours
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read %s: %w", name, err)
	}
	if err := proto.Unmarshal(b, into); err != nil {
		return false, fmt.Errorf("read %s: %w", name, err)
	}
	return true, nil
}
