package mirror

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/origin"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// A git server that answers slowly, or a repository with thousands of documents, takes minutes. Others do not wait for it: a sweep reads
// several repositories at once, of one organization only some of them, each for a limited time, and goes on looking for what is due while it
// waits for slow ones.
const (
	atOnce  = 8                // repositories that one replica reads
	each    = 2                // of them of one organization, by all replicas
	readFor = 10 * time.Minute // and not longer
	lease   = 2 * time.Minute  // a replica that dies while it reads a repository has it for so long
	renew   = lease / 3        // how often one that lives says so
	glance  = time.Second      // between looks while something is being read
)

// SweepRepositories reads the repositories that are due, of all organizations, and returns when none is and none is being read.
func (m *Mirror) SweepRepositories(ctx context.Context) error {
	var (
		reading int
		faults  error // of repositories: the others are read all the same
		away    error // nobody can say what is due
		done    = make(chan error, atOnce)
		ticker  = time.NewTicker(glance)
	)
	defer ticker.Stop()
	for {
		var due []origin.Repository
		if away == nil { // otherwise it is tried again with the next sweep
			due, away = m.due(ctx, atOnce-reading)
		}
		for _, r := range due {
			reading++
			go func() { done <- m.read(m.onBehalf(ctx, r), r) }() // it is waited for below, whatever happens
		}
		if reading == 0 {
			return errors.Join(faults, away)
		}
		select {
		case err := <-done:
			reading--
			faults = errors.Join(faults, err)
		case <-ticker.C:
		}
	}
}

// due takes repositories to read, at most limit.
func (m *Mirror) due(ctx context.Context, limit int) ([]origin.Repository, error) {
	if limit == 0 || ctx.Err() != nil {
		return nil, nil //nolint:nilerr // the program stops
	}
	due, err := m.store.DueRepositories(tenant.System(ctx), limit, each, lease)
	if err != nil {
		return nil, fmt.Errorf("find repositories that are due: %w", err)
	}
	return due, nil
}

// errLost is the end of reading a repository that may be another reader's by now, such as after this replica stood still.
var errLost = errors.New("the lease is over")

// read brings the documents of a repository into the catalog, and stores what came of it. The repository is the caller's for as long as it
// takes.
func (m *Mirror) read(ctx context.Context, r origin.Repository) error {
	held, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	limited, cancel := context.WithTimeout(held, m.limit)
	defer cancel()
	kept := m.keep(limited, r.ID, lose)
	look, err := m.look(limited, r)
	late := limited.Err() != nil
	cancel()
	kept()
	if ctx.Err() != nil {
		return ctx.Err() //nolint:wrapcheck // the lease ends by itself
	}
	if errors.Is(context.Cause(held), errLost) {
		return fmt.Errorf("read repository %s: %w", r.Name, errLost) // what came of it is for whoever has it now
	}
	if late && err != nil {
		err = fault.New(fault.Unavailable, "reading it took longer than %s", m.limit).
			WithHint("Let it have fewer documents, or a folder of its own for them.")
	}
	if err != nil {
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind == fault.Internal {
			m.log.ErrorContext(ctx, "repository not read", "repository", r.Name, "error", err)
			f = fault.New(fault.Internal, "the control plane has failed, and tries again")
		}
		look.Failure = sentence(f.Message + ". " + f.Hint)
		if look.Tips == nil {
			look.Tips = r.Tips
		}
	}
	if err := m.store.SaveLook(ctx, r, look); err != nil {
		return fmt.Errorf("store what came of reading the repository: %w", err)
	}
	return nil
}

// keep renews the lease on a repository until the context ends. The function returns when that is over.
func (m *Mirror) keep(ctx context.Context, id uuid.UUID, lose context.CancelCauseFunc) func() {
	var over sync.WaitGroup
	over.Go(func() {
		ticker := time.NewTicker(renew)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				err := m.store.RenewRepository(ctx, id, lease)
				switch {
				case fault.Is(err, fault.Conflict):
					lose(errLost)
					return
				case err != nil && ctx.Err() == nil:
					m.log.WarnContext(ctx, "lease not renewed", "repository", id, "error", err)
				}
			}
		}
	})
	return over.Wait
}
