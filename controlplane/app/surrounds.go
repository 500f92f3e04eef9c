package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/seatrial/seatrial/controlplane/agentlink"
	"github.com/seatrial/seatrial/controlplane/blob"
	"github.com/seatrial/seatrial/controlplane/bus"
	"github.com/seatrial/seatrial/controlplane/certs"
	"github.com/seatrial/seatrial/controlplane/config"
	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/intake"
)

// blobFolder is that of files in the data folder.
const blobFolder = "blobs"

// hints is a bus, in this process or over Redis.
type hints interface {
	Publish(ctx context.Context, topic string)
	Subscribe(ctx context.Context, topics ...string) (wake <-chan struct{}, cancel func())
	Close() error
}

// blobs is a store of bytes, in files or in an object store.
type blobs interface {
	Put(ctx context.Context, key string, r io.Reader, size int64, contentType string) error
	Open(ctx context.Context, key string) (io.ReadSeekCloser, error)
	Close() error
}

// agentPort is how the agents' port proves who it is.
type agentPort struct {
	addr net.Addr
	tls  *tls.Config
	ca   string // PEM that agents must trust; empty when publicly trusted
}

// received lets agentlink hand files to intake without naming io.
type received struct{ *intake.Intake }

// File implements agentlink.Intake.
func (r received) File(ctx context.Context, f execution.File, body agentlink.Reader) error {
	return r.Intake.File(ctx, f, body) //nolint:wrapcheck // transparent
}

// surrounds opens what the stages share beside the database.
func (p *parts) surrounds(ctx context.Context) error {
	p.bus = bus.NewLocal()
	if p.Config.Redis != "" {
		remote, err := bus.NewRedis(ctx, p.Config.Redis, p.log)
		if err != nil {
			return fmt.Errorf("--redis: %w", err)
		}
		p.bus = remote
	}
	p.later("bus", func(context.Context) error { return p.bus.Close() })
	store, err := openBlobs(ctx, p.Config)
	if err != nil {
		return fmt.Errorf("open the store of files: %w", err)
	}
	p.blobs = store
	p.later("store of files", func(context.Context) error { return store.Close() })
	p.port, err = agentTLS(p.Config, p.log)
	return err
}

func openBlobs(ctx context.Context, c config.Config) (blobs, error) {
	if c.S3.Endpoint == "" {
		return blob.NewDir(filepath.Join(c.DataDir, blobFolder)) //nolint:wrapcheck // the caller says what for
	}
	return blob.NewS3(ctx, blob.S3Options{ //nolint:wrapcheck // the caller says what for
		Endpoint: c.S3.Endpoint, Bucket: c.S3.Bucket, Region: c.S3.Region, AccessKey: c.S3.AccessKey, SecretKey: c.S3.SecretKey,
		Insecure: c.S3.Insecure,
	})
}

// agentTLS takes the given certificate, or one of the authority in the data folder.
func agentTLS(c config.Config, log *slog.Logger) (agentPort, error) {
	if c.AgentCert == "" {
		authority, err := certs.Open(c.DataDir, time.Now, agentNames(c)...)
		if err != nil {
			return agentPort{}, fmt.Errorf("certificate of the agents' port: %w", err)
		}
		return agentPort{tls: authority.TLS(), ca: authority.PEM()}, nil
	}
	files, err := certs.OpenFiles(c.AgentCert, c.AgentKey, time.Now, log)
	if err != nil {
		return agentPort{}, fmt.Errorf("--agent-tls-cert: %w", err)
	}
	port := agentPort{tls: files.TLS()}
	if c.AgentCA != "" {
		trusted, err := os.ReadFile(c.AgentCA)
		if err != nil {
			return agentPort{}, fmt.Errorf("--agent-tls-ca: %w", err)
		}
		port.ca = string(trusted)
	}
	return port, nil
}

// agentNames are all names by which a cluster may reach this machine: what agents are told, and what they may be told next.
func agentNames(c config.Config) []string {
	names := []string{"localhost", "127.0.0.1", "::1"}
	if host, _, err := net.SplitHostPort(c.AgentAddress); err == nil {
		names = append(names, host)
	}
	if name, err := os.Hostname(); err == nil {
		names = append(names, name)
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return names
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() {
			names = append(names, n.IP.String())
		}
	}
	return names
}
