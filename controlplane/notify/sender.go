package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/outbound"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// TryFor is how long a delivery is tried, then it is given up.
const TryFor = 24 * time.Hour

// KeepDeliveries is how long it is known what was sent, and what came of it.
const KeepDeliveries = 30 * 24 * time.Hour

// Attempt is how long one attempt takes at most: mail servers make those wait whom they do not know.
const Attempt = 30 * time.Second

const (
	atOnce     = 16          // deliveries that one replica sends at the same time
	each       = 2           // that one webhook is sent at the same time, by all replicas
	lease      = 4 * Attempt // a clock that is a little off, or a slow database, has nothing sent twice
	expandMany = 100
	sweepMany  = 1000
	maxAnswer  = 1 << 10
	maxFlaky   = 50
	// settle is how long the results of an execution are waited for that has ended.
	settle  = time.Minute
	glance  = 2 * time.Second
	maxWait = 4 * time.Hour
	// smtpTaken is what a mail server answers that has taken a message.
	smtpTaken = 250
)

// An attempt by HTTP takes no longer than one by mail, and a lease is for twice as long: otherwise this does not compile.
const (
	_ = uint(Attempt - outbound.Timeout)
	_ = uint(lease - 2*Attempt)
)

// Config is what a Sender is made of.
type Config struct {
	Store   Work
	Client  *http.Client // of outbound, which follows no redirects
	Mail    Mailer       // nil when the instance has no mail server
	Log     *slog.Logger
	Address string           // of the pages
	Clock   func() time.Time // nil for the time of day
	Every   time.Duration    // between looks; zero for two seconds
}

// Sender makes deliveries of notices and sends them.
type Sender struct {
	Config
	room chan struct{} // one for each that is under way
	over sync.WaitGroup
	wake chan struct{}
}

// NewSender returns a Sender.
func NewSender(c Config) *Sender {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Every == 0 {
		c.Every = glance
	}
	c.Log = c.Log.With("component", "notify")
	return &Sender{Config: c, room: make(chan struct{}, atOnce), wake: make(chan struct{}, 1)}
}

// Run sends until the context ends, and returns when nothing is under way any more.
func (s *Sender) Run(ctx context.Context) {
	defer s.over.Wait()
	ticker := time.NewTicker(s.Every)
	defer ticker.Stop()
	for {
		if err := s.Look(ctx); err != nil && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "notifications cannot be sent", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-s.wake: // one is over, there may be another
		}
	}
}

// Look makes the deliveries of what has happened, and begins to send what is due, as far as there is room.
func (s *Sender) Look(ctx context.Context) error {
	ctx = tenant.System(ctx)
	faults := s.expand(ctx) // what cannot be told keeps nothing else from being sent
	free := cap(s.room) - len(s.room)
	if free == 0 {
		return faults
	}
	claims, err := s.Store.ClaimDeliveries(ctx, free, each, lease)
	if err != nil {
		return errors.Join(faults, fmt.Errorf("claim deliveries: %w", err))
	}
	for _, c := range claims {
		s.room <- struct{}{} // there is room: nobody else fills it
		s.over.Go(func() {
			// What is under way is carried out also when the program is told to stop.
			s.deliver(context.WithoutCancel(ctx), c)
			<-s.room
			select {
			case s.wake <- struct{}{}:
			default:
			}
		})
	}
	return faults
}

// Wait returns when nothing is under way.
func (s *Sender) Wait() { s.over.Wait() }

func (s *Sender) expand(ctx context.Context) error {
	list, err := s.Store.ClaimNotices(ctx, expandMany, lease)
	if err != nil {
		return fmt.Errorf("claim notices: %w", err)
	}
	var faults error
	for _, n := range list {
		own := tenant.WithViewer(ctx, tenant.Viewer{Kind: tenant.KindMember, Organization: n.Organization, Name: "system"})
		if err := s.expandOne(own, n); err != nil { // the others are told all the same
			faults = errors.Join(faults, fmt.Errorf("notice %s: %w", n.ID, err))
		}
	}
	return faults
}

func (s *Sender) expandOne(ctx context.Context, n Notice) error {
	h, ready, err := s.happening(ctx, n)
	if fault.Is(err, fault.NotFound) {
		return s.Store.Expand(ctx, n, nil) //nolint:wrapcheck // it is gone, and nobody hears of it
	}
	if err != nil {
		return err
	}
	if !ready {
		return s.Store.Postpone(ctx, n, s.Clock().Add(s.Every)) //nolint:wrapcheck // the caller says of which notice
	}
	hooks, err := s.Store.Listening(ctx, n)
	if err != nil {
		return fmt.Errorf("read webhooks: %w", err)
	}
	var out []Delivery
	for _, w := range hooks {
		e, ok := w.Wants(h)
		if !ok {
			continue
		}
		m, ok, err := Render(w, e, h)
		if err != nil {
			return err
		}
		if ok {
			out = append(out, s.delivery(w, e, m))
		}
	}
	return s.Store.Expand(ctx, n, out) //nolint:wrapcheck // the caller says of which notice
}

func (s *Sender) delivery(w Webhook, e Event, m Message) Delivery {
	now := s.Clock()
	return Delivery{ID: uuid.Must(uuid.NewV7()), Webhook: w.ID, Event: e, About: m.About, Path: m.Path, Body: m.Body, BegunAt: now, NextAt: now}
}

