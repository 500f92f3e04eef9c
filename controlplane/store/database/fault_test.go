package database_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/store/database"
)

// TestFault_Lost: who asks while the database is away is told to ask again, and not that the control plane is defective.
func TestFault_Lost(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err    error
		lost   bool
		reason string
	}{
		"Cut":          {io.ErrUnexpectedEOF, true, "the connection ended in the middle of an answer"},
		"Reset":        {&net.OpError{Op: "read", Err: errors.New("connection reset by peer")}, true, "the server was killed"},
		"Bad":          {driver.ErrBadConn, true, "the pool gave out a connection that had died"},
		"Refused":      {&pgconn.ConnectError{}, true, "nobody listens"},
		"ConnectLate":  {connecting(t), true, "nobody answers within connect_timeout, which is no limit of the caller"},
		"Shutdown":     {&pgconn.PgError{Code: "57P01"}, true, "an administrator restarts the server"},
		"Crash":        {&pgconn.PgError{Code: "57P02"}, true, "another process of the server has crashed"},
		"Starting":     {&pgconn.PgError{Code: "57P03"}, true, "the server starts"},
		"TooMany":      {&pgconn.PgError{Code: "53300"}, true, "all connections are taken"},
		"Connection":   {&pgconn.PgError{Code: "08006"}, true, "a pooler in between lost the server"},
		"Standby":      {&pgconn.PgError{Code: "25006"}, true, "a failover goes on"},
		"CallerWent":   {fmt.Errorf("%w: %w", context.Canceled, io.ErrUnexpectedEOF), false, "nobody is there who could try again"},
		"TookTooLong":  {fmt.Errorf("%w: %w", context.DeadlineExceeded, &net.OpError{Op: "read", Err: errors.New("i/o timeout")}), false, "the caller's own limit"},
		"Syntax":       {&pgconn.PgError{Code: "42601"}, false, "a defect stays one"},
		"NotOfTheKind": {errors.New("any"), false, "what is unknown stays as it is"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := database.Fault(fmt.Errorf("query: %w", tc.err))
			if fault.Is(got, fault.Unavailable) != tc.lost {
				t.Errorf("%s: %v", tc.reason, got)
			}
			if !errors.Is(got, tc.err) {
				t.Errorf("the cause is lost in %v", got)
			}
		})
	}
}

// connecting is the error of a connection to a server that takes it and never says anything.
func connecting(t *testing.T) error {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	_, err = pgconn.Connect(t.Context(), "postgres://nobody@"+l.Addr().String()+"/none?sslmode=disable&connect_timeout=1")
	if err == nil {
		t.Fatal("it connected to nobody")
	}
	return err
}
