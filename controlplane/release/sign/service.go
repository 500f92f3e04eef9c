package sign

import (
	"cmp"
	"context"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/execution"
	"github.com/seatrial/seatrial/controlplane/release/verdict"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// Store is what signing needs of the database. What is not said to be everybody's is that of the viewer of the context.
type Store interface {
	// SigningKeys returns what ChangeSigningKeys stored of an organization, none when it never did.
	SigningKeys(ctx context.Context, organization tenant.ID) ([]byte, error)
	// ChangeSigningKeys replaces what is stored, in one transaction; change may be called again.
	ChangeSigningKeys(ctx context.Context, organization tenant.ID, change func(old []byte) ([]byte, error)) error
	// OrganizationID finds an organization by its name for everybody, or is fault.NotFound.
	OrganizationID(ctx context.Context, name string) (tenant.ID, error)
	// Names returns the name of an organization; group is empty when no team is asked for.
	Names(ctx context.Context, organization tenant.ID, team uuid.UUID) (org, group string, err error)
	// Execution returns an execution, of which its workflow revision is asked.
	Execution(ctx context.Context, id execution.ID) (execution.Execution, error)
}

// Releases says what a verdict rests upon now.
type Releases interface {
	Input(ctx context.Context, application, version string) (verdict.Input, error)
}

// Config is what the service needs. Clock may be nil.
type Config struct {
	Store     Store
	Releases  Releases
	Log       *slog.Logger
	Clock     func() time.Time
	PublicURL string // address that people use, without a slash at its end; may be empty
	Version   string // of the control plane
}

// Service signs for organizations. It holds no state of its own.
type Service struct{ cfg Config }

// NewService returns a service.
func NewService(c Config) *Service {
	c.Log = c.Log.With("component", "sign")
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return &Service{cfg: c}
}

func (s *Service) now() time.Time { return s.cfg.Clock().UTC().Truncate(time.Microsecond) }

// verifier names this program in verification results, as a URI with its version.
func (s *Service) verifier() string {
	return cmp.Or(s.cfg.PublicURL, "https://seatrial.dev") + "/verifiers/release/" + url.PathEscape(cmp.Or(strings.TrimSpace(s.cfg.Version), "unknown"))
}

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
