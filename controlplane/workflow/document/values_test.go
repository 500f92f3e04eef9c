package document_test

import (
	"testing"

	"github.com/seatrial/seatrial/controlplane/workflow/document"
)

func TestQuantity_Bytes(t *testing.T) {
	t.Parallel()
	for q, want := range map[document.Quantity]int64{
		"1": 1, "500Mi": 500 << 20, "1.5Ki": 1536, "2G": 2e9, "1e3": 1000, "7k": 7000, "1Ei": 1 << 60,
		"": 0, "0": 0, "100m": 0, "9Ei": 0, "1Xi": 0, "-1": 0, "Mi": 0, "1MiB": 0,
	} {
		if got, ok := q.Bytes(); got != want || ok != (want > 0) {
			t.Errorf("%q is %d, %v; want %d", q, got, ok, want)
		}
	}
}
