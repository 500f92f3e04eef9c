// Command preview serves the pages with made-up data, to look at them while they are worked on.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/seatrial/seatrial/ui/web"
	"github.com/seatrial/seatrial/ui/web/view"
	"github.com/seatrial/seatrial/ui/web/viewfake"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	address := flag.String("listen", "127.0.0.1:8480", "where to serve")
	signedIn := flag.Bool("signed-in", false, "let everybody in, for pictures")
	empty := flag.Bool("empty", false, "show an organization without anything")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	world := viewfake.Sample()
	if *empty {
		world = viewfake.New(viewfake.Now)
	}
	handler, err := web.New(web.Options{
		Sessions: world, Door: world.People(), SSO: world.Access(), Access: world.Access(), Account: world.People(), Tokens: world.People(), People: world.People(), History: world, Launcher: world, Catalog: world.Catalog(), Origins: world.Origins(), Repositories: world.Origins(), Fleet: world, Releases: world.Releases(), Snapshots: world.Snapshots(), Schedules: world.Schedules(), Triggers: world.Triggers(), Webhooks: world.Webhooks(), Tests: world.Board(), Insight: world.Insight(), Search: world.Search(), Outlook: world.Outlook(), Audit: world,
		Logs: world, Events: world, Retention: viewfake.Kept(), API: viewfake.API{}, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Now: viewfake.Now, Draining: ctx.Done(),
	})
	if err != nil {
		return err
	}
	if *signedIn {
		handler = letIn(handler)
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		keepWriting(ctx, world)
	}()
	server := &http.Server{Addr: *address, Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	stopped := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stopped()
	fmt.Fprintf(os.Stderr, "http://%s as %s with the password %q\n", *address, world.Member.Viewer.Name, world.Password)
	err = server.ListenAndServe()
	stop()
	<-written
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// letIn gives every request the session that exists from the start.
func letIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/login" {
			r.AddCookie(&http.Cookie{Name: view.SessionCookie, Value: "valid"}) //nolint:gosec // G124: sent to itself
		}
		next.ServeHTTP(w, r)
	})
}

// keepWriting adds a line to the live log every now and then, in two parts.
func keepWriting(ctx context.Context, world *viewfake.World) {
	tick := time.NewTicker(700 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			text := "\x1b[32mPASSED\x1b[0m\n"
			if i%2 == 1 {
				text = fmt.Sprintf("tests/test_pay.py::test_card[%d] ", i/2)
			}
			world.Write(viewfake.AttemptID(viewfake.Live), 1, text, false)
		}
	}
}
