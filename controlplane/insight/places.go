package insight

import (
	"crypto/sha256"
	"fmt"
	"sync"

	"github.com/seatrial/seatrial/controlplane/workflow"
	"github.com/seatrial/seatrial/controlplane/workflow/document"
	"github.com/seatrial/seatrial/controlplane/workflow/parse"
)

// digest is of a text.
type digest [sha256.Size]byte

// maxPlacings is how many workflows it is remembered of where they run; when there are more all are forgotten, and read again.
const maxPlacings = 4 * maxFlows

// placing is where a workflow says that it runs, with the templates that say it.
type placing struct {
	where *document.Environments // nil for wherever it is sent
	used  []string               // names of templates
	of    digest                 // of what they said
}

// placings remembers where workflows run by the digests of their sources: to read a whole catalog again for each question takes far longer
// than all the rest. It holds nothing that is not in what it is asked with, so it is the same for everybody.
type placings struct {
	mu    sync.Mutex
	known map[digest]placing
}

// of reads where a workflow says that it runs; ok is false for what this version cannot read.
func (p *placings) of(record workflow.Record, library workflow.Library) (where *document.Environments, ok bool) {
	key := digest(sha256.Sum256([]byte(record.Source)))
	p.mu.Lock()
	known, found := p.known[key]
	p.mu.Unlock()
	if found && (len(known.used) == 0 || sourcesOf(known.used, library) == known.of) {
		return known.where, true
	}
	loaded, err := workflow.Load(record.Name, []byte(record.Source))
	if err != nil {
		return nil, false
	}
	read := placing{where: loaded.Spec.Environments}
	if read.where == nil {
		doc, used, err := workflow.Resolve(loaded, library)
		if err != nil {
			return nil, false
		}
		for _, u := range used {
			read.used = append(read.used, u.Name)
		}
		read.where, read.of = doc.Spec.Environments, sourcesOf(read.used, library)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil || len(p.known) >= maxPlacings {
		p.known = map[digest]placing{}
	}
	p.known[key] = read
	return read.where, true
}

// sourcesOf is the digest of what templates say now.
func sourcesOf(names []string, library workflow.Library) (d digest) {
	records, err := library(names)
	if err != nil {
		return d // of nothing that is known
	}
	sum := sha256.New()
	for _, r := range records {
		_, _ = fmt.Fprintf(sum, "%q%q", r.Name, r.Source) // to a hash, which takes everything
	}
	return digest(sum.Sum(nil))
}

// maxReadings is how many policies are remembered as they were read; when there are more all are forgotten, and read again.
const maxReadings = 500

// readings remembers policies by the digests of their sources, for the same reason. Nobody changes what it returns.
type readings struct {
	mu    sync.Mutex
	known map[digest]*document.ReadinessPolicyDocument
}

// of reads a policy; nil for what this version cannot read.
func (r *readings) of(source string) *document.ReadinessPolicyDocument {
	key := digest(sha256.Sum256([]byte(source)))
	r.mu.Lock()
	doc, known := r.known[key]
	r.mu.Unlock()
	if known {
		return doc
	}
	read := parse.Read([]byte(source))
	doc, ok := read.Value.(*document.ReadinessPolicyDocument)
	if !ok || len(read.Faults) > 0 {
		doc = nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil || len(r.known) >= maxReadings {
		r.known = map[digest]*document.ReadinessPolicyDocument{}
	}
	r.known[key] = doc
	return doc
}
