package app

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/seatrial/seatrial/agent/config"
	"github.com/seatrial/seatrial/agent/jobspec"
	"github.com/seatrial/seatrial/agent/kube"
	"github.com/seatrial/seatrial/agent/launch"
	"github.com/seatrial/seatrial/agent/link"
)

// Facts that the agent keeps beside its key.
const (
	keyDelivery    = "runner-delivery"
	keyDeliveryFor = "runner-delivery-for"
)

// A cluster that is just coming up gets so long between two tries.
const clusterRetry = 5 * time.Second

// enrol loads the agent's identity and makes it known to the control plane. What an operator can mend is tried again for ever,
// so that the reason stays in the log instead of a crash loop.
func enrol(
	ctx context.Context, client *kube.Client, vault link.Vault, dial link.Options, cfg config.Config, log *slog.Logger,
) (link.Identity, error) {
	identity, err := again(ctx, log, func() (link.Identity, error) { return vault.Load(ctx) })
	if err != nil || identity.Settled(cfg.BootstrapToken) {
		return identity, err
	}
	uid, err := again(ctx, log, func() (string, error) { return client.ClusterUID(ctx) })
	if err != nil {
		return identity, err
	}
	identity, err = link.Enrol(ctx, dial, vault, identity, cfg.BootstrapToken, uid)
	if err != nil {
		return identity, fmt.Errorf("enrol: %w", err)
	}
	return identity, nil
}

func again[T any](ctx context.Context, log *slog.Logger, f func() (T, error)) (T, error) {
	for {
		out, err := f()
		if err == nil {
			return out, nil
		}
		log.ErrorContext(ctx, "not ready, trying again", "error", err, "in", clusterRetry.String())
		timer := time.NewTimer(clusterRetry)
		select {
		case <-ctx.Done():
			timer.Stop()
			return out, fmt.Errorf("give up: %w", ctx.Err())
		case <-timer.C:
		}
	}
}

// delivery reports whether the runner comes as an image volume. What was found out is kept for this API server and runner image.
func delivery(
	ctx context.Context, cfg config.Config, client *kube.Client, vault link.Vault, s jobspec.Settings, version string, log *slog.Logger,
) bool {
	switch cfg.RunnerDelivery {
	case config.DeliveryImageVolume:
		return true
	case config.DeliveryInitCopy:
		return false
	}
	key := version + " " + cfg.RunnerImage
	if last, err := vault.Value(ctx, keyDeliveryFor); err == nil && last == key {
		if way, err := vault.Value(ctx, keyDelivery); err == nil {
			return strings.TrimSpace(way) == config.DeliveryImageVolume
		}
	}
	probe := launch.Probe{Log: log.With("component", "probe"), Client: client, Namespace: cfg.RunNamespaces[0], Settings: s}
	works, known := probe.Run(ctx)
	if !known {
		return works
	}
	way := config.DeliveryInitCopy
	if works {
		way = config.DeliveryImageVolume
	}
	if err := vault.Put(ctx, map[string]string{keyDelivery: way, keyDeliveryFor: key}); err != nil {
		log.WarnContext(ctx, "the way of the runner is not remembered, it is probed again at the next start", "error", err)
	}
	return works
}
