package jsonread_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/results"
	"github.com/seatrial/seatrial/controlplane/results/format/jsonread"
)

// tree reads a document into what encoding/json makes of it.
func tree(j *jsonread.Reader) any {
	switch j.Kind() {
	case '{':
		m := map[string]any{}
		j.Object(func(key string) { m[key] = tree(j) })
		return m
	case '[':
		a := []any{}
		j.Array(func() { a = append(a, tree(j)) })
		return a
	case '"':
		return j.Text()
	case 't', 'f':
		return j.Bool()
	case 'n':
		j.Skip()
		return nil
	}
	return j.Number()
}

func TestReader_SameAsStandard(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"Escapes": `{"a\n\"\\\/\b\f\r\t":"\u00fc\ud83d\ude00 ü"}`,
		"Nested":  ` [ {"a":[1,-2.5e3,true,false,null,[],{}]} , "x" ] `,
		"Alone":   `12`,
		"Null":    "null\n",
	}
	for name, doc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var want any
			if err := json.Unmarshal([]byte(doc), &want); err != nil {
				t.Fatal(err)
			}
			j := jsonread.New(strings.NewReader(doc))
			got := tree(j)
			j.End()
			if diff := cmp.Diff(want, got); diff != "" || j.Err() != nil {
				t.Errorf("%v (-want +got):\n%s", j.Err(), diff)
			}
		})
	}
}

func TestReader_Unreadable(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ doc, reason string }{
		"Empty":     {"", "nothing"},
		"Open":      {`{"a":1`, "cut in the middle"},
		"InString":  {`["a`, "cut in a string"},
		"InEscape":  {`["\u12`, "cut in an escape"},
		"Escape":    {`["\x"]`, "no such escape"},
		"NoColon":   {`{"a" 1}`, "no colon"},
		"NoName":    {`{1:2}`, "a name is a string"},
		"NoComma":   {`[1 2]`, "no comma"},
		"Word":      {`[nil]`, "no such word"},
		"Hex":       {`[0x10]`, "no such number"},
		"Trailing":  {`[] []`, "two documents"},
		"Mixed":     {`[}`, "the wrong bracket"},
		"Deep":      {strings.Repeat("[", 1000), "the stack is bounded"},
		"LongDigit": {"[" + strings.Repeat("1", 10_000) + "]", "nobody means it"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := jsonread.New(strings.NewReader(tc.doc))
			j.Skip()
			j.End()
			if !errors.Is(j.Err(), results.ErrUnreadable) {
				t.Errorf("err = %v: %s", j.Err(), tc.reason)
			}
		})
	}
}

func TestReader_Lenient(t *testing.T) {
	t.Parallel()
	j := jsonread.New(strings.NewReader("\xef\xbb\xbf{\"a\":\"x\x1b\xff\",\"b\":{\"c\":[1]},\"n\":\"12\"}"))
	got := map[string]string{}
	j.Object(func(key string) {
		if key != "b" { // what is not read is skipped
			got[key] = j.Text()
		}
	})
	if diff := cmp.Diff(map[string]string{"a": "x\x1b\uFFFD", "n": "12"}, got); diff != "" || j.Err() != nil {
		t.Errorf("%v %s", j.Err(), diff)
	}
}

func TestReader_CutsStrings(t *testing.T) {
	t.Parallel()
	j := jsonread.New(io.MultiReader(strings.NewReader(`["`), strings.NewReader(strings.Repeat("€", 1<<20)), strings.NewReader(`",1]`)))
	var got []string
	j.Array(func() { got = append(got, j.Text()) })
	if j.Err() != nil || len(got) != 2 || len(got[0]) > results.MaxDetail || strings.Trim(got[0], "€") != "" || got[1] != "1" {
		t.Errorf("%v, %d values", j.Err(), len(got))
	}
}

func FuzzReader(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e3,true,null,"\ud83d\ude00"]}`, `[[[`, "\xef\xbb\xbf1", `"\u0000"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		j := jsonread.New(bytes.NewReader(doc))
		got := tree(j)
		j.End()
		if j.Err() != nil && !errors.Is(j.Err(), results.ErrUnreadable) {
			t.Errorf("%v is not classified", j.Err())
		}
		var want any
		if err := json.Unmarshal(doc, &want); err != nil || j.Err() != nil || !utf8.Valid(doc) { // runs of bad bytes differ
			return
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
