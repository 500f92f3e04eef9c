package app_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/gate/githubfake"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

// hub is a GitHub with a repository whose deployments wait for the control plane.
type hub struct {
	*githubfake.GitHub
	url string
	key string
}

func newHub(t *testing.T) hub {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	worked(t, err)
	g := &githubfake.GitHub{App: "Iv23", Key: &key.PublicKey, Installation: "37421563", Repository: "acme/shop", Clock: time.Now}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	worked(t, err)
	return hub{g, server.URL, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))}
}

// question is what GitHub sends when a commit is about to go to an environment.
func (h hub) question(t *testing.T, commit, environment string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "forge", "testdata", "github-deployment-protection-rule.json"))
	worked(t, err)
	return []byte(strings.NewReplacer("95790bf891e76fee5e1747ab589903a6a1f80f22", commit, "Production", environment,
		"https://api.github.com/repos/acme/shop/actions", h.url+"/repos/acme/shop/actions").Replace(string(text)))
}

// reviews waits until that much was said of the deployment.
func (h hub) reviews(t *testing.T, n int) []githubfake.Review {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if got := h.Reviews("6321781120"); len(got) >= n {
			return got
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatalf("nothing more was said; refused: %v", h.Refused())
		}
	}
}

// TestDeployments: GitHub asks before there is a release, is told what is waited for, and gets the verdict once it is there.
func TestDeployments(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), "--outbound-allow", "127.0.0.0/8")
	c := p.clients(p.token)
	h := newHub(t)
	triggers, releases := apiv1connect.NewTriggerServiceClient(c.http, p.url), apiv1connect.NewReleaseServiceClient(c.http, p.url)
	made, err := triggers.CreateReceiver(t.Context(), &apiv1.CreateReceiverRequest{Name: "forge", Kind: "github"})
	worked(t, err)
	commit := strings.Repeat("c0ffee", 10)[:40]
	body := h.question(t, commit, "Production")
	send := func(secret string) int {
		header := signedBy("github", secret, body, "delivery-1")
		header.Set("X-GitHub-Event", "deployment_protection_rule")
		return post(t, p.hookOf(made.GetReceiver()), header, body)
	}
	if code := send("guess"); code != http.StatusUnauthorized {
		t.Errorf("forged: %d", code)
	}
	if code := send(made.GetSecret()); code != http.StatusConflict {
		t.Errorf("without an app: %d", code)
	}
	_, err = triggers.SetReceiverApp(t.Context(), &apiv1.SetReceiverAppRequest{Name: "forge", App: h.App, PrivateKey: h.key, Url: h.url})
	worked(t, err)
	for i, want := range []int{http.StatusAccepted, http.StatusOK} {
		if code := send(made.GetSecret()); code != want {
			t.Errorf("sent %d times: %d, want %d", i+1, code, want)
		}
	}
	if first := h.reviews(t, 1)[0]; first.State != "" || !strings.Contains(first.Comment, "knows no release of commit `"+commit+"`") {
		t.Errorf("%+v", first)
	}
	tested(t, p, c, releases, "production")
	got := h.reviews(t, 2)
	for n := 3; got[len(got)-1].State == ""; n++ {
		got = h.reviews(t, n)
	}
	last := got[len(got)-1]
	if last.State != "rejected" || last.Environment != "Production" || !strings.Contains(last.Comment, "is **NOT_READY**") || !strings.Contains(last.Comment, "/releases/shop/1.42.0") {
		t.Errorf("%+v", last)
	}
	list := answered(t, triggers)
	if d := list[0]; len(list) != 1 || d.GetState() != "rejected" || d.GetSaid() != last.Comment || d.GetRepository() != "acme/shop" || d.GetActor() != "octocat" || d.GetReceiver() != "forge" {
		t.Errorf("%v", list)
	}
	if code := send(made.GetSecret()); code != http.StatusOK {
		t.Errorf("sent again after the answer: %d", code)
	}
	if strings.Contains(p.log.String(), h.key[40:80]) {
		t.Error("the private key is in the log")
	}
}

// answered waits until what GitHub was told is on record.
func answered(t *testing.T, triggers apiv1connect.TriggerServiceClient) []*apiv1.Deployment {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		res, err := triggers.ListDeployments(t.Context(), &apiv1.ListDeploymentsRequest{})
		worked(t, err)
		if list := res.GetDeployments(); len(list) > 0 && list[0].GetAnsweredAt() != nil {
			return list
		}
		<-tick.C
	}
}
