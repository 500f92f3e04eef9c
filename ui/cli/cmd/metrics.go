package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
)

// portion is which attempts of an execution are wanted; nothing stands for all.
type portion struct {
	run     string
	attempt int
}

func (a *app) metricsGetter() *cobra.Command {
	var only portion
	c := a.getter("metrics EXECUTION", []string{"metric", "usage"}, 1, func(ctx context.Context, cl clients, id string) (table, error) {
		return a.getMetrics(ctx, cl, id, only)
	})
	c.Flags().StringVar(&only.run, "run", "", "name of one run, of an execution that has several")
	c.Flags().IntVar(&only.attempt, "attempt", 0, "number of one attempt, of runs that have several")
	return c
}

// ids returns the attempts that are wanted, none for all.
func (c portion) ids(runs cells, numbers map[string]string) (out []string, err error) {
	if c == (portion{}) {
		return nil, nil
	}
	for id, number := range numbers {
		if (c.run == "" || runs[id] == c.run) && (c.attempt == 0 || number == strconv.Itoa(c.attempt)) {
			out = append(out, id)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("the execution has no such attempt: see what there is with seatrial get execution")
	}
	slices.Sort(out)
	return out, nil
}

// getMetrics shows what steps have used: as a table the totals, as CSV every sample.
func (a *app) getMetrics(ctx context.Context, cl clients, id string, only portion) (table, error) {
	runs, numbers, err := a.attempts(ctx, cl, id)
	if err != nil {
		return table{}, err
	}
	ids, err := only.ids(runs, numbers)
	if err != nil {
		return table{}, err
	}
	res, err := cl.executions.ListMetrics(ctx, &apiv1.ListMetricsRequest{ExecutionId: id, AttemptIds: ids})
	if err != nil {
		return table{}, err
	}
	t := table{
		message: res, header: runs.header([]string{"ATTEMPT", "STEP", "CPU", "THROTTLED", "PEAK MEMORY", "READ", "WRITTEN", "NOTE"}),
		sheet: &sheet{header: []string{"run", "attempt", "step", "seconds", "cpu_seconds", "memory_bytes", "read_bytes", "written_bytes"}},
	}
	for _, s := range res.GetSteps() {
		u := s.GetUsage()
		row := []string{
			numbers[s.GetAttemptId()], s.GetStep(), seconds(u.GetCpu()), seconds(u.GetThrottled()), bytesOf(u.GetMemoryPeak()), bytesOf(u.GetReadBytes()),
			bytesOf(u.GetWrittenBytes()), u.GetNote(),
		}
		t.rows = append(t.rows, runs.row(row, s.GetAttemptId()))
		for _, one := range s.GetSamples() {
			t.sheet.rows = append(t.sheet.rows, []string{
				s.GetRun(), numbers[s.GetAttemptId()], s.GetStep(), decimal(one.GetAt()), decimal(one.GetCpu()), strconv.FormatInt(one.GetMemory(), 10),
				strconv.FormatInt(one.GetReadBytes(), 10), strconv.FormatInt(one.GetWrittenBytes(), 10),
			})
		}
	}
	if res.GetCut() {
		a.say("There are more steps than fit one answer: ask for less with --run and --attempt.")
	}
	return t, nil
}

// attempts returns the names of runs and the numbers of attempts by the ids of these.
func (a *app) attempts(ctx context.Context, cl clients, id string) (cells, map[string]string, error) {
	res, err := cl.executions.GetExecution(ctx, &apiv1.GetExecutionRequest{Id: id})
	if err != nil {
		return nil, nil, err
	}
	numbers := map[string]string{}
	for _, r := range res.GetExecution().GetRuns() {
		for _, at := range r.GetAttempts() {
			numbers[at.GetId()] = strconv.Itoa(int(at.GetNumber()))
		}
	}
	return cellsOf(res.GetExecution()), numbers, nil
}

// usedBy sums up what the steps of a run have used, all attempts together; empty when nothing was measured.
func usedBy(r *apiv1.Run) string {
	var cpu time.Duration
	var peak, read, written int64
	measured := false
	for _, at := range r.GetAttempts() {
		for _, s := range at.GetSteps() {
			u := s.GetUsage()
			measured = measured || u.GetCpu().AsDuration() > 0 || u.GetMemoryPeak() > 0
			cpu += u.GetCpu().AsDuration()
			peak, read, written = max(peak, u.GetMemoryPeak()), read+u.GetReadBytes(), written+u.GetWrittenBytes()
		}
	}
	if !measured {
		return ""
	}
	return fmt.Sprintf("\nUsed: peak memory %s, CPU %s, read %s, written %s\n", bytesOf(peak), seconds(durationpb.New(cpu)), bytesOf(read), bytesOf(written))
}

func seconds(d *durationpb.Duration) string { return fmt.Sprintf("%.2fs", d.AsDuration().Seconds()) }

func decimal(d *durationpb.Duration) string {
	return strconv.FormatFloat(d.AsDuration().Seconds(), 'f', 3, 64)
}

// bytesOf is a number of bytes as people read it.
func bytesOf(n int64) string {
	const step = 1024
	if n < step {
		return strconv.FormatInt(n, 10) + " B"
	}
	v, unit := float64(n)/step, 0
	for ; v >= step && unit < 4; unit++ {
		v /= step
	}
	return fmt.Sprintf("%.1f %ciB", v, "KMGTP"[unit])
}
