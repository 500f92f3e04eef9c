package app_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

// TestHooks_Tries: whoever guesses the secret of a receiver is told to wait, by a status and a header that forges understand. Another receiver
// takes messages from there all the same.
func TestHooks_Tries(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	triggers := apiv1connect.NewTriggerServiceClient(p.clients(p.token).http, p.url)
	made, err := triggers.CreateReceiver(t.Context(), &apiv1.CreateReceiverRequest{Name: "guessed", Kind: "webhook"})
	worked(t, err)
	other, err := triggers.CreateReceiver(t.Context(), &apiv1.CreateReceiverRequest{Name: "other", Kind: "webhook"})
	worked(t, err)
	const limit = 30
	for i := range limit + 1 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.hookOf(made.GetReceiver()), strings.NewReader("{}"))
		worked(t, err)
		res, err := http.DefaultClient.Do(req)
		worked(t, err)
		_ = res.Body.Close()
		wait, bad := strconv.Atoi(res.Header.Get("Retry-After"))
		if i < limit && res.StatusCode != http.StatusUnauthorized || i == limit && (res.StatusCode != http.StatusTooManyRequests || bad != nil || wait < 1) {
			t.Fatalf("guess %d: %d, Retry-After %q", i, res.StatusCode, res.Header.Get("Retry-After"))
		}
	}
	body := []byte(`{"a":1}`)
	if code := post(t, p.hookOf(other.GetReceiver()), signedBy("webhook", other.GetSecret(), body, "m1"), body); code != http.StatusAccepted {
		t.Errorf("another receiver: %d", code)
	}
}
