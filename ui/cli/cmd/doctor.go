package cmd

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/config"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
	"github.com/seatrial/seatrial/ui/cli/render"
)

// What is taken for a reason to look closer.
const (
	skewWarn   = 5 * time.Second // of the clock: log lines look odd
	skewFail   = time.Minute     // tokens that are just issued are not yet good, or not any more
	certWarn   = 14 * 24 * time.Hour
	tokenWarn  = 7 * 24 * time.Hour
	slowAnswer = 500 * time.Millisecond
)

// States of a symptom.
const (
	good     = "ok"
	doubtful = "warning"
	bad      = "failed"
)

// symptom is what the doctor says of one thing, with what to do about it.
type symptom struct {
	Check string `json:"check"`
	State string `json:"state"`
	Found string `json:"found"`
	Do    string `json:"do,omitempty"`
}

func (a *app) doctor() *cobra.Command {
	var r remote
	c := &cobra.Command{
		Use: "doctor", Short: "Check the way from here to the tests, and say what is wrong with it", Args: cobra.NoArgs,
		Long: "Check the configuration, the connection, the clock, the versions, the credential and the clusters, and say what is wrong and what to do.\n" +
			"With --server only whether a control plane is well, which needs no credential; with --agents its port for agents as well.\n" +
			"The exit code is 3 when something keeps tests from running.",
		RunE: func(c *cobra.Command, _ []string) error {
			found := a.examineAll(c.Context(), r)
			if a.format != render.Table {
				if err := render.Value(a.Out, a.format, found); err != nil {
					return err
				}
			} else if err := a.tellSymptoms(found); err != nil {
				return err
			}
			if slices.ContainsFunc(found, func(f symptom) bool { return f.State == bad }) {
				return coded(exitcode.Errored, &toldError{"something keeps tests from running"})
			}
			return nil
		},
	}
	r.flags(c)
	return c
}

func (a *app) tellSymptoms(found []symptom) error {
	for _, f := range found {
		if err := a.print("%-9s %-13s %s", f.State, f.Check, render.Line(f.Found)); err != nil {
			return err
		}
		if f.Do != "" {
			if err := a.print("%-9s %-13s → %s", "", "", render.Line(f.Do)); err != nil {
				return err
			}
		}
	}
	return nil
}

// examine goes from here to the tests and stops where nothing behind can be reached.
func (a *app) examine(ctx context.Context) []symptom {
	cl, err := a.connect()
	if err != nil {
		return []symptom{{Check: "configuration", State: bad, Found: err.Error()}}
	}
	found := []symptom{{Check: "configuration", State: good, Found: a.target.Server + ", from " + a.source()}}
	more, reached := a.examineServer(ctx)
	if found = append(found, more...); !reached {
		return found
	}
	ctx, cancel := context.WithTimeout(ctx, a.Look) // one that never answers is what the doctor is asked about
	defer cancel()
	who, err := cl.identity.WhoAmI(ctx, &apiv1.WhoAmIRequest{})
	if errors.Is(err, context.DeadlineExceeded) || connect.CodeOf(err) == connect.CodeDeadlineExceeded {
		return append(found, symptom{"credential", bad, fmt.Sprintf("no answer within %s", a.Look), "Look at the load of the control plane and at its database."})
	}
	if err != nil {
		return append(found, symptom{"credential", bad, err.Error(), "Run: seatrial login --server " + a.target.Server + ", or set SEATRIAL_TOKEN."})
	}
	found = append(found, versionsOf(programVersion(), who.GetServerVersion()), credential(who, time.Now()))
	clusters, err := cl.clusters.ListClusters(ctx, &apiv1.ListClustersRequest{})
	if err != nil {
		return append(found, symptom{Check: "clusters", State: bad, Found: err.Error()})
	}
	return append(found, examineClusters(clusters.GetClusters(), who.GetServerVersion())...)
}

// source says where the address comes from.
func (a *app) source() string {
	if a.Env("SEATRIAL_SERVER") != "" {
		return "SEATRIAL_SERVER"
	}
	return config.Path(a.Env)
}

