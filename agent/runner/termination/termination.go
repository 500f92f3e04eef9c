// Package termination is the message that a runner leaves at /dev/termination-log: what the agent needs to know the result and to
// prove that the logs are complete when the runner's connection never came back.
package termination

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Path is where Kubernetes reads the message; MaxSize is how much of it.
const (
	Path    = "/dev/termination-log"
	MaxSize = 4 << 10
)

const version = 1

// Message is what one container knows at its end.
type Message struct {
	Version   int    `json:"v"`
	Attempt   string `json:"attempt"`
	Container string `json:"container"`
	// Delivered says that the agent has everything of this container.
	Delivered bool `json:"delivered"`
	// Status is that of the attempt (passed, failed, errored, timed_out, cancelled), set by the container that ended it.
	Status string `json:"status,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Steps are those that this container has ended.
	Steps []Step `json:"steps,omitempty"`
	// Left is the number of steps that found no room.
	Left int `json:"left,omitempty"`
}

// Step is the end of one step, with the totals of its stream "step/<index>".
type Step struct {
	Index    int    `json:"i"`
	Status   string `json:"s"`
	Exit     *int32 `json:"x,omitempty"`
	Reason   string `json:"r,omitempty"`
	Allowed  bool   `json:"w,omitempty"`
	Started  int64  `json:"a,omitempty"` // Unix milliseconds
	Finished int64  `json:"z,omitempty"`
	Bytes    int64  `json:"b,omitempty"`
	Lines    int64  `json:"l,omitempty"`
	Gap      int64  `json:"g,omitempty"`
	CRC      uint32 `json:"c,omitempty"`
	Usage    *Usage `json:"u,omitempty"`
}

// Usage is what a step has used in all; see runner.v1.Usage.
type Usage struct {
	CPU       int64  `json:"c,omitempty"` // microseconds
	Throttled int64  `json:"t,omitempty"` // microseconds
	Memory    int64  `json:"m,omitempty"` // bytes, as all below
	Read      int64  `json:"r,omitempty"`
	Written   int64  `json:"w,omitempty"`
	Note      string `json:"n,omitempty"`
}

// Encode returns the message in at most MaxSize bytes: it leaves out what steps have used first, then shortens reasons, without which
// nobody knows why a step failed, then leaves out the last steps that passed or were skipped, which it counts in Left.
func Encode(m Message) ([]byte, error) {
	m.Version = version
	whole := true
	for limit := 200; ; limit /= 2 {
		c := m
		c.Reason = cut(m.Reason, 2*limit)
		c.Steps = make([]Step, len(m.Steps))
		for i, s := range m.Steps {
			s.Reason = cut(s.Reason, limit)
			if !whole {
				s.Usage = nil
			}
			c.Steps[i] = s
		}
		b, err := json.Marshal(c)
		if err != nil {
			return nil, fmt.Errorf("encode termination message: %w", err)
		}
		if len(b) <= MaxSize {
			return b, nil
		}
		if whole {
			whole, limit = false, 400 // once more without
			continue
		}
		if limit == 0 {
			m.Steps = drop(m.Steps)
			m.Left++
			limit = 1
		}
	}
}

// drop removes the step that says least.
func drop(steps []Step) []Step {
	for i := len(steps) - 1; i >= 0; i-- {
		if s := steps[i].Status; s == "skipped" || s == "passed" {
			return append(append([]Step{}, steps[:i]...), steps[i+1:]...)
		}
	}
	return steps[:max(0, len(steps)-1)]
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// Decode reads a message. Text that no runner wrote is an error.
func Decode(b []byte) (Message, error) {
	var m Message
	if err := json.Unmarshal(b, &m); err != nil {
		return Message{}, fmt.Errorf("decode termination message: %w", err)
	}
	if m.Version != version || m.Attempt == "" {
		return Message{}, errors.New("decode termination message: not a runner's")
	}
	return m, nil
}
