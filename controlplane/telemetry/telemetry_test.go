package telemetry_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/seatrial/seatrial/controlplane/telemetry"
)

func TestLog(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{"text": "msg=hello", "json": `"msg":"hello"`} {
		var out bytes.Buffer
		log := telemetry.Log(&out, format, slog.LevelInfo)
		log.Debug("hidden")
		log.Info("hello")
		if got := out.String(); !strings.Contains(got, want) || strings.Contains(got, "hidden") {
			t.Errorf("%s: %q", format, got)
		}
	}
}

// TestHTTP_NoSecrets holds that a path that is a secret is in no trace: whoever reads traces could use it.
func TestHTTP_NoSecrets(t *testing.T) {
	t.Parallel()
	seen := tracetest.NewSpanRecorder()
	traces := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(seen))
	handler := telemetry.HTTP(http.NotFoundHandler(), telemetry.Metrics(), traces)
	for _, path := range []string{"/s/hush", "/s/hush/report.json", "/invitations/hush", "/o/default"} {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, http.NoBody))
	}
	if n := len(seen.Ended()); n != 1 {
		t.Errorf("%d requests are in traces, want that of the one whose path is no secret", n)
	}
}

func TestHTTP_KeepsStreaming(t *testing.T) {
	t.Parallel()
	traces, flush, err := telemetry.Traces(t.Context(), "", "test", "v1")
	if err != nil || flush(t.Context()) != nil {
		t.Fatal(err)
	}
	registry := telemetry.Metrics()
	handler := telemetry.HTTP(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Errorf("a stream cannot be flushed: %v", err)
		}
	}), registry, traces)
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	if n, err := testutil.GatherAndCount(registry, "seatrial_http_request_seconds"); err != nil || n != 1 {
		t.Errorf("%d series, %v", n, err)
	}
}