// happening reads what is told of a notice; ready is false while results of it are still coming in.
func (s *Sender) happening(ctx context.Context, n Notice) (h Happening, ready bool, err error) {
	h.Notice = n
	page := strings.TrimSuffix(s.Address, "/") + "/o/" + url.PathEscape(n.Name)
	h.Home = page
	if n.Kind == OfRelease {
		h.Change = &Change{}
		if err := json.Unmarshal(n.Data, h.Change); err != nil {
			return h, false, fmt.Errorf("read the change: %w", err)
		}
		h.Link = page + "/releases/" + url.PathEscape(h.Change.Application) + "/" + url.PathEscape(h.Change.Version)
		return h, true, nil
	}
	ended, err := s.Store.EndedExecution(ctx, n.Subject)
	if err != nil {
		return h, false, fmt.Errorf("read the execution: %w", err)
	}
	if !ended.Delivered && s.Clock().Sub(n.At) < settle {
		return h, false, nil
	}
	h.Ended, h.Link = &ended, page+"/executions/"+ended.ID.String()
	if n.Kind == OfTests {
		if h.Flaky, err = s.Store.NewlyFlaky(ctx, ended.ID, maxFlaky); err != nil {
			return h, false, fmt.Errorf("judge the tests: %w", err)
		}
	}
	return h, true, nil
}

// Forget removes what was sent long ago.
func (s *Sender) Forget(ctx context.Context) error {
	for ctx.Err() == nil {
		n, err := s.Store.SweepNotices(tenant.System(ctx), s.Clock().Add(-KeepDeliveries), sweepMany)
		if err != nil {
			return fmt.Errorf("remove old notices: %w", err)
		}
		if n < sweepMany {
			break
		}
	}
	return nil
}

// deliver makes one attempt and stores what became of it.
func (s *Sender) deliver(ctx context.Context, c Claim) {
	d, because := s.attempt(ctx, c)
	if err := s.Store.FinishDelivery(ctx, d, because); err != nil {
		// The lease runs out and it is sent again, with the same id.
		s.Log.ErrorContext(ctx, "what became of a delivery cannot be stored", "webhook", c.Webhook.Name, "delivery", d.ID, "error", err)
	}
}

// attempt sends a delivery; because says why its webhook has to pause, if it has.
func (s *Sender) attempt(ctx context.Context, c Claim) (d Delivery, because string) {
	d = c.Delivery
	began := s.Clock()
	got := s.post(ctx, c, began)
	d.Attempts++
	d.TriedAt, d.Took, d.Code, d.Answer, d.Error = began, max(s.Clock().Sub(began), 0), got.code, got.answer, got.note
	if got.body != nil {
		d.Body = got.body
	}
	if got.err == nil {
		d.State, d.NextAt = Delivered, time.Time{}
		return d, ""
	}
	d.Error = got.err.Error()
	if got.code == http.StatusGone {
		d.State, d.NextAt = GivenUp, time.Time{}
		return d, "It has answered 410: nobody is there any more."
	}
	if errors.As(got.err, new(final)) {
		d.State, d.NextAt = GivenUp, time.Time{} // it would not be taken the next time either
		return d, ""
	}
	next := began.Add(max(got.wait, backOff(d.Attempts, rand.Float64()))) //nolint:gosec // G404: nobody gains by knowing
	if d.Event == Trial || next.Sub(d.BegunAt) > TryFor {
		d.State, d.NextAt = GivenUp, time.Time{}
		return d, ""
	}
	d.NextAt = next
	return d, ""
}

// backOff is the pause after a number of attempts: 5 s, 20 s, 80 s and so on up to four hours, by up to a fifth more or less, so that those
// who failed together do not come again together.
func backOff(attempts int, luck float64) time.Duration {
	wait := 5 * time.Second
	for i := 1; i < attempts && wait < maxWait; i++ {
		wait *= 4
	}
	return time.Duration(float64(min(wait, maxWait)) * (0.8 + 0.4*luck))
}

// answered is what became of one attempt.
type answered struct {
	wait   time.Duration // how long the receiver wants to be left alone
	code   int
	answer []byte
	body   []byte // what is sent the next time; nil for the same
	note   string // what is to be known of what has arrived
	err    error  // why it has not arrived
}

// final is an error of what is of no use to try again.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// post sends a delivery once.
func (s *Sender) post(ctx context.Context, c Claim, at time.Time) answered {
	if c.Webhook.Format == Email {
		return s.mail(ctx, c)
	}
	ctx, cancel := context.WithTimeout(ctx, outbound.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, joined(c.Secrets.URL, c.Delivery.Path), bytes.NewReader(c.Delivery.Body))
	if err != nil {
		return answered{err: errors.New("the address of the webhook cannot be read")}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Seatrial-Webhook/1")
	if err := authorize(req.Header, c, at); err != nil {
		return answered{err: err}
	}
	res, err := s.Client.Do(req)
	if err != nil {
		var at *url.Error
		if errors.As(err, &at) {
			err = at.Err // which has not the address, in which there may be a secret
		}
		return answered{err: err}
	}
	defer res.Body.Close() //nolint:errcheck // it was read as far as it matters
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	got := answered{code: res.StatusCode, answer: answer}
	switch {
	case res.StatusCode >= http.StatusMultipleChoices && res.StatusCode < http.StatusBadRequest:
		got.err = fmt.Errorf("it answered %d: redirects are not followed", res.StatusCode)
	case res.StatusCode < http.StatusOK || res.StatusCode >= http.StatusBadRequest:
		if n, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil {
			got.wait = min(max(0, time.Duration(n)*time.Second), time.Hour)
		}
		got.err = fmt.Errorf("it answered %d", res.StatusCode)
	case err != nil:
		got.err = fmt.Errorf("its answer broke off: %w", err)
	}
	return got
}

// joined is an address with a path after its own.
func joined(address, path string) string {
	if path == "" {
		return address
	}
	before, query, asked := strings.Cut(address, "?")
	if out := strings.TrimSuffix(before, "/") + path; !asked {
		return out
	} else {
		return out + "?" + query
	}
}
