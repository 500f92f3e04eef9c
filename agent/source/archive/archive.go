// Package archive unpacks tar archives, compressed with gzip or zstd or not at all, whoever made them: nothing is written outside of
// the folder, and neither devices nor endless lists of names are made.
package archive

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/seatrial/seatrial/agent/source/folder"
)

// maxEntries bounds how many names an archive may hold.
const maxEntries = 1_000_000

const (
	// maxBytes bounds what the files of an archive have together, so that a small archive cannot fill a node.
	maxBytes = 64 << 30

	maxName = 4096 // of Linux (PATH_MAX in limits.h)
	shown   = 200  // bytes of a name in a message
)

// windowLimit in bytes is that of zstd --long, its most common use.
const windowLimit = 128 << 20

// Error is a fault of an archive, as the end of a sentence about it.
type Error struct{ Text string }

// Error returns the text.
func (e *Error) Error() string { return e.Text }

func wrong(format string, args ...any) error { return &Error{Text: fmt.Sprintf(format, args...)} }

// Unpack writes the files of an archive into a folder, without the first strip folders of their names; names that are not deeper are
// left out. It returns how many files it wrote. Faults of the archive are *Error.
func Unpack(root *os.Root, from io.Reader, strip int) (files int, err error) {
	plain, done, err := decompress(from)
	if err != nil {
		return 0, err
	}
	defer done()
	u := &unpacker{root: root, strip: strip}
	archive := tar.NewReader(plain)
	for n := 0; ; n++ {
		header, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF) && u.files == 0 && n > 0 && strip > 0:
			return 0, wrong("has no file below %d folders, which strip leaves out", strip)
		case errors.Is(err, io.EOF):
			// the sum of the compression stands behind the end of the archive
			if _, err := io.Copy(io.Discard, plain); err != nil {
				return u.files, broken(err)
			}
			return u.files, nil
		case err != nil:
			return u.files, broken(err)
		case n >= maxEntries:
			return u.files, wrong("has more than %d files and folders", maxEntries)
		}
		if err := u.entry(header, archive); err != nil {
			return u.files, err
		}
	}
}

// broken words what the readers of archives find; faults of the system below them stay as they are.
func broken(err error) error {
	var path *fs.PathError
	switch {
	case errors.As(err, &path):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return wrong("is cut off")
	}
	return wrong("is damaged: %v", err)
}

// By these bytes kinds of files are known (RFC 1952, RFC 8878, POSIX.1-1988).
const (
	gzipMagic = "\x1f\x8b"
	zstdMagic = "\x28\xb5\x2f\xfd"
	tarMagic  = "ustar"
)

// Where a tar archive says that it is one (POSIX.1-1988, ustar header).
const (
	tarMagicAt = 257
	tarBlock   = 512
)

// decompress tells by the first bytes what an archive is.
func decompress(from io.Reader) (plain io.Reader, done func(), err error) {
	begin := bufio.NewReader(from)
	first, err := begin.Peek(tarBlock)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("read the archive: %w", err)
	}
	nothing := func() {}
	switch {
	case bytes.HasPrefix(first, []byte(gzipMagic)):
		unzip, err := gzip.NewReader(begin)
		if err != nil {
			return nil, nil, broken(err)
		}
		return unzip, nothing, nil
	case bytes.HasPrefix(first, []byte(zstdMagic)):
		unzip, err := zstd.NewReader(begin, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(windowLimit))
		if err != nil {
			return nil, nil, broken(err)
		}
		return unzip, unzip.Close, nil
	case len(first) == tarBlock && (bytes.HasPrefix(first[tarMagicAt:], []byte(tarMagic)) || !slices.ContainsFunc(first, func(b byte) bool { return b != 0 })):
		return begin, nothing, nil
	}
	return nil, nil, wrong("is not a tar archive, nor one compressed with gzip or zstd%s", looksLike(first))
}

func looksLike(first []byte) string {
	for magic, name := range map[string]string{"PK\x03\x04": "zip archive", "\xfd7zXZ": "xz archive", "BZh": "bzip2 archive", "<": "web page"} {
		if bytes.HasPrefix(bytes.TrimLeft(first, " \r\n\t"), []byte(magic)) {
			return ": it looks like a " + name
		}
	}
	if len(first) == 0 {
		return ": it is empty"
	}
	return ""
}

type unpacker struct {
	root  *os.Root
	strip int
	files int
	bytes int64
}

func (u *unpacker) entry(h *tar.Header, content io.Reader) error {
	if h.Typeflag == tar.TypeXGlobalHeader { // git archive writes one
		return nil
	}
	name, err := u.name(h.Name)
	if err != nil || name == "." {
		return err
	}
	from := &source{from: content}
	err = u.write(h, name, from)
	var own *Error
	switch {
	case err == nil, errors.As(err, &own):
		return err
	case from.err != nil:
		return broken(from.err)
	}
	return fmt.Errorf("write %s: %w", short(name), err)
}

// source remembers why it could not be read: that is a fault of the archive, and not of the disk.
type source struct {
	from io.Reader
	err  error
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err //nolint:wrapcheck // as it says
}

func short(name string) string {
	if len(name) <= shown {
		return name
	}
	return strings.ToValidUTF8(name[:shown], "") + "…"
}

// name is where an entry goes; "." when it is left out.
func (u *unpacker) name(name string) (string, error) {
	parts := strings.Split(name, "/")
	switch {
	case len(name) > maxName:
		return "", wrong("holds a name of %d bytes: %q", len(name), short(name))
	case strings.HasPrefix(name, "/"), slices.Contains(parts, ".."), strings.ContainsRune(name, 0):
		return "", wrong("holds the name %q, which is outside of its folder", short(name))
	case strings.HasPrefix(path.Base(name), ".wh."): // OCI image specification, "Whiteouts"
		return "", wrong("is a layer of an image in which %q is deleted: only artifacts and images of one layer can be unpacked", short(name))
	}
	clean := path.Clean(name)
	if u.strip == 0 || clean == "." {
		return clean, nil
	}
	parts = strings.Split(clean, "/")
	if len(parts) <= u.strip {
		return ".", nil
	}
	return path.Join(parts[u.strip:]...), nil
}

func (u *unpacker) write(h *tar.Header, name string, content io.Reader) error {
	switch h.Typeflag {
	case tar.TypeDir:
		return folder.Make(u.root, name)
	case tar.TypeReg, tar.TypeGNUSparse:
		if u.bytes += h.Size; u.bytes > maxBytes {
			return wrong("has files of more than %d GiB", maxBytes>>30)
		}
		mode := folder.Plain
		if h.Mode&0o111 != 0 {
			mode = folder.Executable
		}
		u.files++
		return folder.Write(u.root, name, content, mode, h.ModTime)
	case tar.TypeSymlink, tar.TypeLink:
		if err := folder.Make(u.root, path.Dir(name)); err != nil {
			return err
		}
		u.files++
		if h.Typeflag == tar.TypeSymlink {
			return folder.Symlink(u.root, h.Linkname, name)
		}
		target, err := u.name(h.Linkname)
		if err != nil {
			return err
		}
		if target == "." {
			return wrong("holds the link %q to %q, which strip leaves out", short(h.Name), short(h.Linkname))
		}
		return folder.Link(u.root, target, name)
	default:
		return wrong("holds %q, which is neither a file nor a folder nor a link", short(name))
	}
}
