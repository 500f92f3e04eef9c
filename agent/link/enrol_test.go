package link_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/seatrial/seatrial/agent/link"
	"github.com/seatrial/seatrial/agent/workfake"
)

func TestEnrol_OnceForAllRestarts(t *testing.T) {
	t.Parallel()
	plane := workfake.NewControlPlane(t)
	v := vault(t, workfake.NewCluster(t))
	o := options(plane, make(chan told, 64))
	var pins, agents []string
	for range 2 {
		i, err := v.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if i, err = link.Enrol(t.Context(), o, v, i, workfake.Bootstrap, workfake.ClusterUID); err != nil {
			t.Fatal(err)
		}
		pins, agents = append(pins, i.Pin()), append(agents, i.AgentID)
	}
	if plane.Calls("Enrol") != 1 {
		t.Errorf("enrolled %d times: the token is spent after the first", plane.Calls("Enrol"))
	}
	if pins[0] != pins[1] || agents[1] != workfake.AgentID {
		t.Errorf("pins %v, agents %v: the runners of the pods know the agent by its key", pins, agents)
	}
}

func TestEnrol_SaysWhatToDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ reason, token, says string }{
		"no token":      {"the chart was installed without one", "", "set bootstrapToken"},
		"unknown token": {"it is spent or mistyped", "stb_other", "create a new one"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plane := workfake.NewControlPlane(t)
			v := vault(t, workfake.NewCluster(t))
			states := make(chan told, 64)
			i, err := v.Load(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() {
				_, err := link.Enrol(ctx, options(plane, states), v, i, c.token, workfake.ClusterUID)
				ended <- err
			}()
			if got := next(t, "a state", states); got.state != link.StateNotEnrolled || !strings.Contains(got.err.Error(), c.says) {
				t.Errorf("%s: told %q, %v", c.reason, got.state, got.err)
			}
			cancel()
			if err := next(t, "the end", ended); !errors.Is(err, context.Canceled) {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

func TestEnrol_AgainWhenTheAnswerCouldNotBeStored(t *testing.T) {
	t.Parallel()
	plane, cluster := workfake.NewControlPlane(t), workfake.NewCluster(t)
	v := vault(t, cluster)
	i, err := v.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var failed atomic.Bool
	cluster.Fault(func(c workfake.Call) error {
		if c.Verb == "update" && failed.CompareAndSwap(false, true) {
			return apierrors.NewInternalError(errors.New("etcd"))
		}
		return nil
	})
	if i, err = link.Enrol(t.Context(), options(plane, make(chan told, 64)), v, i, workfake.Bootstrap, workfake.ClusterUID); err != nil {
		t.Fatal(err)
	}
	again, err := v.Load(t.Context())
	if err != nil || again.AgentID != i.AgentID || plane.Calls("Enrol") != 2 {
		t.Errorf("stored %q after %d calls, %v", again.AgentID, plane.Calls("Enrol"), err)
	}
}

func TestEnrol_AnotherTokenEnrolsAgainWithANewKey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reason, token, cluster string
	}{
		"good":    {"the key may have been revoked", workfake.Bootstrap, workfake.ClusterID},
		"refused": {"an enrolled agent is of use with a bad token as well", "stb_bad", "before"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plane := workfake.NewControlPlane(t)
			v := vault(t, workfake.NewCluster(t))
			i, err := v.Load(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			i.AgentID, i.ClusterID, i.Spent = "before", "before", "the digest of another token"
			got, err := link.Enrol(t.Context(), options(plane, make(chan told, 64)), v, i, c.token, workfake.ClusterUID)
			if err != nil || got.ClusterID != c.cluster || got.Pin() != i.Pin() {
				t.Errorf("%s: cluster %q, pin %s, %v", c.reason, got.ClusterID, got.Pin(), err)
			}
			enrolled := c.cluster == workfake.ClusterID
			if key, _ := plane.Keys(); bytes.Equal(got.Key, i.Key) == enrolled || enrolled != bytes.Equal(key, got.Key.Public().(ed25519.PublicKey)) {
				t.Errorf("%s: the key is the same: %t", c.reason, bytes.Equal(got.Key, i.Key))
			}
			stored, err := v.Load(t.Context())
			if err != nil || !bytes.Equal(stored.Key, got.Key) || (stored.Next == nil) != enrolled {
				t.Errorf("%s: stored another key than is used, %v", c.reason, err)
			}
		})
	}
}

func TestVault_Load_Err(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reason  string
		prepare func(*workfake.Cluster)
		says    string
	}{
		"missing": {"the chart was not upgraded", func(c *workfake.Cluster) { c.Delete("secrets", "seatrial", "agent") }, "upgrade the release"},
		"forbidden": {"the Role is missing", func(c *workfake.Cluster) {
			c.Fault(func(workfake.Call) error {
				return apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "agent", errors.New("no"))
			})
		}, "upgrade the release"},
		"damaged": {"somebody edited it", func(c *workfake.Cluster) {
			c.Put(&corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Namespace: "seatrial", Name: "agent"}, Data: map[string][]byte{"key.pem": []byte("junk")},
			})
		}, "enrol the cluster again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := workfake.NewCluster(t)
			v := vault(t, cluster)
			c.prepare(cluster)
			if _, err := v.Load(t.Context()); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v", c.reason, err)
			}
		})
	}
}
