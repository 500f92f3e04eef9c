package redact

import "io"

const readSize = 32 << 10

// Reader reads a stream with its secrets hidden.
type Reader struct {
	src   io.Reader
	r     *Redactor
	buf   []byte
	ready []byte // redacted, not yet read
	err   error
}

// NewReader returns a reader of src that hides what the set has.
func NewReader(src io.Reader, s *Set) *Reader {
	return &Reader{src: src, r: s.Stream(), buf: make([]byte, readSize)}
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	for len(r.ready) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		n, err := r.src.Read(r.buf)
		r.ready = r.r.Append(r.ready[:0], r.buf[:n])
		if err != nil {
			r.err = err
			r.ready = r.r.Flush(r.ready)
		}
	}
	n := copy(p, r.ready)
	r.ready = r.ready[n:]
	return n, nil
}
