package document

import (
	"compress/gzip"
	"fmt"
	"io"
)

// MaxPacked is how much files and scripts may hold. The plan of an attempt travels in an annotation of its pod, of which
// Kubernetes takes 256 KiB in all. Compressed and written as text it must leave room for the others.
const MaxPacked = 150 << 10

// PackedSize returns the compressed size of files and scripts together.
func PackedSize(files []File, scripts []string) int {
	var size counter
	z := gzip.NewWriter(&size)
	// Writing to a counter never fails.
	write := func(s string) { _, _ = io.WriteString(z, s) }
	for _, f := range files {
		write(f.Path)
		write(f.Content)
	}
	for _, s := range scripts {
		write(s)
	}
	_ = z.Close()
	return int(size)
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// TooLarge words that a size is too large.
func TooLarge(size int) string {
	return fmt.Sprintf("files and scripts have %d KiB once compressed; the limit is %d KiB together: fetch them with source.git",
		size>>10, MaxPacked>>10)
}
