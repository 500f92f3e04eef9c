package cmd

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
	"github.com/seatrial/seatrial/ui/cli/render"
)

func (a *app) schedule() *cobra.Command {
	c := &cobra.Command{
		Use: "schedule", Short: "What starts when: list, look at, suspend and run schedules",
		Long: "A schedule is a document of kind Schedule, which seatrial apply takes, or an entry of spec.triggers of a workflow; the first of those " +
			"of the workflow smoke is called smoke.1. Each due time starts once. One that nobody was there for is made up for or on record as " +
			"missed, as catchUp says.",
	}
	c.AddCommand(a.scheduleList(), a.scheduleShow(), a.scheduleNext(), a.scheduleSuspend(), a.scheduleResume(), a.scheduleRun(), a.scheduleRemove())
	return c
}

func (a *app) scheduleList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List all schedules with their next and last due times", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			all := &apiv1.ListSchedulesResponse{}
			for token := ""; ; {
				res, err := cl.schedules.ListSchedules(c.Context(), &apiv1.ListSchedulesRequest{PageSize: 1000, PageToken: token})
				if err != nil {
					return err
				}
				all.Schedules = append(all.Schedules, res.GetSchedules()...)
				if token = res.GetNextPageToken(); token == "" {
					break
				}
			}
			if a.format != render.Table {
				return render.Message(a.Out, a.format, all)
			}
			if len(all.GetSchedules()) == 0 {
				a.say("There is no schedule. Apply a document of kind Schedule, or write spec.triggers into a workflow: seatrial explain Schedule.")
				return nil
			}
			rows := make([][]string, len(all.GetSchedules()))
			for i, s := range all.GetSchedules() {
				rows[i] = []string{
					render.Line(s.GetName()), render.Line(s.GetTeam()), render.Line(s.GetCron()), s.GetTimezone(), render.Line(strings.Join(s.GetStarts(), ", ")),
					nextOf(s), lastOf(s.GetLast()), fmt.Sprint(s.GetMissed()),
				}
			}
			return render.Rows(a.Out, []string{"NAME", "TEAM", "CRON", "ZONE", "STARTS", "NEXT", "LAST", "MISSED"}, rows)
		},
	}
}

func nextOf(s *apiv1.Schedule) string {
	if s.GetSuspended() != "" {
		return "suspended"
	}
	return render.Time(s.GetNextDue())
}

func lastOf(f *apiv1.Firing) string {
	if f == nil {
		return "-"
	}
	return render.Time(f.GetDue()) + " " + f.GetState()
}

func (a *app) scheduleShow() *cobra.Command {
	missed := false
	c := &cobra.Command{
		Use: "show NAME", Short: "Show a schedule, its next times and what has become of the last ones", Args: cobra.ExactArgs(1),
		Example: "  seatrial schedule show nightly\n  seatrial schedule show nightly --missed",
	}
	c.Flags().BoolVar(&missed, "missed", false, "only due times that started nothing")
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := a.connect()
		if err != nil {
			return err
		}
		res, err := cl.schedules.GetSchedule(c.Context(), &apiv1.GetScheduleRequest{Name: args[0]})
		if err != nil {
			return err
		}
		if missed {
			list, err := cl.schedules.ListFirings(c.Context(), &apiv1.ListFiringsRequest{Name: args[0], Missed: true, PageSize: 100})
			if err != nil {
				return err
			}
			res.Firings = list.GetFirings()
		}
		if a.format != render.Table {
			return render.Message(a.Out, a.format, res)
		}
		return a.showSchedule(res)
	}
	return c
}

func (a *app) showSchedule(res *apiv1.GetScheduleResponse) error {
	s := res.GetSchedule()
	facts := [][2]string{
		{"Schedule", s.GetName()},
		{"Team", s.GetTeam()},
		{"Stands in", cmp.Or(s.GetWorkflow(), "a document of its own")},
		{"Cron", s.GetCron() + " (" + s.GetTimezone() + ")"},
		{"Starts", strings.Join(s.GetStarts(), ", ")},
		{"Catch-up", s.GetCatchUp()},
		{"State", cmp.Or(s.GetSuspended(), "active")},
		{"Missed", fmt.Sprintf("%d in the last 7 days", s.GetMissed())},
	}
	for _, f := range facts {
		if err := a.print("%-10s %s", f[0], render.Line(f[1])); err != nil {
			return err
		}
	}
	if err := a.print("\nNext"); err != nil {
		return err
	}
	if err := a.upcoming(res); err != nil {
		return err
	}
	if len(res.GetFirings()) == 0 {
		return a.print("\nNothing was due yet.")
	}
	if err := a.print(""); err != nil {
		return err
	}
	var rows [][]string
	for _, f := range res.GetFirings() {
		rows = append(rows, []string{render.Time(f.GetDue()), f.GetState(), outcomeOf(f)})
	}
	return render.Rows(a.Out, []string{"DUE", "STATE", "EXECUTIONS"}, rows)
}

