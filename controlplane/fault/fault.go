// Package fault is the error type of the control plane: a kind that the edges map to Connect codes and HTTP statuses, the
// field at fault, and a hint that says what to do.
package fault

import (
	"errors"
	"fmt"
)

// Kind classifies an error by what the caller can do about it.
type Kind string

// The kinds. An error without one is Internal.
const (
	Invalid         Kind = "invalid"         // the input is wrong; sending it again will not help
	NotFound        Kind = "not_found"       // absent, or another tenant's: the two look the same
	Unauthenticated Kind = "unauthenticated" // no credential, or one that is expired or revoked
	Forbidden       Kind = "forbidden"       // the credential does not allow it
	Conflict        Kind = "conflict"        // the state does not allow it now
	Exhausted       Kind = "exhausted"       // a quota or limit is reached
	Unavailable     Kind = "unavailable"     // a part is away; try again
	Unsupported     Kind = "unsupported"     // known to the language, not built yet
	Internal        Kind = "internal"        // a defect; the text is not shown
)

// Place is one fault of a document.
type Place struct {
	Field   string // path such as "spec.steps[0].run"
	Line    int    // from 1; 0 when unknown
	Column  int    // from 1; 0 when unknown
	Message string
}

// Error is an error with a kind. Message says what and where, Hint what to do.
type Error struct {
	Kind    Kind
	Field   string
	Message string
	Hint    string
	Places  []Place
	Err     error
}

// Error returns the message, followed by the wrapped error's.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// New returns an error of a kind with a formatted message. To keep a cause, use Wrap.
func New(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Wrap gives a cause a kind and a message.
func Wrap(kind Kind, err error, message string) *Error {
	return &Error{Kind: kind, Message: message, Err: err}
}

// WithField returns a copy that names the field at fault.
func (e *Error) WithField(path string) *Error {
	c := *e
	c.Field = path
	return &c
}

// WithHint returns a copy that says what to do.
func (e *Error) WithHint(format string, args ...any) *Error {
	c := *e
	c.Hint = fmt.Sprintf(format, args...)
	return &c
}

// KindOf returns the kind of the first Error in the chain, Internal when there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Is reports whether err has the kind.
func Is(err error, kind Kind) bool { return err != nil && KindOf(err) == kind }

// Sentence is what a person needs to know of a fault: what is wrong with the request, not how deep it was found.
func Sentence(err error) string {
	var f *Error
	if !errors.As(err, &f) {
		return err.Error()
	}
	said := f.Message
	if len(f.Places) > 0 {
		said = f.Places[0].Field + ": " + f.Places[0].Message
	}
	if more := len(f.Places) - 1; more > 0 {
		said += fmt.Sprintf(", and %d more faults", more)
	}
	if f.Hint != "" {
		said += ". " + f.Hint
	}
	return said
}
