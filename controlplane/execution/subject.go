package execution

import "time"

// Subject is what was under test at one moment, as the agent saw it: the images of the pods that were ready in the environment.
type Subject struct {
	Images     []SubjectImage `json:"images,omitempty"` // sorted by container, image and digest, each once
	ObservedAt time.Time      `json:"observedAt,omitzero"`
	Cut        bool           `json:"cut,omitempty"`     // there were more images than the list holds
	Message    string         `json:"message,omitempty"` // for a person: why nothing was observed, or what is not in the list
}

// SubjectImage is an image that a container ran.
type SubjectImage struct {
	Container string `json:"container"` // its name in the pod
	Image     string `json:"image"`     // as the pod names it
	Digest    string `json:"digest"`    // "sha256:" and 64 hex digits
}

// Observed reports whether the images are evidence. Otherwise nobody knows what ran, which is not the same as that nothing did: there
// are no images then, and the message says why.
func (s *Subject) Observed() bool { return s != nil && !s.ObservedAt.IsZero() }

// FirstObserved returns what is kept of two snapshots of the same moment, each nil for none: the first that was observed. An agent that
// was started anew sends a later one, or says that it came too late.
func FirstObserved(kept, told *Subject) *Subject {
	switch {
	case told == nil, kept.Observed():
		return kept
	case kept != nil && !told.Observed():
		return kept
	default:
		return told
	}
}
