package canonical_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/release/attest/canonical"
)

func TestText(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ in, want, reason string }{
		"Order":     {`{"b":1,"a":{"d":2,"c":3}}`, `{"a":{"c":3,"d":2},"b":1}`, "members are sorted at every level"},
		"Blanks":    {" { \"a\" : [ 1 ,\n2 ] } ", `{"a":[1,2]}`, "white space means nothing"},
		"UTF16":     {`{"\ufb33":1,"😀":2,"€":3}`, "{\"€\":3,\"😀\":2,\"\ufb33\":1}", "RFC 8785 sorts by UTF-16: the pair comes before U+FB33"},
		"HTML":      {`"\u003ca href=\u0026\u003e"`, `"<a href=&>"`, "no escapes that are not needed"},
		"Escapes":   {`"\u0008\u000c\u000a\u000d\u0009\u0000\u001f\"\\\/\u2028"`, "\"\\b\\f\\n\\r\\t\\u0000\\u001f\\\"\\\\/\u2028\"", "RFC 8785"},
		"Words":     {`[true,false,null]`, `[true,false,null]`, "as they are"},
		"Empty":     {`{"a":{},"b":[],"":""}`, `{"":"","a":{},"b":[]}`, "empty is not absent"},
		"Numbers":   {`[1E30,4.50,2e-3,0.000000000000000000000000001,1.0,100e-2,-0,-0.0,10,-1.5e3]`, `[1e+30,4.5,0.002,1e-27,1,1,0,0,10,-1500]`, "RFC 8785"},
		"Borders":   {`[1e20,1e21,0.000001,0.0000001,123456789012345678901,1234567890123456789012]`, `[100000000000000000000,1e+21,0.000001,1e-7,123456789012345678901,1.234567890123456789012e+21]`, "where an exponent begins"},
		"AllDigits": {`[9007199254740993,333333333.33333329,0.1000000000000000055511151231257827]`, `[9007199254740993,333333333.33333329,0.1000000000000000055511151231257827]`, "no double in between"},
		"Exponents": {`[1e400,12e-400,0e9999]`, `[1e+400,1.2e-399,0]`, "beyond a double"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := canonical.Text([]byte(tc.in))
			if err != nil || string(got) != tc.want {
				t.Errorf("Text(%s) = %s, %v; want %s: %s", tc.in, got, err, tc.want, tc.reason)
			}
		})
	}
}

func TestText_Err(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ in, reason string }{
		"Nothing":   {"", "no value"},
		"Twice":     {`{"a":1,"b":2,"a":1}`, "two readers would see two values"},
		"TwiceHere": {`[{"a":1,"\u0061":2}]`, "the same name, written in another way"},
		"Two":       {`1 2`, "something follows"},
		"Cut":       {`{"a":[1,`, "ends early"},
		"Comma":     {`[1,]`, "not JSON"},
		"Crossed":   {`[}`, "not JSON"},
		"NaN":       {`NaN`, "not JSON"},
		"Zeros":     {`01`, "not JSON"},
		"UTF8":      {"\"\xff\"", "not text"},
		"Deep":      {strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000), "bounded"},
		"Exponent":  {`1e99999999999999999999`, "bounded"},
		"Large":     {`-1e10001`, "bounded"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := canonical.Text([]byte(tc.in)); !fault.Is(err, fault.Invalid) {
				t.Errorf("Text = %s, %v, want Invalid: %s", got, err, tc.reason)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	type value struct {
		B json.RawMessage `json:"b"`
		A float64         `json:"a"`
	}
	got, err := canonical.JSON(value{json.RawMessage(`{"y": 1.0, "x": "<"}`), 0.1})
	if want := `{"a":0.1,"b":{"x":"<","y":1}}`; err != nil || string(got) != want {
		t.Errorf("JSON = %s, %v, want %s: raw JSON is brought into form too", got, err, want)
	}
	if _, err := canonical.JSON(math.NaN()); !fault.Is(err, fault.Invalid) {
		t.Errorf("%v: not a number is no JSON", err)
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		in     string
		ok     bool
		reason string
	}{
		"Unknown": {`{"a":1,"z":[]}`, true, "later versions may add members"},
		"Type":    {`{"a":"x"}`, false, "not what was meant"},
		"Twice":   {`{"a":1,"a":2}`, false, "encoding/json would take the last one"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var v struct{ A int }
			if err := canonical.Decode([]byte(tc.in), &v); (err == nil) != tc.ok || (err != nil && !fault.Is(err, fault.Invalid)) {
				t.Errorf("%v: %s", err, tc.reason)
			}
		})
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{`{"b":[1,-2.5e3,true,null,"\ud83d\ude00"],"a":{}}`, `[1e-7,1e21]`, `"\u0000"`, `{"a":1,"a":1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		text, err := canonical.Text(doc)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%v is not classified", err)
			}
			return
		}
		if again, err := canonical.Text(text); err != nil || !bytes.Equal(again, text) {
			t.Errorf("%s becomes %s, %v", text, again, err)
		}
		var want, got any
		if json.Unmarshal(doc, &want) != nil { // a number beyond a double
			return
		}
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("another value (-want +got):\n%s", diff)
		}
	})
}
