// Package cmd holds the commands of seatrial.
package cmd

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/proto/gen/seatrial/api/v1/apiv1connect"
	"github.com/seatrial/seatrial/ui/cli/config"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
	"github.com/seatrial/seatrial/ui/cli/render"
)

// Options are what a command needs of its process. Zero Patience and Backoff mean two minutes and half a second.
type Options struct {
	In       io.Reader
	Out, Err io.Writer
	Env      func(string) string
	Plugin   bool             // it was called as kubectl seatrial
	Terminal bool             // Err is a terminal: progress rewrites one line
	PipedOut bool             // Out is not a terminal: logs carry no headers
	HTTP     *http.Client     // nil means a new one
	Patience time.Duration    // how long an unreachable control plane is waited for while watching
	Backoff  time.Duration    // pause between two tries
	Look     time.Duration    // how long the doctor waits for an answer
	Environ  []string         // what local runs hand to steps; nil means that of this process
	Now      func() time.Time // the clock of signatures; nil means that of the machine
	Runner   []string         // command line that runs the runner for local runs; nil means this program
}

// app is what the commands share; the persistent flags fill it.
type app struct {
	Options
	context string
	output  string
	format  render.Format
	target  config.Context
	err     sync.Mutex  // of writes to Err, which come from everything that is watched
	lost    atomic.Bool // it was said that the connection is lost
	reading sync.Once
	lines   chan string // of the input, see typed
}

// Main runs a command line and returns the exit code.
func Main(ctx context.Context, args []string, o Options) int {
	if o.HTTP == nil {
		o.HTTP = &http.Client{}
	}
	if o.Patience == 0 {
		o.Patience = 2 * time.Minute
	}
	if o.Look == 0 {
		o.Look = 10 * time.Second
	}
	if o.Backoff == 0 {
		o.Backoff = 500 * time.Millisecond
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	a := &app{Options: o}
	root := a.root() //nolint:contextcheck // cobra carries the context in the command
	root.SetArgs(args)
	root.SetIn(o.In)
	root.SetOut(o.Out)
	root.SetErr(o.Err)
	err := root.ExecuteContext(ctx)
	if err != nil {
		a.explain(err)
	}
	return exitcode.Of(err)
}

// Tree returns all commands, for the reference that is written from them. They are not to be run.
func Tree() *cobra.Command {
	a := &app{Options: Options{Env: func(string) string { return "" }}}
	return a.root()
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "seatrial",
		Short:         "Run tests inside Kubernetes clusters and see what they found",
		SilenceUsage:  true,
		SilenceErrors: true,
		Long: "Exit codes: 0 passed · 1 failed · 2 wrong usage or input · 3 errored, unreachable or refused · " +
			"4 timed out, cancelled or no longer watched · 5 evidence of a release is missing.",
		PersistentPreRunE: func(c *cobra.Command, _ []string) (err error) {
			if p := c.Parent(); a.output == string(render.CSV) && p != nil && p.Name() == "get" {
				a.format = render.CSV
				return nil
			}
			a.format, err = render.ParseFormat(a.output)
			return err
		},
	}
	if a.Plugin {
		root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl seatrial"}
	}
	root.PersistentFlags().StringVar(&a.context, "context", "", "context of the configuration to use")
	root.PersistentFlags().StringVarP(&a.output, "output", "o", "table", "table, json or yaml; of get also csv")
	root.AddCommand(a.login(), a.apply(), a.run(), a.get(), a.download(), a.logs(), a.resume(), a.cancel(), a.cluster(), a.team(), a.member(), a.invite(), a.token(), a.access(), a.sso(), a.trust(), a.version(),
		a.release(), a.tests(), a.compare(), a.report(), a.failureClusters(), a.search(), a.coverage(), a.policy(), a.schedule(), a.webhook(), a.trigger(), a.events(), a.audit(), a.workflow(), a.catalog(), a.repository(),
		a.validate(), a.explainField(), a.importing(), a.results(), a.local(), a.mcp(), a.contexts(), a.doctor())
	sayArguments(root)
	a.completions(root)
	return root
}

