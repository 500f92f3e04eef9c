package words

import (
	"fmt"

	"github.com/seatrial/seatrial/controlplane/release/outlook"
)

// Outlook says in a sentence how releases fare.
func Outlook(o outlook.Outlook) string {
	if o.Releases == 0 {
		return ""
	}
	verb := "are"
	if o.Ready == 1 {
		verb = "is"
	}
	s := fmt.Sprintf("%d of %s %s ready", o.Ready, Count(int64(o.Releases), "release"), verb)
	if o.Waived > 0 {
		s += fmt.Sprintf(", %d of them with waivers", o.Waived)
	}
	return s + "."
}
