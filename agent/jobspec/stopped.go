package jobspec

import (
	"encoding/json"
	"fmt"
)

// AnnotationStopped marks a Job whose pods were stopped on purpose, with the reason: an agent that starts anew must not take the
// missing pod for a fault.
const AnnotationStopped = "seatrial.dev/stopped"

// Stopped says why a Job's pods were stopped.
type Stopped struct {
	// Status is the number of the attempt's status on the wire.
	Status  int32  `json:"status"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// Encode returns the annotation.
func (s Stopped) Encode() (string, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("encode why the Job was stopped: %w", err)
	}
	return string(b), nil
}

// DecodeStopped reads the annotation; ok is false when there is none that can be read.
func DecodeStopped(annotations map[string]string) (s Stopped, ok bool) {
	text := annotations[AnnotationStopped]
	if text == "" || json.Unmarshal([]byte(text), &s) != nil {
		return Stopped{}, false
	}
	return s, true
}
