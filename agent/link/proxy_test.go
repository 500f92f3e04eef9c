package link

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	agentv1 "github.com/seatrial/seatrial/proto/gen/seatrial/agent/v1"
)

// TestProxySaid holds that gRPC still words the answer of a proxy as is expected here: with other words a proxy whose control plane is
// away would make the agent give up what it has to deliver.
func TestProxySaid(t *testing.T) {
	t.Parallel()
	for _, code := range []int{http.StatusNotFound, http.StatusForbidden, http.StatusBadGateway} {
		proxy := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "no such backend", code)
		}))
		proxy.EnableHTTP2 = true
		proxy.StartTLS()
		t.Cleanup(proxy.Close)
		trusted, ok := proxy.Client().Transport.(*http.Transport)
		if !ok {
			t.Fatal("the client of the test server has another transport")
		}
		conn, err := grpc.NewClient(proxy.Listener.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
			RootCAs: trusted.TLSClientConfig.RootCAs, ServerName: "example.com", MinVersion: tls.VersionTLS13,
		})))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_, err = agentv1.NewAgentGatewayClient(conn).ReportAttempt(t.Context(), &agentv1.ReportAttemptRequest{})
		if err == nil || !strings.Contains(err.Error(), proxySaid) {
			t.Errorf("%d: %v, want %q in it", code, err, proxySaid)
		}
	}
}