// examineServer asks whether the control plane is ready, and looks at how it answers.
func (a *app) examineServer(ctx context.Context) (found []symptom, reached bool) {
	ctx, cancel := context.WithTimeout(ctx, a.Look)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(a.target.Server, "/")+"/readyz", http.NoBody)
	if err != nil {
		return []symptom{{"connection", bad, err.Error(), "Give an address such as https://seatrial.example.com."}}, false
	}
	begun := time.Now()
	res, err := a.HTTP.Do(req)
	if err != nil {
		return []symptom{{"connection", bad, err.Error(), "Check that it runs, that the address is right, and that no proxy or firewall is in between."}}, false
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	took := time.Since(begun)
	switch {
	case res.StatusCode == http.StatusServiceUnavailable:
		found = append(found, symptom{"connection", bad, "the control plane answers that it is not ready", "Look at its log: its database may be away, or it is about to stop."})
	case res.StatusCode != http.StatusOK:
		return []symptom{{"connection", bad, "it answers " + res.Status + ", which no control plane does", "Check the address: something else may listen there."}}, false
	case took > slowAnswer:
		found = append(found, symptom{"connection", doubtful, fmt.Sprintf("ready, but it took %s to answer", took.Round(time.Millisecond)), "Look at the load of the control plane and the way to it."})
	default:
		found = append(found, symptom{Check: "connection", State: good, Found: "ready"})
	}
	if res.TLS != nil && len(res.TLS.PeerCertificates) > 0 {
		found = append(found, certificate(res.TLS.PeerCertificates[0].NotAfter, time.Now()))
	}
	if at, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		found = append(found, clock(at, begun, begun.Add(took)))
	}
	return found, true
}

func certificate(until, now time.Time) symptom {
	if left := until.Sub(now); left < certWarn {
		return symptom{"certificate", doubtful, "it ends " + render.Time(timestamppb.New(until)), "Renew the certificate of the control plane: nobody reaches it after that."}
	}
	return symptom{Check: "certificate", State: good, Found: "good until " + render.Time(timestamppb.New(until))}
}

// clock compares the time of the control plane, which comes in whole seconds, with that of this machine. It was told some time between the
// question and the answer, which may take a while.
func clock(there, asked, answered time.Time) symptom {
	var skew time.Duration
	if early := asked.Truncate(time.Second).Sub(there); early > 0 {
		skew = early
	} else if late := answered.Sub(there); late < 0 {
		skew = late
	}
	ahead, skew := "ahead of", skew.Round(time.Second)
	if skew < 0 {
		ahead, skew = "behind", -skew
	}
	said := fmt.Sprintf("this machine is %s %s the control plane", skew, ahead)
	switch {
	case skew >= skewFail:
		return symptom{"clock", bad, said, "Set the clock of this machine, such as by NTP: credentials hold for a time."}
	case skew >= skewWarn:
		return symptom{"clock", doubtful, said, "Set the clock of this machine, such as by NTP."}
	}
	return symptom{Check: "clock", State: good, Found: "it agrees with the control plane's"}
}

func versionsOf(mine, theirs string) symptom {
	if mine == theirs || strings.HasPrefix(mine, "(devel)") || theirs == "" {
		return symptom{Check: "versions", State: good, Found: fmt.Sprintf("this program %s, control plane %s", mine, theirs)}
	}
	return symptom{"versions", doubtful, fmt.Sprintf("this program is %s, the control plane %s", mine, theirs), "Both work together; install the same version to have all of its commands."}
}

func credential(who *apiv1.WhoAmIResponse, now time.Time) symptom {
	said := fmt.Sprintf("%s of %s, may %s", who.GetSubject(), who.GetOrganization(), strings.Join(who.GetScopes(), ", "))
	if at := who.GetExpiresAt(); at != nil {
		said += "; until " + render.Time(at)
		if at.AsTime().Sub(now) < tokenWarn {
			return symptom{"credential", doubtful, said, "Make another token with `seatrial token create`, or log in again."}
		}
	}
	if !slices.Contains(who.GetScopes(), "run") {
		return symptom{"credential", doubtful, said, "It cannot run workflows: use a token with the scope run for that."}
	}
	return symptom{Check: "credential", State: good, Found: said}
}

// examineClusters says of each cluster whether tests can run there. One that cannot is a fault only when no other can.
func examineClusters(all []*apiv1.Cluster, server string) []symptom {
	if len(all) == 0 {
		return []symptom{{"clusters", bad, "none is enrolled, so no test can run", "Run: seatrial cluster enroll NAME"}}
	}
	var out []symptom
	able := 0
	for _, c := range all {
		f := symptom{Check: "cluster", State: doubtful, Found: c.GetName() + " is " + standing(c)}
		switch {
		case c.GetRevokedAt() != nil, !c.GetEnrolled():
			f.Do = "Run: seatrial cluster enroll " + c.GetName()
		case !c.GetConnected():
			f.Do = "Check that its agent runs and reaches the control plane; last heard " + render.Time(c.GetLastSeenAt()) + "."
		case c.GetDrainedAt() != nil:
			f.Do = "Run: seatrial cluster undrain " + c.GetName()
		default:
			able++
			if f.State = good; server != "" && c.GetAgentVersion() != server {
				f.State, f.Do = doubtful, fmt.Sprintf("Its agent is %s and the control plane %s: upgrade the agent's Helm release.", c.GetAgentVersion(), server)
			}
			f.Found += fmt.Sprintf(", Kubernetes %s, %s under way, %d waiting", c.GetKubernetesVersion(), busyRuns(c), c.GetQueuedRuns())
		}
		out = append(out, f)
	}
	if able == 0 {
		for i := range out {
			out[i].State = bad
		}
	}
	return out
}
