package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	readyWithin = 2 * time.Minute // an agent that has just been installed enrols first
	readyAgain  = time.Second
	readyWords  = 4 << 10 // bytes that are read of an answer
)

// Ready waits until the agent at the address of its readiness is connected to its control plane, and says so to out; the error says what
// keeps it from that, in the agent's own words.
func Ready(ctx context.Context, address string, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	again := time.NewTicker(readyAgain)
	defer again.Stop()
	last := errors.New("no answer")
	for {
		said, err := ask(ctx, address)
		if err == nil {
			_, _ = fmt.Fprintln(out, said) // whoever reads it
			return nil
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the agent is not connected to its control plane: %w", last)
		case <-again.C:
		}
	}
}

// ask returns what the agent says of itself when it is ready.
func ask(ctx context.Context, address string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return "", fmt.Errorf("ask the agent: %w", err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", fmt.Errorf("ask the agent: %w", err)
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, readyWords))
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return "", fmt.Errorf("ask the agent: %w", err)
	}
	said := strings.Join(strings.Fields(string(raw)), " ")
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("it says: %s", said)
	}
	return said, nil
}
