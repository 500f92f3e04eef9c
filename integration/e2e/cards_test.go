package e2e_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/seatrial/seatrial/integration/bench/cards"
	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
)

// program is the user agent of the program that makes bare Jobs; the audit log of the API server knows its calls by it.
const program = "bare-jobs"

// bareProgram makes Jobs without anything between it and the API server, and watches their pods: the least that any way costs.
type bareProgram struct {
	set       kubernetes.Interface
	namespace string
}

func newBareProgram(b *testing.B, a *agent) *bareProgram {
	b.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", a.kube.Kubeconfig)
	if err != nil {
		b.Fatal(err)
	}
	config.QPS, config.UserAgent = -1, program // it does not wait for itself
	set, err := kubernetes.NewForConfig(config)
	if err != nil {
		b.Fatal(err)
	}
	return &bareProgram{set, a.namespace}
}

// post makes the Job of a command and returns its name.
func (c *bareProgram) post(b *testing.B, command string) string {
	b.Helper()
	name, none := "bare-"+uuid.NewString()[:8], int32(0)
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: batchv1.JobSpec{BackoffLimit: &none, Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			Containers:    []corev1.Container{{Name: "main", Image: python, ImagePullPolicy: corev1.PullNever, Command: []string{"sh", "-c", command}}},
		}}},
	}
	if _, err := c.set.BatchV1().Jobs(c.namespace).Create(b.Context(), job, metav1.CreateOptions{}); err != nil {
		b.Fatal(err)
	}
	return name
}

// ended waits until so many pods of the labels have succeeded.
func (c *bareProgram) ended(b *testing.B, labels string, many int) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Minute)
	defer cancel()
	w, err := c.set.CoreV1().Pods(c.namespace).Watch(ctx, metav1.ListOptions{LabelSelector: labels})
	if err != nil {
		b.Fatal(err)
	}
	defer w.Stop()
	over := map[string]bool{}
	for event := range w.ResultChan() {
		pod, ok := event.Object.(*corev1.Pod)
		switch {
		case !ok:
			b.Fatalf("the watch of %s says %v", labels, event.Object)
		case pod.Status.Phase == corev1.PodFailed:
			b.Fatalf("pod %s failed: %s", pod.Name, pod.Status.Message)
		case pod.Status.Phase == corev1.PodSucceeded:
			over[pod.Name] = true
		}
		if len(over) == many {
			return
		}
	}
	b.Fatalf("%d of %d pods of %s have ended", len(over), many, labels)
}

// log returns what the pod of a Job printed.
func (c *bareProgram) log(b *testing.B, job string) string {
	b.Helper()
	pods, err := c.set.CoreV1().Pods(c.namespace).List(b.Context(), metav1.ListOptions{LabelSelector: "job-name=" + job})
	if err != nil || len(pods.Items) != 1 {
		b.Fatalf("pods of %s: %v", job, err)
	}
	text, err := c.set.CoreV1().Pods(c.namespace).GetLogs(pods.Items[0].Name, &corev1.PodLogOptions{}).DoRaw(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return string(text)
}

func (c *bareProgram) remove(b *testing.B, job string) {
	b.Helper()
	how := metav1.DeletePropagationBackground
	if err := c.set.BatchV1().Jobs(c.namespace).Delete(b.Context(), job, metav1.DeleteOptions{PropagationPolicy: &how}); err != nil {
		b.Error(err)
	}
}

// once makes one Job and returns when it printed its time and when it was known to have ended, both since the call.
func (c *bareProgram) once(b *testing.B, command string) (line, result time.Duration) {
	b.Helper()
	begin := time.Now()
	job := c.post(b, command)
	c.ended(b, "job-name="+job, 1)
	result = time.Since(begin)
	line = stamped(b, c.log(b, job), begin)
	c.remove(b, job)
	return line, result
}

// api runs a workflow by the API, as a program does that is in a hurry, and returns the same times.
func (p *plane) api(b *testing.B, a *agent, workflow string) (line, result time.Duration) {
	b.Helper()
	calls := apiv1connect.NewExecutionServiceClient(p.client(), p.url)
	begin := time.Now()
	started, err := calls.RunWorkflow(b.Context(), &apiv1.RunWorkflowRequest{Workflow: workflow, Environments: []string{a.cluster}})
	if err != nil {
		b.Fatal(err)
	}
	e := await(b, calls, started.GetExecution().GetId())
	result = time.Since(begin)
	return stamped(b, logOf(b, calls, attemptOf(e).GetId()), begin), result
}

// await follows an execution until it has ended, and is told so.
func await(b *testing.B, calls apiv1connect.ExecutionServiceClient, id string) *apiv1.Execution {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Minute)
	defer cancel()
	stream, err := calls.WatchExecution(ctx, &apiv1.WatchExecutionRequest{Id: id})
	if err != nil {
		b.Fatal(err)
	}
	defer stream.Close()
	for stream.Receive() {
		if e := stream.Msg().GetExecution(); e.GetFinishedAt() != nil {
			if e.GetStatus() != apiv1.Status_STATUS_PASSED {
				b.Fatalf("execution %s: %s: %s", id, e.GetStatus(), e.GetMessage())
			}
			return e
		}
	}
	b.Fatalf("the watch of %s ended: %v", id, stream.Err())
	return nil
}

