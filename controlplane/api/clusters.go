package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/controlplane/cluster"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

const defaultNamespace = "seatrial-tests"

// Install says how an agent reaches this control plane.
type Install struct {
	Chart   string // path or address of the agent's chart
	Address string // host:port of the agent port, as clusters see it
	CA      string // PEM of the certificate authority that agents must trust; empty when publicly trusted
}

// Command returns the Helm command that installs the agent of a cluster. The token in it is a secret. Each cluster's release has
// a name of its own, because one Kubernetes cluster may be enrolled under several names. Where the environment that was asked for has
// moved to another cluster, tests run in the namespace that was asked for, empty for the default. A cluster that is known already has
// values that its owner has given, such as the keys of those who may sign and what is allowed: they are kept.
func (i Install) Command(c cluster.Cluster, e cluster.Environment, asked, token string) string {
	namespace := e.Namespace
	if e.ClusterID != c.ID {
		namespace = cmp.Or(asked, defaultNamespace)
	}
	upgrade := "helm upgrade --install"
	if c.UID != "" {
		upgrade += " --reset-then-reuse-values" // Helm 3.14
	}
	namespaces := slices.Clone(c.Namespaces)
	if !slices.Contains(namespaces, namespace) {
		namespaces = append(namespaces, namespace)
	}
	lines := []string{
		upgrade + " seatrial-" + c.Name + " " + i.Chart, "--namespace seatrial --create-namespace",
		"--set controlPlane.address=" + quote(i.Address),
		"--set bootstrapToken=" + quote(token),
		"--set runNamespaces=" + quote("{"+strings.Join(namespaces, ",")+"}") + " --set createRunNamespaces=true",
	}
	if i.CA != "" {
		lines = append(lines, "--set-literal controlPlane.ca="+quote(strings.TrimSpace(i.CA)))
	}
	return strings.Join(lines, " \\\n  ")
}

// quote makes one word of the shell of a text.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// Enroll registers a cluster with the defaults for what is left out.
func Enroll(ctx context.Context, to Enroller, name, environment, namespace string) (
	c cluster.Cluster, e cluster.Environment, token string, expires time.Time, err error,
) {
	if environment == "" {
		environment = name
	}
	if namespace == "" {
		namespace = defaultNamespace
	}
	c, e, token, expires, err = to.EnrollCluster(ctx, name, environment, namespace)
	if err != nil {
		err = fmt.Errorf("enroll cluster %s: %w", name, err)
	}
	return c, e, token, expires, err
}

// EnrollCluster implements ClusterServiceHandler.
func (s *server) EnrollCluster(ctx context.Context, r *apiv1.EnrollClusterRequest) (*apiv1.EnrollClusterResponse, error) {
	c, e, token, expires, err := Enroll(ctx, s.Enroller, r.GetName(), r.GetEnvironment(), r.GetNamespace())
	if err != nil {
		return nil, err
	}
	return &apiv1.EnrollClusterResponse{
		Cluster: clusterOf(c), Environment: environmentOf(e), BootstrapToken: token, ExpiresAt: timeOf(expires),
		AgentAddress: s.Install.Address, AgentCa: s.Install.CA, Command: s.Install.Command(c, e, r.GetNamespace(), token),
	}, nil
}

// RevokeCluster implements ClusterServiceHandler.
func (s *server) RevokeCluster(ctx context.Context, r *apiv1.RevokeClusterRequest) (*apiv1.RevokeClusterResponse, error) {
	c, err := s.Enroller.RevokeCluster(ctx, r.GetName(), strings.TrimSpace(r.GetReason()))
	if err != nil {
		return nil, fmt.Errorf("revoke cluster %s: %w", r.GetName(), err)
	}
	return &apiv1.RevokeClusterResponse{Cluster: clusterOf(c)}, nil
}

