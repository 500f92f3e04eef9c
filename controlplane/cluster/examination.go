package cluster

import (
	"time"

	"github.com/google/uuid"
)

// States of a check.
const (
	CheckGood     = "ok"
	CheckDoubtful = "warning"
	CheckBad      = "failed"
)

// Check is what an agent found out about one thing, in its own words.
type Check struct {
	Name   string `json:"name"`
	State  string `json:"state"` // one of those above
	Found  string `json:"found"`
	Remedy string `json:"remedy,omitempty"` // what to do; empty for what is well
}

// Examination is what the agent of a cluster found when it looked at itself and its cluster.
type Examination struct {
	ID     uuid.UUID // of what it was asked for; zero before the first one
	At     time.Time // when it answered
	Checks []Check
}
