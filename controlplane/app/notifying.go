package app

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/seatrial/seatrial/controlplane/config"
	"github.com/seatrial/seatrial/controlplane/notify"
	"github.com/seatrial/seatrial/controlplane/notify/mail"
	"github.com/seatrial/seatrial/controlplane/outbound"
)

// mailer returns what sends e-mail; nil when the operator names no mail server.
func mailer(c config.SMTP) (notify.Mailer, error) {
	if c.Address == "" {
		return nil, nil //nolint:nilnil // there is none
	}
	out := mail.Config{Address: c.Address, From: c.From, User: c.User, Password: c.Password, Mode: mail.Mode(c.TLS), Domains: c.Domains}
	if c.CA != "" {
		text, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fmt.Errorf("--smtp-ca: %w", err)
		}
		out.Roots = x509.NewCertPool()
		if !out.Roots.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--smtp-ca: %s holds no certificate", c.CA)
		}
	}
	m, err := mail.New(out)
	if err != nil {
		return nil, fmt.Errorf("--smtp-address, --smtp-from, --smtp-tls: %w", err)
	}
	return m, nil
}

// notifying starts what tells other systems of what happens.
func (p *parts) notifying(ctx context.Context) error {
	rules, err := p.Config.Outbound()
	if err != nil {
		return fmt.Errorf("rules of outbound requests: %w", err)
	}
	mailer, err := mailer(p.Config.SMTP)
	if err != nil {
		return err
	}
	sender := notify.NewSender(notify.Config{Store: p.store, Client: outbound.New(rules), Mail: mailer, Log: p.log, Address: p.Config.PublicURL})
	p.webhooks = notify.New(p.store, sender, outbound.Rules{Allow: rules.Allow, Ports: rules.Ports})
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var over sync.WaitGroup
	over.Go(func() { sender.Run(ctx) })
	over.Go(func() {
		ticker := time.NewTicker(sweepResultsEvery)
		defer ticker.Stop()
		for {
			p.try(ctx, "old notices", sender.Forget)
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	})
	p.later("notifications", func(context.Context) error {
		cancel()
		over.Wait()
		return nil
	})
	return nil
}
