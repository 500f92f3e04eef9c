package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seatrial/seatrial/integration/bench/cards"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

// ticking prints the time in nanoseconds RATE times a second, COUNT times.
const ticking = `apiVersion: seatrial.dev/v1
kind: TestWorkflow
metadata: {name: NAME}
spec:
  container: {image: ` + python + `, imagePullPolicy: Never}
  timeout: 10m
  steps:
    - name: tick
      run: |
        exec python3 -c '
        import time
        begun = time.monotonic()
        for i in range(COUNT):
            time.sleep(max(0, begun + i / RATE - time.monotonic()))
            print(time.time_ns(), flush=True)
        '
`

// arrival is when a reader had so many bytes of a log.
type arrival struct {
	at    time.Time
	bytes int
}

// reading is what a reader got, and when.
type reading struct {
	text     bytes.Buffer
	arrivals []arrival
}

func (r *reading) add(data []byte) {
	if len(data) == 0 {
		return
	}
	r.text.Write(data)
	r.arrivals = append(r.arrivals, arrival{time.Now(), r.text.Len()})
}

// rate is how many bytes a second came from the first arrival to the last, 0 when that cannot be told.
func (r *reading) rate() float64 {
	if len(r.arrivals) < 2 {
		return 0
	}
	first, last := r.arrivals[0], r.arrivals[len(r.arrivals)-1]
	return float64(last.bytes-first.bytes) / last.at.Sub(first.at).Seconds()
}

// lags are how long after it was printed each line was whole at the reader.
func (r *reading) lags(b *testing.B) []time.Duration {
	b.Helper()
	var lags []time.Duration
	at, next := 0, 0
	for line := range strings.Lines(r.text.String()) {
		at += len(line)
		for next < len(r.arrivals)-1 && r.arrivals[next].bytes < at {
			next++
		}
		printed, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
		if err != nil {
			b.Fatalf("a line is %q", line)
		}
		lags = append(lags, r.arrivals[next].at.Sub(time.Unix(0, printed)))
	}
	return lags
}

// follow reads the log of an execution by the API as it is written.
func (p *plane) follow(b *testing.B, attempt string) *reading {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Minute)
	defer cancel()
	r := &reading{}
	stream, err := apiv1connect.NewExecutionServiceClient(p.client(), p.url).StreamLog(ctx, &apiv1.StreamLogRequest{AttemptId: attempt, Follow: true})
	if err != nil {
		b.Error(err)
		return r
	}
	defer stream.Close()
	for stream.Receive() {
		if stream.Msg().GetGapBytes() > 0 {
			b.Errorf("%d bytes are missing at %d", stream.Msg().GetGapBytes(), stream.Msg().GetOffset())
		}
		r.add(stream.Msg().GetData())
	}
	if err := stream.Err(); err != nil {
		b.Error(err)
	}
	return r
}

// kubectlFollow reads the log of the same pod as people do who have no more than kubectl: again and again, until it can be read.
func (c *bareProgram) kubectlFollow(b *testing.B, a *agent, execution string) *reading {
	b.Helper()
	pod := c.appears(b, "seatrial.dev/execution="+execution)
	r := &reading{}
	for deadline := time.Now().Add(patience); r.text.Len() == 0 && time.Now().Before(deadline); {
		cmd := exec.CommandContext(b.Context(), filepath.Join(a.kube.Dir, "bin", "kubectl"), "-n", a.namespace, "logs", "-f", pod)
		cmd.Env = a.kube.Env()
		out, err := cmd.StdoutPipe()
		if err != nil {
			b.Error(err)
			return r
		}
		if err := cmd.Start(); err != nil {
			b.Error(err)
			return r
		}
		for in, block := bufio.NewReaderSize(out, 1<<20), make([]byte, 1<<20); ; {
			n, err := in.Read(block)
			r.add(block[:n])
			if err != nil {
				break
			}
		}
		_ = cmd.Wait() // it fails until the container runs
	}
	return r
}

// appears waits for the pod of labels and returns its name.
func (c *bareProgram) appears(b *testing.B, labels string) string {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	w, err := c.set.CoreV1().Pods(c.namespace).Watch(ctx, metav1.ListOptions{LabelSelector: labels})
	if err != nil {
		b.Error(err)
		return ""
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		if pod, ok := event.Object.(metav1.Object); ok {
			return pod.GetName()
		}
	}
	b.Errorf("no pod of %s appeared", labels)
	return ""
}