// RotateClusterKey implements ClusterServiceHandler.
func (s *server) RotateClusterKey(ctx context.Context, r *apiv1.RotateClusterKeyRequest) (*apiv1.RotateClusterKeyResponse, error) {
	c, err := s.Enroller.RotateClusterKey(ctx, r.GetName())
	if err != nil {
		return nil, fmt.Errorf("rotate the key of cluster %s: %w", r.GetName(), err)
	}
	return &apiv1.RotateClusterKeyResponse{Cluster: clusterOf(c)}, nil
}

// DrainCluster implements ClusterServiceHandler.
func (s *server) DrainCluster(ctx context.Context, r *apiv1.DrainClusterRequest) (*apiv1.DrainClusterResponse, error) {
	c, err := s.Queues.DrainCluster(ctx, r.GetName(), strings.TrimSpace(r.GetReason()))
	if err != nil {
		return nil, err //nolint:wrapcheck // it says what it was about
	}
	return &apiv1.DrainClusterResponse{Cluster: clusterOf(c)}, nil
}

// UndrainCluster implements ClusterServiceHandler.
func (s *server) UndrainCluster(ctx context.Context, r *apiv1.UndrainClusterRequest) (*apiv1.UndrainClusterResponse, error) {
	c, err := s.Queues.UndrainCluster(ctx, r.GetName())
	if err != nil {
		return nil, err //nolint:wrapcheck // it says what it was about
	}
	return &apiv1.UndrainClusterResponse{Cluster: clusterOf(c)}, nil
}

// LimitCluster implements ClusterServiceHandler.
func (s *server) LimitCluster(ctx context.Context, r *apiv1.LimitClusterRequest) (*apiv1.LimitClusterResponse, error) {
	c, err := s.Queues.LimitCluster(ctx, r.GetName(), int(r.GetMaxRuns()))
	if err != nil {
		return nil, err //nolint:wrapcheck // it says what it was about
	}
	return &apiv1.LimitClusterResponse{Cluster: clusterOf(c)}, nil
}

// ExamineCluster implements ClusterServiceHandler.
func (s *server) ExamineCluster(ctx context.Context, r *apiv1.ExamineClusterRequest) (*apiv1.ExamineClusterResponse, error) {
	c, found, err := s.Examiner.ExamineCluster(ctx, r.GetName())
	if err != nil {
		return nil, err //nolint:wrapcheck // it says what it was about
	}
	out := &apiv1.ExamineClusterResponse{Cluster: clusterOf(c), ExaminedAt: timeOf(found.At)}
	for _, k := range found.Checks {
		out.Checks = append(out.Checks, &apiv1.ClusterCheck{Check: k.Name, State: k.State, Found: k.Found, Do: k.Remedy})
	}
	return out, nil
}

// ListClusters implements ClusterServiceHandler.
func (s *server) ListClusters(ctx context.Context, _ *apiv1.ListClustersRequest) (*apiv1.ListClustersResponse, error) {
	list, err := s.Fleet.Clusters(ctx)
	if err != nil {
		return nil, fmt.Errorf("list clusters: %w", err)
	}
	out := &apiv1.ListClustersResponse{}
	for _, c := range list {
		out.Clusters = append(out.Clusters, clusterOf(c))
	}
	return out, nil
}

// ListEnvironments implements ClusterServiceHandler.
func (s *server) ListEnvironments(ctx context.Context, _ *apiv1.ListEnvironmentsRequest) (*apiv1.ListEnvironmentsResponse, error) {
	list, err := s.Fleet.Environments(ctx)
	if err != nil {
		return nil, fmt.Errorf("list environments: %w", err)
	}
	clusters, err := s.Fleet.Clusters(ctx)
	if err != nil {
		return nil, fmt.Errorf("list clusters: %w", err)
	}
	connected := map[cluster.ID]bool{}
	for _, c := range clusters {
		connected[c.ID] = c.Connected
	}
	out := &apiv1.ListEnvironmentsResponse{}
	for _, e := range list {
		one := environmentOf(e)
		one.Connected = connected[e.ClusterID]
		out.Environments = append(out.Environments, one)
	}
	return out, nil
}
