package pages

import (
	"github.com/seatrial/seatrial/controlplane/testcase"
	"github.com/seatrial/seatrial/ui/web/chart"
	"github.com/seatrial/seatrial/ui/web/words"
)

// marks draws the outcomes of a strip, the oldest left.
func marks(letters testcase.Letters) string {
	var cells []chart.Cell
	for i := len(letters) - 1; i >= 0; i-- {
		m := letters.Mark(i)
		cells = append(cells, chart.Cell{Kind: string(m.Outcome), Again: m.Retried})
	}
	return chart.Strip(words.Marks(letters), cells)
}
