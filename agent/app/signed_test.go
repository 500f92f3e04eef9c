package app_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/agent/app"
	"github.com/seatrial/seatrial/proto/runspec"
)

// TestRun_Demands holds that the log of an agent says whether it demands signatures.
func TestRun_Demands(t *testing.T) {
	t.Parallel()
	for want, keys := range map[string][]runspec.Key{"signatures are not demanded": nil, "signatures are demanded": make([]runspec.Key, 1)} {
		w := setup(t)
		w.cfg.Signed.Keys, w.cfg.Metrics = keys, "nowhere" // it goes no further
		var log bytes.Buffer
		if err := app.Run(t.Context(), w.cfg, "v1", slog.New(slog.NewJSONHandler(&log, nil))); err == nil || !strings.Contains(log.String(), want) {
			t.Errorf("%v, the log says %s, want %q", err, log.String(), want)
		}
	}
}