func logOf(b *testing.B, calls apiv1connect.ExecutionServiceClient, attempt string) string {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	stream, err := calls.StreamLog(ctx, &apiv1.StreamLogRequest{AttemptId: attempt, Follow: true})
	if err != nil {
		b.Fatal(err)
	}
	defer stream.Close()
	var text strings.Builder
	for stream.Receive() {
		text.Write(stream.Msg().GetData())
	}
	if err := stream.Err(); err != nil {
		b.Fatal(err)
	}
	return text.String()
}

// long is how often a test of some length is measured, against the one of none: it has little left to show.
const long = 5

// BenchmarkWay is P1 to P3 of the metric cards: from the trigger to the first line, from the end to the result, and both, of a test of no
// length and of one of five seconds. The arms take turns within each round.
func BenchmarkWay(b *testing.B) {
	p := startPlane(b, b.TempDir())
	volume := installAgent(b, p, "--set", "runner.delivery=image-volume")
	copied := installAgent(b, p, "--set", "runner.delivery=init-copy")
	lasting := stamp + " && sleep 5"
	p.apply(b, document("short", python, "Never", stamp))
	p.apply(b, document("long", python, "Never", lasting))
	bare := newBareProgram(b, volume)
	type way struct {
		name, of string
		once     func(b *testing.B) (line, result time.Duration)
	}
	ways := []way{
		{cards.Bare, "0 s", func(b *testing.B) (time.Duration, time.Duration) { b.Helper(); return bare.once(b, stamp) }},
		{cards.Kubectl, "0 s", bareJob(b, volume)},
		{cards.Seatrial, "0 s", func(b *testing.B) (time.Duration, time.Duration) { b.Helper(); return p.api(b, volume, "short") }},
		{cards.Copied, "0 s", func(b *testing.B) (time.Duration, time.Duration) { b.Helper(); return p.api(b, copied, "short") }},
		{cards.Kubectl, "5 s", bareJobOf(b, volume, lasting)},
		{cards.Seatrial, "5 s", func(b *testing.B) (time.Duration, time.Duration) { b.Helper(); return p.api(b, volume, "long") }},
	}
	for _, w := range ways[:4] {
		w.once(b) // what only the first time needs is not measured
	}
	for turn := 0; b.Loop(); turn++ {
		for _, w := range ways {
			if w.of == "5 s" && turn%long != 0 {
				continue
			}
			line, result := w.once(b)
			note := func(card, metric string, d time.Duration) {
				cards.Note(b, cards.Sample{Card: card, Metric: metric, Arm: w.name, Round: turn, Value: millis(d), Unit: "ms"})
			}
			note("P3", "trigger to result, "+w.of, result)
			if w.of == "0 s" {
				note("P1", "trigger to line", line)
				note("P2", "line to result", result-line)
			}
			b.Logf("%-20s %s: line after %s, result after %s", w.name, w.of, round(line), round(result))
		}
	}
	b.ReportMetric(0, "ns/op")
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