// outcomeOf says what a firing has led to, or why to nothing.
func outcomeOf(f *apiv1.Firing) string {
	var parts []string
	for _, s := range f.GetStarted() {
		text := s.GetWorkflow() + " " + s.GetExecutionId()
		if s.GetProblem() != "" {
			text = strings.TrimSpace(s.GetWorkflow() + ": " + s.GetProblem())
		}
		parts = append(parts, strings.TrimPrefix(text, ": "))
	}
	if f.GetReason() != "" {
		parts = append(parts, "("+f.GetReason()+")")
	}
	if f.GetActor() != "" {
		parts = append(parts, "by "+f.GetActor())
	}
	return render.Line(strings.Join(parts, "; "))
}

// upcoming prints the next times on the clock of the schedule.
func (a *app) upcoming(res *apiv1.GetScheduleResponse) error {
	in, err := time.LoadLocation(res.GetSchedule().GetTimezone())
	if err != nil {
		in = time.UTC
	}
	for _, at := range res.GetNext() {
		if err := a.print("  %s", at.AsTime().In(in).Format("Mon 2006-01-02 15:04:05 -07:00")); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) scheduleNext() *cobra.Command {
	n := 10
	c := &cobra.Command{
		Use: "next NAME", Short: "Show when a schedule is due next", Args: cobra.ExactArgs(1), Example: "  seatrial schedule next nightly -n 30",
	}
	c.Flags().IntVarP(&n, "count", "n", n, "how many times, up to 100")
	c.RunE = func(c *cobra.Command, args []string) error {
		if n < 1 || n > 100 {
			return fmt.Errorf("--count %d: give 1 to 100", n)
		}
		cl, err := a.connect()
		if err != nil {
			return err
		}
		res, err := cl.schedules.GetSchedule(c.Context(), &apiv1.GetScheduleRequest{Name: args[0], Next: int32(n)})
		if err != nil {
			return err
		}
		if a.format != render.Table {
			return render.Message(a.Out, a.format, &apiv1.GetScheduleResponse{Next: res.GetNext()})
		}
		if why := res.GetSchedule().GetSuspended(); why != "" {
			a.say("The schedule is %s: nothing is started at these times.", render.Line(why))
		}
		return a.upcoming(res)
	}
	return c
}

func (a *app) scheduleSuspend() *cobra.Command {
	return &cobra.Command{
		Use: "suspend NAME", Short: "Keep a schedule from starting anything", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			res, err := cl.schedules.SuspendSchedule(c.Context(), &apiv1.SuspendScheduleRequest{Name: args[0]})
			if err != nil {
				return err
			}
			if a.format != render.Table {
				return render.Message(a.Out, a.format, res)
			}
			return a.print("schedule %s is suspended; what is due meanwhile is not made up for", render.Line(res.GetSchedule().GetName()))
		},
	}
}

func (a *app) scheduleResume() *cobra.Command {
	return &cobra.Command{
		Use: "resume NAME", Short: "Let a suspended schedule start again", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			res, err := cl.schedules.ResumeSchedule(c.Context(), &apiv1.ResumeScheduleRequest{Name: args[0]})
			if err != nil {
				return err
			}
			if a.format != render.Table {
				return render.Message(a.Out, a.format, res)
			}
			s := res.GetSchedule()
			if s.GetSuspended() != "" {
				return a.print("schedule %s is still %s", render.Line(s.GetName()), render.Line(s.GetSuspended()))
			}
			return a.print("schedule %s is due next at %s", render.Line(s.GetName()), render.Time(s.GetNextDue()))
		},
	}
}

func (a *app) scheduleRun() *cobra.Command {
	return &cobra.Command{
		Use: "run NAME", Short: "Start what a schedule names now, due or not", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			res, err := cl.schedules.RunSchedule(c.Context(), &apiv1.RunScheduleRequest{Name: args[0]})
			if err != nil {
				return err
			}
			if a.format != render.Table {
				return render.Message(a.Out, a.format, res)
			}
			for _, s := range res.GetFiring().GetStarted() {
				text := s.GetExecutionId()
				if s.GetProblem() != "" {
					text = s.GetProblem()
				}
				if err := a.print("%s: %s", render.Line(s.GetWorkflow()), render.Line(text)); err != nil {
					return err
				}
			}
			if res.GetFiring().GetState() == "failed" {
				return coded(exitcode.Failed, fmt.Errorf("the schedule %s has started nothing", args[0]))
			}
			return nil
		},
	}
}

func (a *app) scheduleRemove() *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Short: "Remove a schedule; what it has started stays on record", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			if _, err := cl.schedules.RemoveSchedule(c.Context(), &apiv1.RemoveScheduleRequest{Name: args[0]}); err != nil {
				return err
			}
			return a.print("schedule %s removed", render.Line(args[0]))
		},
	}
}
