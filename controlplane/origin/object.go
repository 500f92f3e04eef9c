package origin

import (
	"time"

	"github.com/seatrial/seatrial/controlplane/execution"
)

// AdoptAnnotation on a document lets its origin take over what was applied by hand.
const AdoptAnnotation = "seatrial.dev/adopt"

// Ref names an object of a cluster.
type Ref struct{ Kind, Namespace, Name string }

// Object is a document that a cluster has.
type Object struct {
	Ref
	UID        string
	Generation int64
	Digest     string // made by the agent
	Source     string // empty in an inventory
	Adopt      bool
}

// Inventory is everything that a cluster has of some kinds in some namespaces.
type Inventory struct {
	Kinds      []string
	Namespaces []string // none: all there are
	Objects    []Object
}

// State is what a cluster is told of an object.
type State struct {
	Ref
	UID        string
	Generation int64
	Digest     string // of the object that it is said of
	Reason     Reason
	Message    string
	Owner      string // who has the name, when it is somebody else
	Revision   int
	Last       *execution.Execution // of a workflow the execution that was started last, of a TestExecution the one that it is
	Conditions []Condition          // what else is known, beside whether the catalog has it
}

// ConditionWatching is the type of the condition of a trigger that says whether agents look at what it is for.
const ConditionWatching = "Watching"

// Condition is an entry of the conditions in the status of an object. Type and Reason are one word each.
type Condition struct {
	Type, Reason string
	Holds        bool
	Message      string
}

// Terminal reports whether nothing will be said of the object any more.
func (s State) Terminal() bool { return s.Last != nil && s.Last.Status.Terminal() }

// States are what has changed after a time.
type States struct {
	States []State
	Next   time.Time // to ask from
}
