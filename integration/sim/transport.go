package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// transport is how one agent process reaches the API server of its cluster.
type transport struct {
	w     *World
	kube  *apiServer
	agent *agent
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := drain(r)
	if err != nil {
		return nil, err
	}
	if t.agent.gone() {
		return nil, errDead
	}
	t.kube.mu.Lock()
	down := t.kube.down
	t.kube.mu.Unlock()
	if down || (t.w.faulty() && t.w.chance.happens("kube.error", t.w.plan.Kube)) {
		return refuse(r, apierrors.NewServiceUnavailable("the API server is away")), nil
	}
	q, err := parse(r)
	if err != nil {
		return refuse(r, err), nil
	}
	switch q.verb {
	case "watch":
		return t.watch(r, q), nil
	case "log":
		return respond(r, http.StatusOK, t.kube.openLog(q.name, r.URL.Query().Get("container"))), nil
	}
	answer, err := t.do(q, body)
	switch {
	case errors.Is(err, errDead):
		return nil, err
	case errors.Is(err, errFailed):
		return refuse(r, apierrors.NewInternalError(err)), nil
	case err != nil:
		return refuse(r, err), nil
	}
	return respond(r, http.StatusOK, io.NopCloser(bytes.NewReader(answer))), nil
}

// do answers a request; what changes Jobs stands between two points.
func (t *transport) do(q query, body []byte) (answer []byte, err error) {
	effect := map[string]string{"create": "kube.create-job", "patch": "kube.stop-job", "delete": "kube.delete-job"}[q.verb]
	if effect == "" || q.dryRun {
		return t.kube.answer(q, body)
	}
	if q.verb == "create" {
		body = t.w.mutants.renamed(t.w, body)
	}
	if q.verb == "delete" && t.w.mutants.KeepJobs {
		return []byte(`{"kind":"Status","apiVersion":"v1","status":"Success"}`), nil
	}
	err = t.w.around(t.agent, effect, func() error {
		answer, err = t.kube.answer(q, body)
		return err
	})
	return answer, err
}

func drain(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	defer r.Body.Close()
	return io.ReadAll(r.Body) //nolint:wrapcheck // transparent
}

func respond(r *http.Request, code int, body io.ReadCloser) *http.Response {
	return &http.Response{
		StatusCode: code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: body, Request: r, ContentLength: -1,
		Header: http.Header{"Content-Type": {"application/json"}},
	}
}

func refuse(r *http.Request, err error) *http.Response {
	var s apierrors.APIStatus
	if !errors.As(err, &s) {
		s = apierrors.NewInternalError(err)
	}
	status := s.Status()
	status.Kind, status.APIVersion = "Status", "v1"
	text, err := json.Marshal(status)
	if err != nil {
		text = []byte("{}")
	}
	return respond(r, int(status.Code), io.NopCloser(bytes.NewReader(text)))
}

// watch streams changes after the version that the client has, until the client or the process is gone, or the plan ends it.
func (t *transport) watch(r *http.Request, q query) *http.Response {
	from, err := strconv.Atoi(q.version)
	if err != nil {
		return refuse(r, apierrors.NewBadRequest("watches begin at a version"))
	}
	ctx, cancel := context.WithCancel(r.Context())
	read, write := io.Pipe()
	t.w.running.Go(func() {
		defer cancel()
		write.CloseWithError(t.stream(ctx, write, q, from))
	})
	return respond(r, http.StatusOK, &watching{read, cancel})
}

func (t *transport) stream(ctx context.Context, out io.Writer, q query, from int) error {
	expires := time.NewTimer(t.w.chance.within("kube.watch", 20*time.Second, 5*time.Minute))
	defer expires.Stop()
	for {
		events, seen, changed, again := t.kube.next(q, from)
		from = seen
		if len(events) > 0 {
			if _, err := out.Write(events); err != nil {
				return nil
			}
			continue
		}
		timer := time.NewTimer(again)
		select {
		case <-changed:
		case <-timer.C:
		case <-expires.C:
			timer.Stop()
			if t.w.faulty() && t.w.chance.happens("kube.gone", 0.5) {
				_, _ = io.WriteString(out, strings.TrimSpace(`{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410}}`)+"\n") // the client may be gone
			}
			return nil
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-t.agent.dead:
			timer.Stop()
			return errDead
		}
		timer.Stop()
	}
}

// watching is the body of a watch, which ends when it is closed.
type watching struct {
	*io.PipeReader
	cancel context.CancelFunc
}

// Close implements io.Closer.
func (w *watching) Close() error {
	w.cancel()
	return w.PipeReader.Close() //nolint:wrapcheck // transparent
}
