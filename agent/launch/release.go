package launch

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Deletions are gathered for so long.
const batchEvery = 30 * time.Second

// Release allows the Job of an attempt to be deleted once it has lingered. Releasing it again changes nothing.
func (l *Launcher) Release(attemptID string) {
	l.mu.Lock()
	if _, ok := l.released[attemptID]; !ok {
		l.released[attemptID] = time.Now().Add(l.o.Linger)
	}
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Run deletes released Jobs in batches until the context ends.
func (l *Launcher) Run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if due, ok := l.next(); ok {
			timer.Reset(time.Until(due) + min(batchEvery, l.o.Linger))
		}
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		case <-timer.C:
			l.sweep(ctx)
		}
	}
}

func (l *Launcher) next() (due time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, at := range l.released {
		if !ok || at.Before(due) {
			due, ok = at, true
		}
	}
	return due, ok
}

func (l *Launcher) sweep(ctx context.Context) {
	now := time.Now()
	var due []string
	l.mu.Lock()
	for id, at := range l.released {
		if !at.After(now) {
			due = append(due, id)
		}
	}
	l.mu.Unlock()
	for _, id := range due {
		err := l.delete(ctx, id)
		if ctx.Err() != nil {
			return
		}
		l.mu.Lock()
		if err != nil {
			l.released[id] = now.Add(batchEvery)
		} else {
			delete(l.released, id)
			delete(l.created, id)
			delete(l.gone, id)
		}
		l.mu.Unlock()
		if err != nil {
			l.o.Log.WarnContext(ctx, "released Job not deleted, trying again", "attempt", id, "error", err)
		}
	}
}

// delete removes exactly the Job that was released: never a namesake that was created since.
func (l *Launcher) delete(ctx context.Context, attemptID string) error {
	name, ref, ok, err := l.find(ctx, attemptID)
	if err != nil || !ok {
		return err
	}
	background := metav1.DeletePropagationBackground
	uid := types.UID(ref.UID)
	err = l.o.Client.Jobs(ref.Namespace).Delete(ctx, name, metav1.DeleteOptions{
		PropagationPolicy: &background, Preconditions: &metav1.Preconditions{UID: &uid},
	})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("delete Job %s/%s: %w", ref.Namespace, name, err)
	}
	return nil
}
