package workfake

import (
	"encoding/json"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/seatrial/seatrial/agent/kube"
)

// tellRights answers a SelfSubjectAccessReview. Unless a test says otherwise, a client has the rights that the agent's chart gives: of Secrets
// those of one by name, and no way into pods.
func (c *Cluster) tellRights(w http.ResponseWriter, r *http.Request) {
	var review struct {
		Spec struct {
			Attributes kube.Access `json:"resourceAttributes"`
		} `json:"spec"`
	}
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		refuse(w, apierrors.NewBadRequest(err.Error()))
		return
	}
	c.mu.Lock()
	allow := c.allow
	c.mu.Unlock()
	if allow == nil {
		allow = func(a kube.Access) bool {
			switch a.Resource {
			case "secrets":
				return a.Name != ""
			case "pods":
				return a.Verb != "create"
			default:
				return a.Resource != "serviceaccounts" && a.Group != "rbac.authorization.k8s.io"
			}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]any{ // the client is gone
		"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "status": map[string]bool{"allowed": allow(review.Spec.Attributes)},
	})
}
