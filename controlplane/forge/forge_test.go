package forge_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/forge"
)

func payload(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

func TestParse(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		kind   forge.Kind
		header http.Header
		id     string
		want   []forge.Push
	}{
		"github-push": {forge.GitHub, headers("X-GitHub-Event", "push", "X-GitHub-Delivery", "d1"), "d1", []forge.Push{{
			Event: "push", Repository: "binkkatal/sample_app", Ref: "refs/heads/master", Branch: "master", Commit: "fd489864e7642b48eaad6e3f155c10e46810ec72",
			Before: "737d38c599c1b2991664dfc6155d6bf516fcce36", Paths: []string{".razorops.yaml", "app/controllers/application_controller.rb"}, AllPaths: true, Actor: "binkkatal",
		}}},
		"github-pull-request": {forge.GitHub, headers("X-GitHub-Event", "pull_request", "X-GitHub-Delivery", "d2"), "d2", []forge.Push{{
			Event: "pull_request", Repository: "baxterthehacker/public-repo", Ref: "changes", Branch: "master", Commit: "0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c",
			Before: "9049f1265b7d61be4a8904a9a27120d2064dab3b", Actor: "baxterthehacker", Number: 1,
		}}},
		"github-create": {forge.GitHub, headers("X-GitHub-Event", "create", "X-GitHub-Delivery", "d3"), "d3", nil},
		"github-ping":   {forge.GitHub, headers("X-GitHub-Event", "ping", "X-GitHub-Delivery", "d4"), "d4", nil},
		"gitlab-push": {forge.GitLab, headers("X-Gitlab-Event", "Push Hook", "Idempotency-Key", "k1", "X-Gitlab-Event-UUID", "u1"), "k1", []forge.Push{{
			Event: "push", Repository: "mike/diaspora", Ref: "refs/heads/master", Branch: "master", Commit: "da1560886d4f094c3e6c9ef40349f7d38b5d27d7",
			Before: "95790bf891e76fee5e1747ab589903a6a1f80f22", Paths: []string{"CHANGELOG", "app/controller/application.rb"},
		}}},
		"gitlab-tag": {forge.GitLab, headers("X-Gitlab-Event", "Tag Push Hook", "X-Gitlab-Event-UUID", "u2"), "u2", []forge.Push{{
			Event: "tag", Repository: "jsmith/example", Ref: "refs/tags/v1.0.0", Tag: "v1.0.0", Commit: "82b3d5ae55f7080f1e6022629cdb57bfae7cccc7",
		}}},
		"gitlab-merge-request": {forge.GitLab, headers("X-Gitlab-Event", "Merge Request Hook", "Webhook-Id", "w1"), "w1", []forge.Push{{
			Event: "pull_request", Repository: "gitlabhq/gitlab-test", Ref: "ms-viewport", Branch: "master", Commit: "da1560886d4f094c3e6c9ef40349f7d38b5d27d7",
			Actor: "root", Number: 1,
		}}},
		"gitea-push": {forge.Gitea, headers("X-Gitea-Event", "push", "X-Gitea-Delivery", "g1"), "g1", []forge.Push{{
			Event: "push", Repository: "example/example", Ref: "refs/heads/master", Branch: "master", Commit: "67b56589a45103f891bdee7c0546e5d40bc02001",
			Paths: []string{"example"}, AllPaths: true, Actor: "example",
		}}},
		"gitea-pull-request": {forge.Gitea, headers("X-Gitea-Event", "pull_request", "X-Gitea-Delivery", "g2"), "g2", []forge.Push{{
			Event: "pull_request", Repository: "example/example", Ref: "master", Branch: "master", Commit: "48e773f892a831faa47c0a160d1b7f0cd369ae2a",
			Before: "67b56589a45103f891bdee7c0546e5d40bc02001", Actor: "example2", Number: 2, Fork: true,
		}}},
		"gitea-create": {forge.Gitea, headers("X-Gitea-Event", "create", "X-Gitea-Delivery", "g3"), "g3", nil},
		"bitbucket-push": {forge.Bitbucket, headers("X-Event-Key", "repo:push", "X-Request-UUID", "b1"), "b1", []forge.Push{{
			Event: "push", Repository: "team_name/repo_name", Ref: "refs/heads/name-of-branch", Branch: "name-of-branch", Commit: "709d658dc5b6d6afcd46049c2f332ee3f515a67d",
			Before: "1e65c05c1d5171631d92438a13901ca7dae9618c", Actor: "emmap1",
		}}},
		"bitbucket-pull-request": {forge.Bitbucket, headers("X-Event-Key", "pullrequest:created", "X-Request-UUID", "b2"), "b2", []forge.Push{{
			Event: "pull_request", Repository: "team_name/repo_name", Ref: "branch2", Branch: "master", Commit: "d3022fc0ca3d", Before: "ce5965ddd289", Actor: "emmap1", Number: 1,
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := forge.Parse(tc.kind, tc.header, payload(t, name))
			if err != nil || got.ID != tc.id || !reflect.DeepEqual(got.Pushes, tc.want) {
				t.Errorf("%v\n got %+v\nwant %s %+v", err, got, tc.id, tc.want)
			}
		})
	}
}

func TestParse_Others(t *testing.T) {
	t.Parallel()
	const none = "0000000000000000000000000000000000000000"
	push := headers("X-GitHub-Event", "push")
	for name, tc := range map[string]struct {
		kind   forge.Kind
		header http.Header
		body   string
		pushes int
		kindOf fault.Kind
		reason string
	}{
		"Deleted":         {forge.GitHub, push, `{"ref":"refs/heads/a","after":"` + none + `","deleted":true,"repository":{"full_name":"a/b"}}`, 0, "", "a deleted branch cannot be tested"},
		"GitLabDeleted":   {forge.GitLab, nil, `{"object_kind":"push","ref":"refs/heads/a","after":"` + none + `","project":{"path_with_namespace":"a/b"}}`, 0, "", "nor this one"},
		"BitbucketClosed": {forge.Bitbucket, headers("X-Event-Key", "repo:push"), `{"repository":{"full_name":"a/b"},"push":{"changes":[{"new":null,"old":{"name":"x"}}]}}`, 0, "", "nor this one"},
		"Title":           {forge.GitLab, nil, `{"object_kind":"merge_request","object_attributes":{"action":"update"}}`, 0, "", "the code has not changed"},
		"Closed":          {forge.GitHub, headers("X-GitHub-Event", "pull_request"), `{"action":"closed"}`, 0, "", "nothing to test"},
		"Unknown":         {forge.GitHub, headers("X-GitHub-Event", "issues"), `{}`, 0, "", "none of ours"},
		"NoJSON":          {forge.GitHub, push, `payload=%7B%7D`, 0, fault.Invalid, "the form encoding is not read"},
		"NoRepository":    {forge.GitHub, push, `{"ref":"refs/heads/a","after":"abc"}`, 0, fault.Invalid, "nothing can be matched"},
		"NoForge":         {"cvs", push, `{}`, 0, fault.Invalid, "not spoken"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := forge.Parse(tc.kind, tc.header, []byte(tc.body))
			if len(got.Pushes) != tc.pushes && err == nil || (tc.kindOf != "") != (err != nil) || err != nil && !fault.Is(err, tc.kindOf) {
				t.Errorf("%+v, %v: %s", got, err, tc.reason)
			}
		})
	}
}

