package e2e_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// stamp prints the time of day in seconds: all arms share this machine's clock.
const stamp = "date +%s.%N"

// What a trigger to its stored result takes at most of `kubectl create` and `kubectl wait`, by how the runner comes into the pod.
const (
	mostMounted = 0.35
	mostCopied  = 0.55
)

// arm is one way to run a one-line step, with the times that it took in the rounds so far.
type arm struct {
	name string
	once func(b *testing.B) (line, result time.Duration) // since the trigger

	lines, results []time.Duration
}

// BenchmarkOverhead measures the time from a trigger to the stored result of a one-line step against `kubectl create` and `kubectl wait`
// of a bare Job with the same container. The arms take turns, each a process of its own from the start of the command to its end. It
// prints the medians, their ratios, and what share each hop has; the targets are those of the project.
func BenchmarkOverhead(b *testing.B) {
	p := startPlane(b, b.TempDir())
	volume := installAgent(b, p, "--set", "runner.delivery=image-volume")
	copied := installAgent(b, p, "--set", "runner.delivery=init-copy")
	p.apply(b, document("stamp", python, "Never", stamp))
	bare := bareJob(b, volume)
	ways := map[string]map[string]float64{}
	arms := []*arm{
		{name: "kubectl create + wait", once: bare},
		{name: "image volume", once: ours(p, volume, ways)},
		{name: "copying init container", once: ours(p, copied, ways)},
	}
	for _, a := range arms {
		a.once(b) // what only the first time needs is not measured
	}
	clear(ways)
	for b.Loop() {
		for _, a := range arms {
			line, result := a.once(b)
			a.lines, a.results = append(a.lines, line), append(a.results, result)
		}
	}
	b.Logf("%s\n%s", overheadTable(arms), hopTable([]*agent{volume, copied}, []string{arms[1].name, arms[2].name}, ways))
	base, mounted, init := arms[0], arms[1], arms[2]
	b.ReportMetric(0, "ns/op")
	for unit, ratio := range map[string]struct {
		of     *arm
		target float64
	}{"volume/bare": {mounted, mostMounted}, "copy/bare": {init, mostCopied}} {
		got := median(ratio.of.results).Seconds() / median(base.results).Seconds()
		b.ReportMetric(got, unit)
		if got > ratio.target {
			b.Errorf("%s takes %.2f of kubectl, and shall take at most %.2f", ratio.of.name, got, ratio.target)
		}
	}
	b.ReportMetric(float64((median(mounted.results) - median(base.lines)).Milliseconds()), "ms-after-bare-line")
}

// ours runs the workflow by the command, and adds the hops of the run to those of the agent.
func ours(p *plane, a *agent, ways map[string]map[string]float64) func(b *testing.B) (line, result time.Duration) {
	return func(b *testing.B) (line, result time.Duration) {
		b.Helper()
		before := hopSums(b, p)
		begin := time.Now()
		out := p.must(b, "run", "stamp", "--env", a.cluster, "--wait", "-o", "json")
		result = time.Since(begin)
		if ways[a.cluster] == nil {
			ways[a.cluster] = map[string]float64{}
		}
		for name, value := range hopSums(b, p) {
			ways[a.cluster][name] += value - before[name]
		}
		return stamped(b, p.must(b, "logs", executionID(b, out)), begin), result
	}
}

// executionID finds the id in what `run --wait -o json` prints.
func executionID(b *testing.B, out string) string {
	b.Helper()
	_, rest, _ := strings.Cut(out, `"id"`)
	parts := strings.SplitN(rest, `"`, 3)
	if len(parts) < 3 {
		b.Fatalf("no execution in %s", out)
	}
	return parts[1]
}

// stamped returns how long after begin the first line was printed.
func stamped(b *testing.B, log string, begin time.Time) time.Duration {
	b.Helper()
	seconds, err := strconv.ParseFloat(strings.TrimSpace(log), 64)
	if err != nil {
		b.Fatalf("the log is %q", log)
	}
	return time.Duration((seconds - float64(begin.UnixNano())/1e9) * float64(time.Second))
}

// bareJob runs the same container as a Job of its own.
func bareJob(b *testing.B, a *agent) func(b *testing.B) (line, result time.Duration) {
	b.Helper()
	return bareJobOf(b, a, stamp)
}

