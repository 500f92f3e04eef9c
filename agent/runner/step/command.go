package step

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

const shell = "/bin/sh"

// Source is the name of the runner's companion, which fetches sources.
const Source = "seatrial-source"

// IsSource tells the step that fetches the source.
func IsSource(s *runnerv1.Step) bool {
	return s.GetScript() == "" && len(s.GetCommand()) > 0 && strings.HasSuffix(s.GetCommand()[0], "/"+Source)
}

// Places are the directories a step is run with.
type Places struct {
	Workspace string
	Scripts   string // where scripts are written
	Binaries  string // where the runner's companions are
}

// Dir is where a step works.
func (at Places) Dir(s *runnerv1.Step) string {
	if d := s.GetWorkingDir(); filepath.IsAbs(d) {
		return d
	}
	return filepath.Join(at.Workspace, s.GetWorkingDir())
}

// Prepare returns the command of a step. Its errors are sentences for the person who wrote the workflow.
func Prepare(s *runnerv1.Step, e *Env, expand Expand, at Places) (Command, error) {
	c := Command{Env: e.List(), Dir: at.Dir(s)}
	if info, err := os.Stat(c.Dir); err != nil || !info.IsDir() {
		return c, fmt.Errorf("working directory %s does not exist", c.Dir)
	}
	if s.GetScript() != "" {
		return c, script(&c, s, expand, at.Scripts)
	}
	for _, word := range s.GetCommand() {
		text, err := expand(word)
		if err != nil {
			return c, fmt.Errorf("command: %w", err)
		}
		c.Args = append(c.Args, text)
	}
	if IsSource(s) {
		c.Path = filepath.Join(at.Binaries, Source)
		return c, nil
	}
	var err error
	c.Path, err = lookup(c.Args[0], c.Dir, e)
	return c, err
}

func script(c *Command, s *runnerv1.Step, expand Expand, dir string) error {
	text, err := expand(s.GetScript())
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	if _, err := os.Stat(shell); err != nil {
		return errors.New("the image has no /bin/sh, which run needs: use command instead, or an image with a shell")
	}
	file := filepath.Join(dir, fmt.Sprintf("step-%d.sh", s.GetIndex()))
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil { //nolint:gosec // G306: a script
		return fmt.Errorf("write script: %w", err)
	}
	c.Path, c.Args = shell, []string{shell, "-e", file}
	return nil
}

// lookup finds a program as a shell would, with the PATH of the step.
func lookup(name, dir string, e *Env) (string, error) {
	if name == "" {
		return "", errors.New("the command is empty")
	}
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		return name, executable(name)
	}
	list, _ := e.Lookup("PATH")
	var denied error
	for _, p := range filepath.SplitList(list) {
		if !filepath.IsAbs(p) {
			p = filepath.Join(dir, p)
		}
		file := filepath.Join(p, name)
		err := executable(file)
		if err == nil {
			return file, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			denied = err
		}
	}
	if denied != nil {
		return "", denied
	}
	return "", fmt.Errorf("command %q was not found in the image: PATH is %s", name, list)
}

func executable(file string) error {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("command %s does not exist in the image: %w", file, fs.ErrNotExist)
	case err != nil:
		return fmt.Errorf("command %s cannot be run: %w", file, err)
	case info.IsDir():
		return fmt.Errorf("command %s is a directory", file)
	case info.Mode()&0o111 == 0:
		return fmt.Errorf("command %s is not executable: set its execute permission, or run it by its interpreter", file)
	}
	return nil
}

// Explain turns an error of starting a command into a sentence.
func Explain(c Command, err error) string {
	switch {
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Sprintf("command %s is not a program for this node: wrong architecture, or a script without a #! line", c.Path)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("command %s cannot be started: its interpreter or loader is missing from the image", c.Path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("command %s cannot be started: the user of the container may not execute it", c.Path)
	default:
		return fmt.Sprintf("command %s cannot be started: %v", c.Path, err)
	}
}