func TestHeld(t *testing.T) {
	t.Parallel()
	asked := headers("X-GitHub-Event", "deployment_protection_rule", "X-GitHub-Delivery", "d9")
	body := payload(t, "github-deployment-protection-rule")
	want := forge.Deployment{
		ID: "d9", Repository: "acme/shop", Environment: "Production", Commit: "95790bf891e76fee5e1747ab589903a6a1f80f22", Installation: 37421563, Actor: "octocat",
		Callback: "https://api.github.com/repos/acme/shop/actions/runs/6321781120/deployment_protection_rule",
	}
	if d, held, err := forge.Held(forge.GitHub, asked, body); err != nil || !held || d != want {
		t.Errorf("%+v, %t, %v", d, held, err)
	}
	if d, err := forge.Parse(forge.GitHub, asked, body); err != nil || len(d.Pushes) != 0 {
		t.Errorf("it is no push: %+v, %v", d, err)
	}
	for name, tc := range map[string]struct {
		kind   forge.Kind
		header http.Header
		body   string
		kindOf fault.Kind
		reason string
	}{
		"Push":      {forge.GitHub, headers("X-GitHub-Event", "push"), string(body), "", "another event"},
		"Gitea":     {forge.Gitea, asked, string(body), "", "another forge"},
		"Withdrawn": {forge.GitHub, asked, `{"action":"withdrawn"}`, "", "nothing is asked"},
		"NoJSON":    {forge.GitHub, asked, `payload=%7B%7D`, fault.Invalid, "the form encoding is not read"},
		"NoApp":     {forge.GitHub, asked, `{"action":"requested","environment":"production"}`, fault.Invalid, "nobody could be answered"},
		"NoID":      {forge.GitHub, headers("X-GitHub-Event", "deployment_protection_rule"), string(body), fault.Invalid, "it could not be known again"},
		"Long":      {forge.GitHub, asked, strings.Replace(string(body), "Production", strings.Repeat("p", 2000), 1), fault.Invalid, "no environment is called so"},
	} {
		if d, held, err := forge.Held(tc.kind, tc.header, []byte(tc.body)); held || fault.Is(err, fault.Invalid) != (tc.kindOf == fault.Invalid) {
			t.Errorf("%s: %+v, %v: %s", name, d, err, tc.reason)
		}
	}
}

const secret = "correct horse"