// clients are the services of one control plane.
type clients struct {
	workflows  apiv1connect.WorkflowServiceClient
	executions apiv1connect.ExecutionServiceClient
	clusters   apiv1connect.ClusterServiceClient
	identity   apiv1connect.IdentityServiceClient
	releases   apiv1connect.ReleaseServiceClient
	tests      apiv1connect.TestServiceClient
	insights   apiv1connect.InsightServiceClient
	people     apiv1connect.PeopleServiceClient
	audits     apiv1connect.AuditServiceClient
	access     apiv1connect.AccessServiceClient
	schedules  apiv1connect.ScheduleServiceClient
	webhooks   apiv1connect.WebhookServiceClient
	catalog    apiv1connect.CatalogServiceClient
	triggers   apiv1connect.TriggerServiceClient
}

// connect resolves the target and returns clients for it.
func (a *app) connect() (clients, error) {
	cfg, err := config.Load(config.Path(a.Env))
	if err != nil {
		return clients{}, err
	}
	name := a.context
	if name == "" && a.Plugin {
		name = cfg.Beside(config.KubeContext(a.Env))
	}
	a.target, err = cfg.Resolve(name, a.Env)
	if err != nil {
		return clients{}, err
	}
	return a.dial(a.target), nil
}

func (a *app) dial(t config.Context) clients {
	opt := connect.WithInterceptors(bearer(t.Token))
	server := strings.TrimRight(t.Server, "/")
	return clients{
		workflows:  apiv1connect.NewWorkflowServiceClient(a.HTTP, server, opt),
		executions: apiv1connect.NewExecutionServiceClient(a.HTTP, server, opt),
		clusters:   apiv1connect.NewClusterServiceClient(a.HTTP, server, opt),
		identity:   apiv1connect.NewIdentityServiceClient(a.HTTP, server, opt),
		releases:   apiv1connect.NewReleaseServiceClient(a.HTTP, server, opt),
		tests:      apiv1connect.NewTestServiceClient(a.HTTP, server, opt),
		insights:   apiv1connect.NewInsightServiceClient(a.HTTP, server, opt),
		triggers:   apiv1connect.NewTriggerServiceClient(a.HTTP, server, opt),
		schedules:  apiv1connect.NewScheduleServiceClient(a.HTTP, server, opt),
		webhooks:   apiv1connect.NewWebhookServiceClient(a.HTTP, server, opt),
		people:     apiv1connect.NewPeopleServiceClient(a.HTTP, server, opt),
		audits:     apiv1connect.NewAuditServiceClient(a.HTTP, server, opt),
		access:     apiv1connect.NewAccessServiceClient(a.HTTP, server, opt),
		catalog:    apiv1connect.NewCatalogServiceClient(a.HTTP, server, opt),
	}
}

// bearer adds the token to every call.
type bearer string

// WrapUnary adds the token to a call.
func (b bearer) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
		if b != "" {
			r.Header().Set("Authorization", "Bearer "+string(b))
		}
		return next(ctx, r)
	}
}

// WrapStreamingClient adds the token to a stream.
func (b bearer) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, s connect.Spec) connect.StreamingClientConn {
		conn := next(ctx, s)
		if b != "" {
			conn.RequestHeader().Set("Authorization", "Bearer "+string(b))
		}
		return conn
	}
}

// WrapStreamingHandler does nothing: there are no handlers here.
func (b bearer) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}

// say writes a line for people.
func (a *app) say(format string, args ...any) { a.tell(format+"\n", args...) }

func (a *app) tell(format string, args ...any) {
	a.err.Lock()
	defer a.err.Unlock()
	_, _ = fmt.Fprintf(a.Err, format, args...)
}

func (a *app) print(format string, args ...any) error {
	_, err := fmt.Fprintf(a.Out, format+"\n", args...)
	return err
}
