package verdict

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// Recompute makes the verdict on an Input that is given as JSON, with the rules that are in it, and returns the Output as JSON. The same
// bytes give the same bytes, on whatever machine: who signs a verdict and who checks one both call it.
//
// It is Invalid when the text is no input, has something that this version does not know and might judge by, or contradicts itself,
// and Unavailable when ctx ended before there was a verdict.
func Recompute(ctx context.Context, input []byte) ([]byte, error) {
	in, err := parse(input)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the input of the verdict cannot be read")
	}
	out, err := Judge(ctx, in)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(out)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "write the verdict")
	}
	return text, nil
}

// Judge makes the verdict on an input with the rules that are in it. Errors are those of Compile and Decide.
func Judge(ctx context.Context, in Input) (Output, error) {
	rules, err := Compile(in.Policy)
	if err != nil {
		return Output{}, err
	}
	return Decide(ctx, rules, in)
}

func parse(text []byte) (in Input, err error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields() // they may change what the verdict is
	if err := dec.Decode(&in); err != nil {
		return in, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return in, errors.New("something follows it")
	}
	return in, nil
}
