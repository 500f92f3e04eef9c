package view

import "time"

// Kept is something that is kept, and for how long.
type Kept struct {
	What   string
	For    time.Duration // zero for as long as there is the organization
	AtMost bool          // it may go earlier
	Set    string        // by what, or whom, it is set; empty for nobody
}
