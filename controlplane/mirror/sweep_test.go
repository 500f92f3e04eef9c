package mirror_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/mirror"
	"github.com/seatrial/seatrial/controlplane/mirror/git"
	"github.com/seatrial/seatrial/controlplane/origin"
)

// shelf is a store of repositories that are due, and of what came of reading them.
type shelf struct {
	mirror.Store

	mu    sync.Mutex
	due   [][]string // what each look finds
	asked []int      // how many each look asked for
	looks map[string]origin.Look
	saved func(name string)
	bad   string // whose look cannot be stored
	lost  error  // what renewing a lease answers
}

func (s *shelf) DueRepositories(_ context.Context, limit, _ int, _ time.Duration) (out []origin.Repository, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, limit)
	if len(s.due) == 0 {
		return nil, nil
	}
	for _, name := range s.due[0] {
		out = append(out, origin.Repository{ID: uuid.New(), Name: name, Commit: "c"})
	}
	s.due = s.due[1:]
	return out, nil
}

func (s *shelf) Credential(context.Context, origin.Repository) ([]byte, error) { return nil, nil }

func (s *shelf) RenewRepository(context.Context, uuid.UUID, time.Duration) error { return s.lost }

func (s *shelf) SaveLook(_ context.Context, r origin.Repository, l origin.Look) error {
	s.mu.Lock()
	s.looks[r.Name] = l
	s.mu.Unlock()
	s.saved(r.Name)
	if r.Name == s.bad {
		return errors.New("not stored")
	}
	return nil
}

// servers answer at once, but the slow one when it is let go, or never.
type servers struct{ let chan struct{} }

func (s servers) Read(ctx context.Context, r origin.Repository, _ origin.Credential, _ string) (git.Tree, error) {
	if strings.HasPrefix(r.Name, "slow") {
		select {
		case <-s.let:
		case <-ctx.Done():
			return git.Tree{}, ctx.Err()
		}
	}
	return git.Tree{Commit: "c"}, nil
}

func sweeper(s *shelf, g servers, limit time.Duration) *mirror.Mirror {
	s.looks = map[string]origin.Look{}
	return mirror.New(mirror.Config{Store: s, Git: g, Log: slog.New(slog.DiscardHandler), ReadFor: limit})
}

// TestMirror_SlowRepository: while one repository is slow to read, others are found and read, also those that become due later.
func TestMirror_SlowRepository(t *testing.T) {
	t.Parallel()
	let := make(chan struct{})
	s := &shelf{due: [][]string{{"slow"}, {"quick"}, {"late"}}}
	s.saved = func(name string) {
		if name == "late" {
			close(let)
		}
	}
	m := sweeper(s, servers{let}, time.Minute)
	if err := m.SweepRepositories(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(s.looks) != 3 || s.asked[0] != 8 || s.asked[1] != 7 {
		t.Errorf("%v, asked for %v", s.looks, s.asked)
	}
	for name, l := range s.looks {
		if l.Failure != "" || l.Commit != "c" {
			t.Errorf("%s: %+v", name, l)
		}
	}
}

// TestMirror_Lost: who has lost the lease of a repository stops reading it, and stores nothing of it: another reader has it.
func TestMirror_Lost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{due: [][]string{{"slow"}}, lost: fault.New(fault.Conflict, "the lease is over")}
		m := sweeper(s, servers{make(chan struct{})}, time.Hour)
		begun := time.Now()
		if err := m.SweepRepositories(t.Context()); err == nil || !strings.Contains(err.Error(), "the lease is over") {
			t.Errorf("%v", err)
		}
		if len(s.looks) != 0 || time.Since(begun) > time.Minute {
			t.Errorf("after %s it stores %+v", time.Since(begun), s.looks)
		}
	})
}

// TestMirror_NotStored: what cannot be stored of one repository keeps no others from being read.
func TestMirror_NotStored(t *testing.T) {
	t.Parallel()
	let := make(chan struct{})
	s := &shelf{due: [][]string{{"bad", "slow"}, {}, {"late"}}, bad: "bad"}
	s.saved = func(name string) {
		if name == "late" {
			close(let)
		}
	}
	if err := sweeper(s, servers{let}, 5*time.Second).SweepRepositories(t.Context()); err == nil {
		t.Error("nobody hears of it")
	}
	if got := s.looks["slow"]; len(s.looks) != 3 || got.Failure != "" {
		t.Errorf("%+v", s.looks)
	}
}

// TestMirror_TimeLimit: one that hangs is given up in time, which is on record, and takes nobody's place for ever.
func TestMirror_TimeLimit(t *testing.T) {
	t.Parallel()
	s := &shelf{due: [][]string{{"slow1", "slow2", "slow3", "slow4", "slow5", "slow6", "slow7", "slow8"}, {"quick"}}, saved: func(string) {}}
	m := sweeper(s, servers{make(chan struct{})}, 50*time.Millisecond)
	if err := m.SweepRepositories(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.looks["slow3"].Failure; !strings.Contains(got, "took longer than 50ms") {
		t.Errorf("slow: %q", got)
	}
	if got, ok := s.looks["quick"]; !ok || got.Failure != "" {
		t.Errorf("quick: %+v", got)
	}
}

// TestMirror_Stopped: a sweep that is told to stop waits for what it reads, and stores nothing of it.
func TestMirror_Stopped(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := &shelf{due: [][]string{{"quick"}, {"slow"}}}
	s.saved = func(string) { cancel() }
	m := sweeper(s, servers{make(chan struct{})}, time.Minute)
	if err := m.SweepRepositories(ctx); err == nil && len(s.looks) > 1 {
		t.Errorf("%v", s.looks)
	}
	if _, ok := s.looks["slow"]; ok {
		t.Error("what was cut off is on record")
	}
}
