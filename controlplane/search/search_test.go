package search_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/search"
)

func TestWords(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text, reason string
		want         []string
	}{
		"nothing":   {"", "no text has no words", nil},
		"signs":     {" › :: -- ", "signs are no words", nil},
		"go":        {"TestCheckoutPays/with_card", "each word of a run begins one", []string{"testcheckoutpays", "checkoutpays", "pays", "with", "card"}},
		"acronym":   {"HTTPServerOK", "an acronym is one word, as is its end", []string{"httpserverok", "serverok", "ok"}},
		"pytest":    {"tests/test_pay.py::test_card[3]", "signs divide, and each word counts once", []string{"tests", "test", "pay", "py", "card", "3"}},
		"version":   {"payments 2.4.1-rc1", "a version is its parts", []string{"payments", "2", "4", "1", "rc1"}},
		"digest":    {"sha256:" + strings.Repeat("ab", 32), "the beginning of a long word is enough", []string{"sha256", strings.Repeat("ab", 24)}},
		"umlauts":   {"Prüfung der Übergabe", "letters are letters", []string{"prüfung", "der", "übergabe"}},
		"combining": {"e\u0301te\u0301", "what belongs to a letter does not divide", []string{"e\u0301te\u0301"}},
		"broken":    {"pay\xff\xfecard", "what is no text divides", []string{"pay", "card"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, search.Words(tc.text)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
	if got := search.Words("a b", "b c"); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("of several texts: %v", got)
	}
}

func TestAsked(t *testing.T) {
	t.Parallel()
	if got := search.Asked("CheckoutPays  checkoutpays 2.4"); !slices.Equal(got, []string{"checkoutpays", "2", "4"}) {
		t.Errorf("%v: want no word of a run but its beginning", got)
	}
	if got := search.Asked("a b c d e f g h i j"); len(got) != 8 {
		t.Errorf("%d words count", len(got))
	}
}

func TestAfter(t *testing.T) {
	t.Parallel()
	for prefix, want := range map[string]string{"pay": "paz", "a\xff": "b", "\xff\xff": ""} {
		if got := string(search.After(prefix)); got != want {
			t.Errorf("after %q comes %q, want %q", prefix, got, want)
		}
	}
}

// FuzzWords: whatever a name holds, its words can be stored, and are found by what they begin with.
func FuzzWords(f *testing.F) {
	for _, seed := range []string{"TestCheckoutPays", "\xff", "Ⅷ", strings.Repeat("ǅ", 60), "a\x00b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		words := search.Words(text)
		for _, w := range words {
			if w == "" || len(w) > 48 || !utf8.ValidString(w) {
				t.Errorf("%q has the word %q", text, w)
			}
		}
		for _, w := range search.Asked(text) {
			if len(words) < 48 && !slices.Contains(words, w) {
				t.Errorf("%q is not found by %q", text, w)
			}
		}
	})
}

// fake finds n things of each kind.
type fake struct {
	n     int
	lists []int // what ListForSearch returns, one after the other
	asked []search.Kind
}

func (f *fake) Find(_ context.Context, k search.Kind, t search.Terms) ([]search.Hit, error) {
	f.asked = append(f.asked, k)
	if k == search.Failure {
		return nil, nil
	}
	return make([]search.Hit, min(f.n, t.Limit)), nil
}

var errStore = errors.New("the store is away")

func (f *fake) ListForSearch(context.Context, int) (int, error) {
	if len(f.lists) == 0 {
		return 0, errStore
	}
	n := f.lists[0]
	f.lists = f.lists[1:]
	return n, nil
}

func TestService_Search(t *testing.T) {
	t.Parallel()
	t.Run("OK", func(t *testing.T) {
		t.Parallel()
		f := &fake{n: 11}
		got, err := search.New(f).Search(t.Context(), search.Question{Text: " pay "})
		if err != nil || got.Text != "pay" || len(got.Groups) != 4 || got.None() {
			t.Fatalf("%+v, %v: want those kinds that something was found of", got, err)
		}
		if g := got.Groups[0]; g.Kind != search.Workflow || len(g.Hits) != 10 || !g.More {
			t.Errorf("%+v: want ten, and that there is more", g)
		}
		if got, err := search.New(f).Search(t.Context(), search.Question{Text: "pay", Each: 11}); err != nil || got.Groups[0].More {
			t.Errorf("%+v, %v: there is no more", got, err)
		}
	})
	t.Run("OfOneKind", func(t *testing.T) {
		t.Parallel()
		f := &fake{n: 1}
		if _, err := search.New(f).Search(t.Context(), search.Question{Text: "pay", Kinds: []search.Kind{search.Test}}); err != nil || !slices.Equal(f.asked, []search.Kind{search.Test}) {
			t.Errorf("asked for %v, %v", f.asked, err)
		}
	})
	t.Run("NoWords", func(t *testing.T) {
		t.Parallel()
		f := &fake{n: 1}
		if got, err := search.New(f).Search(t.Context(), search.Question{Text: " -- "}); err != nil || !got.None() || len(f.asked) > 0 {
			t.Errorf("%+v, %v, asked for %v", got, err, f.asked)
		}
	})
	for name, q := range map[string]search.Question{
		"ErrLong": {Text: strings.Repeat("ü", 201)}, "ErrKind": {Text: "a", Kinds: []search.Kind{"person"}}, "ErrMany": {Text: "a", Each: 51}, "ErrNegative": {Text: "a", Each: -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := search.New(&fake{}).Search(t.Context(), q); !fault.Is(err, fault.Invalid) {
				t.Error(err)
			}
		})
	}
}

func TestService_List(t *testing.T) {
	t.Parallel()
	f := &fake{lists: []int{500, 500, 3, 7}}
	if err := search.New(f).List(t.Context()); err != nil || len(f.lists) != 1 {
		t.Errorf("%v, left %v: want that it goes on until nothing is left", err, f.lists)
	}
	if err := search.New(&fake{}).List(t.Context()); !errors.Is(err, errStore) {
		t.Error(err)
	}
}
