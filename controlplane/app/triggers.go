package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/forge"
	"github.com/seatrial/seatrial/controlplane/tenant"
	"github.com/seatrial/seatrial/controlplane/trigger"
)

// maxHook bounds a message: a push of thousands of commits has some MiB.
const maxHook = 8 << 20

// triggering starts what judges events: after a hint, and as often as other sweeps.
func (p *parts) triggering(ctx context.Context) error {
	p.triggers.Pushed = func(ctx context.Context, _ tenant.ID, push forge.Push) {
		if push.Event == forge.PushEvent {
			p.mirror.Pushed(ctx, push.Repository, push.Branch)
		}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var over sync.WaitGroup
	over.Go(func() { p.react(ctx) })
	over.Go(func() {
		rarely := time.NewTicker(sweepResultsEvery)
		defer rarely.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-rarely.C:
				p.try(ctx, "old events", p.triggers.Forget)
			}
		}
	})
	p.later("triggers", func(context.Context) error {
		cancel()
		over.Wait()
		return nil
	})
	return nil
}

// remote is the network address that a request comes from; empty where everything comes from a proxy that nobody has named.
func (p *parts) remote(r *http.Request) string {
	if p.Config.InsecureHTTP && len(p.Config.TrustedProxies) == 0 {
		return ""
	}
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	ip := at.Addr().Unmap().WithZone("")
	if ip.Is6() { // whoever has one address has all of its network
		if network, err := ip.Prefix(64); err == nil {
			return network.String()
		}
	}
	return ip.String()
}

// react judges what has happened: after a hint, when something is due that had to wait, and as often as other sweeps.
func (p *parts) react(ctx context.Context) {
	hints, forget := p.bus.Subscribe(ctx, trigger.Topic)
	defer forget()
	due := time.NewTimer(sweepEvery)
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-hints:
		case <-due.C:
		}
		p.try(ctx, "events", p.triggers.Sweep)
		due.Reset(max(minTurn, p.triggers.Next(ctx, sweepEvery)))
	}
}

// minTurn keeps what cannot be started from being tried without end.
const minTurn = 20 * time.Millisecond

// hook takes a message of a forge or another system. It is answered once its events are stored; a wrong signature, and a receiver that
// there is not, are told as little as can be.
func (p *parts) hook(w http.ResponseWriter, r *http.Request) {
	id, err := uuid.Parse(r.PathValue("receiver"))
	if err != nil {
		answer(w, http.StatusNotFound, "there is no such receiver")
		return
	}
	added, err := p.triggers.Receive(r.Context(), id, p.remote(r), r.Header, http.MaxBytesReader(w, r.Body, maxHook))
	var large *http.MaxBytesError
	switch kind := fault.KindOf(err); {
	case errors.As(err, &large):
		answer(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("a message has at most %d MiB", maxHook>>20))
	case err == nil && added == 0:
		answer(w, http.StatusOK, "nothing new")
	case err == nil:
		answer(w, http.StatusAccepted, fmt.Sprintf("taken: %d", added))
	case kind == fault.Exhausted:
		var later *trigger.LaterError
		wait := time.Duration(0)
		if errors.As(err, &later) {
			wait = later.After
		}
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
		answer(w, http.StatusTooManyRequests, fault.Sentence(err))
	case kind == fault.NotFound:
		answer(w, http.StatusNotFound, "there is no such receiver")
	case kind == fault.Unauthenticated:
		answer(w, http.StatusUnauthorized, fault.Sentence(err))
	case kind == fault.Invalid:
		answer(w, http.StatusBadRequest, fault.Sentence(err))
	case kind == fault.Conflict:
		answer(w, http.StatusConflict, fault.Sentence(err))
	default:
		p.log.ErrorContext(r.Context(), "event not taken", "receiver", id, "error", err)
		answer(w, http.StatusServiceUnavailable, "the event could not be stored; send it again")
	}
}