func bareJobOf(b *testing.B, a *agent, command string) func(b *testing.B) (line, result time.Duration) {
	b.Helper()
	file := filepath.Join(b.TempDir(), "job.yaml")
	if err := os.WriteFile(file, []byte(fmt.Sprintf(`apiVersion: batch/v1
kind: Job
metadata: {generateName: bare-, namespace: %s}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: %s, imagePullPolicy: Never, command: [sh, -c, %q]}]
`, a.namespace, python, command)), 0o600); err != nil {
		b.Fatal(err)
	}
	kubectl := func(args ...string) string {
		out, err := a.kube.Kubectl(b.Context(), append([]string{"-n", a.namespace}, args...)...)
		if err != nil {
			b.Fatal(err)
		}
		return strings.TrimSpace(out)
	}
	return func(b *testing.B) (line, result time.Duration) {
		b.Helper()
		begin := time.Now()
		job := kubectl("create", "-f", file, "-o", "name")
		kubectl("wait", "--for=condition=complete", "--timeout=3m", job)
		result = time.Since(begin)
		line = stamped(b, kubectl("logs", job), begin)
		kubectl("delete", job, "--wait=true")
		return line, result
	}
}

// hops are the parts of the way to a result in their order, as the control plane's metric names them.
func hops() []string { return []string{"queue", "link", "job", "schedule", "container", "run"} }

// hopSums reads the seconds of each hop, and how many attempts they are of ("total count" beside "total"), from the metrics of the control
// plane.
func hopSums(b *testing.B, p *plane) map[string]float64 {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/metrics", http.NoBody)
	if err != nil {
		b.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close()
	out := map[string]float64{}
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		var hop string
		rest, ok := strings.CutPrefix(lines.Text(), `seatrial_attempt_hop_seconds_sum{hop="`)
		suffix := ""
		if !ok {
			rest, ok = strings.CutPrefix(lines.Text(), `seatrial_attempt_hop_seconds_count{hop="`)
			suffix = " count"
		}
		if !ok {
			continue
		}
		hop, rest, _ = strings.Cut(rest, `"} `)
		hop += suffix
		if out[hop], err = strconv.ParseFloat(rest, 64); err != nil {
			b.Fatalf("metric %q: %v", lines.Text(), err)
		}
	}
	return out
}

func overheadTable(arms []*arm) string {
	var out strings.Builder
	fmt.Fprintf(&out, "\n%d processors, %d rounds, medians (quartiles)\n", runtime.NumCPU(), len(arms[0].results))
	w := tabwriter.NewWriter(&out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "arm\tfirst line\tresult\tof kubectl\tafter its first line\ttarget")
	base := arms[0]
	for i, a := range arms {
		fmt.Fprintf(w, "%s\t%s\t%s (%s to %s)\t%.2f\t%+d ms\t%s\n", a.name, round(median(a.lines)),
			round(median(a.results)), round(quantile(a.results, 0.25)), round(quantile(a.results, 0.75)),
			median(a.results).Seconds()/median(base.results).Seconds(), (median(a.results) - median(base.lines)).Milliseconds(),
			[]string{"", fmt.Sprint(mostMounted, " and +150 ms"), fmt.Sprint(mostCopied)}[i])
	}
	_ = w.Flush()
	return out.String()
}

// hopTable prints the mean of each hop and its share of the whole.
func hopTable(agents []*agent, names []string, ways map[string]map[string]float64) string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 3, ' ', 0)
	fmt.Fprintf(w, "hop, mean\t%s\n", strings.Join(names, "\t"))
	for _, hop := range append(hops(), "total") {
		fmt.Fprint(w, hop)
		for _, a := range agents { // not each round has been seen whole
			way := ways[a.cluster]
			fmt.Fprintf(w, "\t%4.0f ms  %3.0f %%", way[hop]/max(1, way[hop+" count"])*1000, way[hop]/way["total"]*100)
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush()
	return out.String()
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

func median(d []time.Duration) time.Duration { return quantile(d, 0.5) }

func quantile(d []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(d))
	return sorted[int(q*float64(len(sorted)-1))]
}
