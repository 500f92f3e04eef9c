package app

import (
	"context"
	"path/filepath"
	"time"

	"github.com/seatrial/seatrial/controlplane/diagnose"
)

// diagnose lets the operator look into this process. That it cannot is no reason not to serve.
func (p *parts) diagnose(ctx context.Context) error {
	stop, err := diagnose.Serve(filepath.Join(p.Config.DataDir, diagnose.Socket), diagnose.Options{
		Version: p.Version, Started: time.Now(), Settings: p.Config.Shown, Metrics: p.metricsHandler(), Log: p.log,
	})
	if err != nil {
		p.log.WarnContext(ctx, "nobody can look into this replica", "error", err)
		return nil
	}
	p.later("what looks into this replica", stop)
	return nil
}
