package qr_test

import (
	"strings"
	"testing"

	"github.com/seatrial/seatrial/ui/web/qr"
)

func TestDraw(t *testing.T) {
	t.Parallel()
	c, err := qr.Draw("otpauth://totp/Seatrial:ada@acme.example?secret=ABC")
	if err != nil {
		t.Fatal(err)
	}
	// The finder pattern in the corner: seven dark modules in a row, after the border.
	if c.Size != 29+8 && c.Size != 33+8 || !strings.HasPrefix(c.Path, "M4 4h7v1h-7z") {
		t.Errorf("size %d, path %.40s", c.Size, c.Path)
	}
	if _, err := qr.Draw(strings.Repeat("x", 5000)); err == nil {
		t.Error("a text that no code can hold was drawn")
	}
}