func mac(key, body string) string {
	m := hmac.New(sha256.New, []byte(key))
	m.Write([]byte(body))
	return hex.EncodeToString(m.Sum(nil))
}

func TestVerify(t *testing.T) {
	t.Parallel()
	now := time.Unix(1674087231, 0)
	body := []byte(`{"a":1}`)
	right, forged := mac(secret, string(body)), mac("guess", string(body))
	standard := "whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	for name, tc := range map[string]struct {
		kind   forge.Kind
		secret string
		header http.Header
		ok     bool
	}{
		"GitHub":          {forge.GitHub, secret, headers("X-Hub-Signature-256", "sha256="+right), true},
		"GitHubForged":    {forge.GitHub, secret, headers("X-Hub-Signature-256", "sha256="+forged), false},
		"GitHubCut":       {forge.GitHub, secret, headers("X-Hub-Signature-256", "sha256="+right[:32]), false},
		"GitHubUnsigned":  {forge.GitHub, secret, nil, false},
		"GitHubSHA1":      {forge.GitHub, secret, headers("X-Hub-Signature", "sha1=b17e04cbb22afa8ffbff8796fc1894ed27badd9e"), false},
		"GitHubNoScheme":  {forge.GitHub, secret, headers("X-Hub-Signature-256", right), false},
		"NoSecret":        {forge.GitHub, "", headers("X-Hub-Signature-256", "sha256="+mac("", string(body))), false},
		"Gitea":           {forge.Gitea, secret, headers("X-Gitea-Signature", right), true},
		"GiteaForged":     {forge.Gitea, secret, headers("X-Gitea-Signature", forged), false},
		"GiteaAsGitHub":   {forge.Gitea, secret, headers("X-Hub-Signature-256", "sha256="+right), true},
		"Bitbucket":       {forge.Bitbucket, secret, headers("X-Hub-Signature", "sha256="+right), true},
		"BitbucketForged": {forge.Bitbucket, secret, headers("X-Hub-Signature", "sha256="+forged), false},
		"GitLabToken":     {forge.GitLab, secret, headers("X-Gitlab-Token", secret), true},
		"GitLabNoToken":   {forge.GitLab, secret, nil, false},
		"GitLabForged":    {forge.GitLab, secret, headers("X-Gitlab-Token", "correct horsf"), false},
		"GitLabSigned":    {forge.GitLab, standard, forge.Sign(standard, "msg_1", body, now), true},
		"GitLabOld":       {forge.GitLab, standard, forge.Sign(standard, "msg_1", body, now.Add(-6*time.Minute)), false},
		"GitLabEarly":     {forge.GitLab, standard, forge.Sign(standard, "msg_1", body, now.Add(6*time.Minute)), false},
		"GitLabOtherKey":  {forge.GitLab, standard, forge.Sign("whsec_QUJD", "msg_1", body, now), false},
		"GitLabOtherBody": {forge.GitLab, standard, forge.Sign(standard, "msg_1", []byte("{}"), now), false},
		"NoForge":         {"cvs", secret, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := forge.Verify(tc.kind, tc.secret, tc.header, body, now)
			if tc.ok != (err == nil) || err != nil && !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("%v", err)
			}
		})
	}
	both := forge.Sign(standard, "msg_1", body, now)
	both.Set("Webhook-Signature", "v1a,AAAA v1,AAAA "+both.Get("Webhook-Signature"))
	if err := forge.Verify(forge.GitLab, standard, both, body, now); err != nil {
		t.Errorf("while the secret is rotated: %v", err)
	}
}

// TestStandardSignature is the example of the specification of Standard Webhooks.
func TestStandardSignature(t *testing.T) {
	t.Parallel()
	h := headers("Webhook-Id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "Webhook-Timestamp", "1614265330", "Webhook-Signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
	err := forge.StandardSignature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", h, []byte(`{"test": 2432232314}`), time.Unix(1614265330, 0))
	if err != nil {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(len(file)), text)
	}
	events := []string{"push", "pull_request", "repo:push", "pullrequest:created"}
	asked := headers("X-GitHub-Event", "deployment_protection_rule", "X-GitHub-Delivery", "d")
	f.Fuzz(func(t *testing.T, pick uint8, body []byte) {
		if d, held, err := forge.Held(forge.GitHub, asked, body); held && (err != nil || d.Callback == "" || d.Environment == "" || d.Installation == 0) {
			t.Fatalf("%+v, %v", d, err)
		}
		kind := forge.Kinds()[int(pick)%4]
		event := events[int(pick/4)%4]
		d, err := forge.Parse(kind, headers("X-GitHub-Event", event, "X-Gitea-Event", event, "X-Event-Key", event), body)
		if err != nil {
			return
		}
		for _, p := range d.Pushes {
			if p.Repository == "" || p.Commit == "" || p.Ref == "" || len(p.Paths) > 3000 {
				t.Fatalf("%+v", p)
			}
		}
	})
}
