package origin

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// Repository is a git repository whose documents belong to the catalog.
type Repository struct {
	ID uuid.UUID
	// Organization that it is of.
	Organization uuid.UUID
	Name         string // in the organization
	URL          string
	Branch       string // that of the repository when empty
	Path         string // of the folder; the whole repository when empty
	Kinds        Kinds
	Team         string
	TeamID       uuid.UUID
	Interval     time.Duration // between looks
	Sealed       bool          // it has a credential
	Commit       string        // that was applied last
	Documents    int           // that it has there
	Failure      string        // why it could not be read the last time
	Problems     []Problem     // of its documents
	SyncedAt     time.Time     // when it was read last; zero when never
	CreatedAt    time.Time
	Tips         Tips // where its branches and tags are; nil when nobody asks, and in lists
}

// Origin returns the repository as the origin of documents.
func (r Repository) Origin() Origin { return Origin{Repository: r.ID, Place: r.Name} }

// Problem is why a document of a repository is not in the catalog as it is there.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"` // from 1; 0 when unknown
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
}

// Look is what came of reading a repository.
type Look struct {
	Commit    string // empty when it could not be read
	Documents int
	Failure   string
	Problems  []Problem
	Tips      Tips // nil when nobody asks for them
}

// Credential is how the control plane reads a repository. It is stored sealed.
type Credential struct {
	User     string `json:"user,omitempty"`     // of https; the forge decides whether it matters
	Token    string `json:"token,omitempty"`    // of https
	Key      string `json:"key,omitempty"`      // private key of ssh, as PEM
	HostKeys string `json:"hostKeys,omitempty"` // lines of known_hosts, which ssh needs
}

// Empty reports whether there is none.
func (c Credential) Empty() bool { return c == Credential{} }

// Check returns fault.Invalid for what cannot be used.
func (c Credential) Check() error {
	switch {
	case c.Token != "" && c.Key != "":
		return fault.New(fault.Invalid, "there is a token and a key: a repository is read with one of them").WithField("token")
	case c.Key != "" && c.HostKeys == "":
		return fault.New(fault.Invalid, "the host keys of the server are missing, so nobody would know who answers").WithField("host_keys").
			WithHint("Give the output of ssh-keyscan, once you have compared it with what the forge publishes.")
	}
	return nil
}

// Concerns reports whether a push to a branch of a repository of a forge, such as acme/shop, may change what is read. Where the repository's
// own branch is meant, any branch may be it.
func (r Repository) Concerns(path, branch string) bool {
	own := strings.TrimSuffix(strings.TrimRight(strings.ToLower(r.URL), "/"), ".git")
	path = strings.ToLower(strings.Trim(path, "/"))
	rest, ok := strings.CutSuffix(own, path)
	return path != "" && ok && (strings.HasSuffix(rest, "/") || strings.HasSuffix(rest, ":")) && (r.Branch == "" || r.Branch == branch)
}
