package intake

import "github.com/seatrial/seatrial/controlplane/results"

// A batch is handed over when it has so many cases, or texts of so many bytes.
const (
	batchCases = 256
	batchTexts = 1 << 20
)

// beside takes the cases of a parser and adds them on a goroutine of its own, a batch at a time: what is read and what is made of it then
// take two processors.
type beside struct {
	batch []results.Case
	texts int
	full  chan []results.Case
	done  chan struct{} // closed when nothing more is added
	err   error         // why, once done is closed
}

// besides starts adding. The caller has to finish.
func besides(add func(results.Case) error) *beside {
	b := &beside{full: make(chan []results.Case, 1), done: make(chan struct{})}
	go func() {
		defer close(b.done)
		for batch := range b.full {
			for _, one := range batch {
				if b.err = add(one); b.err != nil {
					return
				}
			}
		}
	}()
	return b
}

// add takes one case. Its error may be of a case before.
func (b *beside) add(one results.Case) error {
	b.batch = append(b.batch, one)
	b.texts += len(one.Message) + len(one.Detail) + len(one.Name)
	if len(b.batch) < batchCases && b.texts < batchTexts {
		return nil
	}
	return b.flush()
}

func (b *beside) flush() error {
	select {
	case b.full <- b.batch:
		b.batch, b.texts = make([]results.Case, 0, batchCases), 0
		return nil
	case <-b.done:
		return b.err
	}
}

// finish waits until all cases are added.
func (b *beside) finish() error {
	err := b.flush()
	close(b.full)
	<-b.done
	if b.err != nil {
		return b.err
	}
	return err
}
