package spool

import "golang.org/x/sys/unix"

// free gives the disk back what is before a stream offset, up to a mark, so that lines after it can still be numbered. A file
// system without holes keeps all. The caller holds the lock.
func (s *Spool) free(before int64) {
	to := s.before(before)
	for _, g := range s.segments {
		from, end := max(g.start, s.freed.offset), min(g.start+g.length, to.offset)
		if g.file < 0 || from >= end {
			continue
		}
		fd := int(s.file.Fd())
		if unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, g.file+from-g.start, end-from) != nil {
			return
		}
	}
	if to.offset > s.freed.offset {
		s.freed = to
	}
}

// gone returns how many bytes from offset on are no longer on the disk.
func (s *Spool) gone(offset int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.freed.offset - offset
}
