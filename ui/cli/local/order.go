package local

import (
	"sync"

	"github.com/seatrial/seatrial/controlplane/workflow"
	runnerv1 "github.com/seatrial/seatrial/proto/gen/seatrial/runner/v1"
)

// inOrder shows steps one after the other, those of a group together: states and logs come in any order, over several connections. A
// step is over for it once its end has come and as much of its log as the end says.
type inOrder struct {
	mu     *sync.Mutex
	view   View
	steps  []workflow.PlanStep
	next   int                         // the first step that is not over
	held   map[int][]func(View)        // what came before its turn
	ends   map[int]*runnerv1.StepState // the first end of each
	ended  map[int]bool                // whose end was shown
	logged map[int]int64               // bytes of the log that have come, those left out included
}

func newInOrder(v View, steps []workflow.PlanStep) inOrder {
	return inOrder{
		mu: &sync.Mutex{}, view: v, steps: steps, held: map[int][]func(View){}, ends: map[int]*runnerv1.StepState{}, ended: map[int]bool{},
		logged: map[int]int64{},
	}
}

// aside shows at once what is of no step.
func (o *inOrder) aside(tell func(v View)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	tell(o.view)
}

// during shows something of a step that is not its end.
func (o *inOrder) during(step int, tell func(v View)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hold(step, tell)
}

// log shows a part of a step's log of some bytes; read returns it, and is called once.
func (o *inOrder) log(step int, size int64, read func() (text []byte, gap int64)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	text, gap := read()
	o.logged[step] += size
	o.hold(step, func(v View) { v.Log(step, text, gap) })
}

// end shows the end of a step, once.
func (o *inOrder) end(s *runnerv1.StepState) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if i := int(s.GetIndex()); o.ends[i] == nil {
		o.ends[i] = s
		o.advance()
	}
}

func (o *inOrder) hold(step int, tell func(v View)) {
	if step < o.next {
		tell(o.view)
		return
	}
	o.held[step] = append(o.held[step], tell)
	o.advance()
}

// advance shows what has its turn.
func (o *inOrder) advance() {
	for o.next < len(o.steps) {
		end := o.next + 1
		for group := o.steps[o.next].Group; group != "" && end < len(o.steps) && o.steps[end].Group == group; {
			end++
		}
		over := true
		for i := o.next; i < end; i++ {
			over = o.play(i) && over
		}
		if !over {
			return
		}
		o.next = end
	}
}

// play shows what is there of a step, and reports whether that is all.
func (o *inOrder) play(step int) bool {
	tell := o.held[step]
	delete(o.held, step)
	for _, one := range tell {
		one(o.view)
	}
	s := o.ends[step]
	if s == nil || o.logged[step] < s.GetLog().GetBytes() {
		return false
	}
	o.show(s)
	return true
}

func (o *inOrder) show(s *runnerv1.StepState) {
	if i := int(s.GetIndex()); !o.ended[i] {
		o.ended[i] = true
		o.view.Step(s)
	}
}

// rest shows what never became complete, because a runner died.
func (o *inOrder) rest() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := o.next; i < len(o.steps); i++ {
		o.play(i)
		if s := o.ends[i]; s != nil {
			o.show(s)
		}
	}
}
