package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// chainVersion begins what is hashed, so that a later encoding cannot be taken for this one.
const chainVersion = "seatrial audit entry 1"

// Start returns what stands for the hash before the first entry.
func Start() []byte { return make([]byte, sha256.Size) }

// Sum returns the hash of an entry after one with the hash previous. Every field is written with its length before it, so that no two
// entries have the same bytes.
func (e Entry) Sum(previous []byte) []byte {
	h := sha256.New()
	put := func(field []byte) {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(field)))
		_, _ = h.Write(size[:]) // a hash takes everything
		_, _ = h.Write(field)
	}
	for _, field := range []string{
		chainVersion, string(previous), e.Organization.String(), fmt.Sprint(e.Number), e.At.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano),
		string(e.Actor.Kind), e.Actor.ID.String(), e.Actor.Name, e.Actor.Person, e.Actor.Credential.String(), e.Action,
		e.Object.Kind, e.Object.ID, e.Object.Name, e.From, string(e.Outcome), fmt.Sprint(len(e.Details)),
	} {
		put([]byte(field))
	}
	for _, key := range slices.Sorted(maps.Keys(e.Details)) {
		put([]byte(key))
		put([]byte(e.Details[key]))
	}
	return h.Sum(nil)
}

// Verifier checks a chain, entry by entry from the first one.
type Verifier struct {
	head Head
}

// Next takes the next entry. It is fault.Conflict when the entry cannot be the one that was written after those before it.
func (v *Verifier) Next(e Entry) error {
	if v.head.Hash == nil {
		v.head.Hash = Start()
	}
	switch want := v.head.Number + 1; {
	case e.Number > want:
		return broken("entry %d follows entry %d: what was between them has been removed", e.Number, v.head.Number)
	case e.Number < want:
		return broken("entry %d follows entry %d: it has been inserted, or the order was changed", e.Number, v.head.Number)
	case !bytes.Equal(e.Previous, v.head.Hash):
		return broken("entry %d was written after another entry than the one before it: that one has been replaced, or this one inserted", e.Number)
	case !bytes.Equal(e.Sum(e.Previous), e.Hash):
		return broken("entry %d has been changed: its hash is of other content", e.Number)
	}
	v.head = Head{Number: e.Number, Hash: e.Hash}
	return nil
}

// End returns the end of what was taken so far.
func (v *Verifier) End() Head { return v.head }

// Finish compares the end of what was taken with the end that the chain should have.
func (v *Verifier) Finish(want Head) error {
	switch {
	case v.head.Number < want.Number:
		return broken("the chain ends with entry %d and had %d: the last ones have been removed", v.head.Number, want.Number)
	case v.head.Number > want.Number:
		return broken("the chain ends with entry %d and should have %d: the last ones have been added past the record", v.head.Number, want.Number)
	case want.Number > 0 && !bytes.Equal(v.head.Hash, want.Hash):
		return broken("entry %d has another hash than the chain should end with: it has been written anew", v.head.Number)
	}
	return nil
}

func broken(format string, args ...any) error {
	return fault.New(fault.Conflict, "the audit log does not hold: "+format, args...)
}