// both has an execution read by the API and by kubectl at once.
func (p *plane) both(b *testing.B, c *bareProgram, a *agent, workflow string) (ours, kubectl *reading) {
	b.Helper()
	calls := apiv1connect.NewExecutionServiceClient(p.client(), p.url)
	started, err := calls.RunWorkflow(b.Context(), &apiv1.RunWorkflowRequest{Workflow: workflow, Environments: []string{a.cluster}})
	if err != nil {
		b.Fatal(err)
	}
	e := started.GetExecution()
	done := make(chan *reading, 1)
	go func() { done <- c.kubectlFollow(b, a, e.GetId()) }()
	ours = p.follow(b, attemptOf(e).GetId())
	await(b, calls, e.GetId())
	return ours, <-done
}

// BenchmarkLogs is P4 to P6 of the metric cards: how long after it was printed a line is at whoever watches, at the beginning and at steady rates,
// and what a burst leaves of itself. `kubectl logs -f` reads the same pods at the same time.
func BenchmarkLogs(b *testing.B) {
	p := startPlane(b, b.TempDir())
	a := installAgent(b, p, "--set", "runner.delivery=image-volume")
	c := newBareProgram(b, a)
	rates := map[int]int{10: 100, 1000: 10000} // lines a second, lines
	for rate, count := range rates {
		p.apply(b, strings.NewReplacer("NAME", fmt.Sprintf("tick-%d", rate), "COUNT", strconv.Itoa(count), "RATE", strconv.Itoa(rate)).Replace(ticking))
	}
	p.apply(b, strings.ReplaceAll(burst, "GATE", "true"))
	seen := map[string]int{} // samples of each metric and arm
	note := func(card, metric, arm, unit string, value float64) {
		seen[metric+arm]++
		cards.Note(b, cards.Sample{Card: card, Metric: metric, Arm: arm, Round: seen[metric+arm], Value: value, Unit: unit})
	}
	for b.Loop() {
		for rate, count := range rates {
			ours, kubectl := p.both(b, c, a, fmt.Sprintf("tick-%d", rate))
			for arm, r := range map[string]*reading{cards.Seatrial: ours, cards.Kubectl: kubectl} {
				lags := r.lags(b)
				if len(lags) != count && arm == cards.Seatrial {
					b.Errorf("%d of %d lines arrived", len(lags), count)
				}
				if len(lags) == 0 {
					b.Errorf("%s read nothing at %d lines/s", arm, rate)
					continue
				}
				note("P4", "first line", arm, "ms", millis(lags[0]))
				for _, lag := range lags[min(len(lags)-1, rate):] { // what came before the reader did is not lag
					note("P5", fmt.Sprintf("lag at %d lines/s", rate), arm, "ms", millis(lag))
				}
				b.Logf("%d lines/s, %s: first line after %s, then p50 %s, p99 %s", rate, arm, round(lags[0]), round(median(lags)), round(quantile(lags, 0.99)))
			}
		}
		ours, kubectl := p.both(b, c, a, "burst")
		for arm, r := range map[string]*reading{cards.Seatrial: ours, cards.Kubectl: kubectl} {
			size := r.text.Len()
			missing := wrongLines(&r.text)
			note("P6", "lines missing", arm, "lines", float64(missing))
			note("P6", "log delivered", arm, "MB/s", r.rate()/1e6)
			b.Logf("burst, %s: %d bytes at %.1f MB/s, %d of a million lines lost or not in order", arm, size, r.rate()/1e6, missing)
		}
	}
	b.ReportMetric(0, "ns/op")
}

// wrongLines counts the lines of a burst that are not there once, whole and in order.
func wrongLines(text io.Reader) (wrong int) {
	next := 0
	for lines := bufio.NewScanner(text); lines.Scan(); {
		n, err := strconv.Atoi(lines.Text())
		if err != nil || len(lines.Text()) != burstLine || n < next {
			wrong++
			continue
		}
		wrong += n - next
		next = n + 1
	}
	return wrong + 1_000_000 - next
}

// burstLine is how many digits a line of the burst has.
const burstLine = 99
