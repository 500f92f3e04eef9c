package cmd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// exchange returns the text of a file with another text in the place of a document. Documents that follow may have been exchanged already.
// Nothing else of the file changes: otherwise it is an error.
func exchange(d document, whole, text string) (string, error) {
	lines := strings.SplitAfter(whole, "\n")
	end := int(d.line) + strings.Count(d.text, "\n")
	if !strings.HasSuffix(d.text, "\n") {
		end++ // it ends with the file
	}
	if end > len(lines) || strings.Join(lines[d.line:end], "") != d.text {
		return "", errors.New("the document is not where it was: nothing was signed")
	}
	out := strings.Join(lines[:d.line], "") + text + strings.Join(lines[end:], "")
	before, after := split(d.file, []byte(whole)), split(d.file, []byte(out))
	if len(before) != len(after) {
		return "", fmt.Errorf("it would have %d documents afterwards and has %d: nothing was signed", len(after), len(before))
	}
	for i := range before {
		if before[i].line != d.line && before[i].text != after[i].text {
			return "", errors.New("another document of it would change: nothing was signed")
		}
	}
	return out, nil
}

// writeSigned writes files that are still as they were read; all are looked at before the first is written.
func (a *app) writeSigned(subjects []subject, written map[string]string) error {
	for _, one := range subjects {
		if _, ok := written[one.file]; !ok || one.file == "-" {
			continue
		}
		if now, err := os.ReadFile(one.file); err != nil || string(now) != one.whole {
			return errors.Join(fmt.Errorf("%s has changed while it was signed: nothing was written, try again", one.file), err)
		}
	}
	for file, text := range written {
		if file == "-" {
			if _, err := io.WriteString(a.Out, text); err != nil {
				return err
			}
			continue
		}
		if err := replaceFile(same(file), text); err != nil {
			return err
		}
	}
	return nil
}

// replaceFile writes a file anew as a whole: whoever reads it, or breaks this off, has the old text or the new one.
func replaceFile(name, text string) (err error) {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	fresh, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*.part")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(fresh.Name()))
		}
	}()
	_, err = fresh.WriteString(text)
	if err == nil {
		err = fresh.Chmod(info.Mode().Perm())
	}
	if err = errors.Join(err, fresh.Close()); err != nil {
		return err
	}
	return os.Rename(fresh.Name(), name)
}
