package cmd_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"

	apiv1 "github.com/seatrial/seatrial/proto/gen/seatrial/api/v1"
	"github.com/seatrial/seatrial/ui/cli/config"
	"github.com/seatrial/seatrial/ui/cli/exitcode"
)

func TestGet(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"get-workflows": {"get", "workflows"}, "get-workflow": {"get", "workflow", "smoke"}, "get-executions": {"get", "executions"},
		"get-templates": {"get", "templates"}, "get-template": {"get", "template", "playwright"},
		"get-execution": {"get", "execution", "ex-1"}, "get-tests": {"get", "tests", "ex-1"}, "get-files": {"get", "files", "ex-1"},
		"get-clusters": {"get", "clusters"}, "get-environments": {"get", "environments"}, "get-clusters-json": {"get", "clusters", "-o", "json"},
		"get-workflows-yaml": {"get", "wf", "-o", "yaml"}, "cluster-list": {"cluster", "list"}, "logs": {"logs", "ex-1"},
		"get-metrics": {"get", "metrics", "ex-1"}, "get-metrics-attempt": {"get", "metrics", "ex-1", "--attempt", "1"},
		"get-metrics-none": {"get", "metrics", "ex-1", "--attempt", "9"}, "get-metrics-csv": {"get", "metrics", "ex-1", "-o", "csv"}, "get-tests-csv": {"get", "tests", "ex-1", "-o", "csv"},
		"get-execution-csv": {"get", "execution", "ex-1", "-o", "csv"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			s.runs.states, s.runs.log = life(apiv1.Status_STATUS_FAILED, ""), []byte("the log\n")
			got := s.run(t, args...)
			golden(t, name, got)
		})
	}
}

// TestExitCodes proves for each kind of failure the code that pipelines rely on, and that the message says what to do.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args   []string
		env    map[string]string
		start  error // what starting a run answers
		code   int
		says   string
		reason string
	}{
		"NoCommand":       {args: []string{"dance"}, code: exitcode.Usage, says: "unknown command", reason: "a typing error"},
		"NoArgument":      {args: []string{"run"}, code: exitcode.Usage, says: "accepts 1 arg", reason: "a typing error"},
		"UnknownFlag":     {args: []string{"run", "x", "--fast"}, code: exitcode.Usage, says: "unknown flag", reason: "a typing error"},
		"BadParam":        {args: []string{"run", "x", "-p", "a"}, code: exitcode.Usage, says: "name=value", reason: "a typing error"},
		"TimeoutAlone":    {args: []string{"run", "x", "--timeout", "1m"}, code: exitcode.Usage, says: "--wait", reason: "nothing is waited for"},
		"BadTimeout":      {args: []string{"run", "x", "--wait", "--timeout", "0s"}, code: exitcode.Usage, says: "30m", reason: "no time at all"},
		"BadOutput":       {args: []string{"get", "clusters", "-o", "xml"}, code: exitcode.Usage, says: "use table, json or yaml", reason: "a typing error"},
		"NothingToApply":  {args: []string{"apply"}, code: exitcode.Usage, says: "nothing to apply", reason: "no input"},
		"NoSuchFile":      {args: []string{"apply", "-f", "/no/such/file"}, code: exitcode.Usage, says: "no such file", reason: "the input is missing"},
		"NotFound":        {args: []string{"get", "execution", "none"}, code: exitcode.Usage, says: "no execution none", reason: "the name is wrong"},
		"NoSuchStep":      {args: []string{"logs", "ex-1", "--step", "none"}, code: exitcode.Usage, says: "get execution ex-1", reason: "the name is wrong"},
		"NoServer":        {args: []string{"get", "clusters"}, env: map[string]string{"SEATRIAL_SERVER": ""}, code: exitcode.Usage, says: "seatrial login", reason: "not configured"},
		"Unreachable":     {args: []string{"get", "clusters"}, env: map[string]string{"SEATRIAL_SERVER": "http://127.0.0.1:1"}, code: exitcode.Errored, says: "cannot be reached", reason: "the control plane is away"},
		"Invalid":         {args: []string{"run", "x"}, start: connect.NewError(connect.CodeInvalidArgument, textError("workers is no number")), code: exitcode.Usage, says: "workers is no number", reason: "the input is wrong"},
		"Unauthenticated": {args: []string{"run", "x"}, start: connect.NewError(connect.CodeUnauthenticated, textError("the token has expired")), code: exitcode.Errored, says: "SEATRIAL_TOKEN", reason: "refused"},
		"Forbidden":       {args: []string{"run", "x"}, start: connect.NewError(connect.CodePermissionDenied, textError("the token lacks the scope run")), code: exitcode.Errored, says: "lacks the scope run", reason: "refused"},
		"Exhausted":       {args: []string{"run", "x"}, start: connect.NewError(connect.CodeResourceExhausted, textError("too many")), code: exitcode.Errored, says: "too many", reason: "refused"},
		"Conflict":        {args: []string{"run", "x"}, start: connect.NewError(connect.CodeAborted, textError("the key was used")), code: exitcode.Errored, says: "the key was used", reason: "refused"},
		"Internal":        {args: []string{"run", "x"}, start: connect.NewError(connect.CodeInternal, textError("a defect")), code: exitcode.Errored, says: "a defect", reason: "not the caller's fault"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			s.runs.states = life(apiv1.Status_STATUS_PASSED, "")
			for k, v := range tc.env {
				s.env[k] = v
			}
			s.runs.started = func(*apiv1.RunWorkflowRequest) (*apiv1.RunWorkflowResponse, error) { return nil, tc.start }
			got := s.run(t, tc.args...)
			if got.code != tc.code || !strings.Contains(got.err, tc.says) {
				t.Errorf("%+v, want code %d and %q: %s", got, tc.code, tc.says, tc.reason)
			}
			if strings.Count(got.err, "Error:") != 1 {
				t.Errorf("one message, not several: %s", got.err)
			}
		})
	}
}

func TestError_FieldAndHint(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.plane.enrolled = func(*apiv1.EnrollClusterRequest) (*apiv1.EnrollClusterResponse, error) {
		return nil, fault(t, connect.CodeInvalidArgument, "the name is taken", &apiv1.ErrorDetail{Field: "name", Hint: "Choose another one."})
	}
	golden(t, "error-field-hint", s.run(t, "cluster", "enroll", "eu-1"))
}

func TestClusterEnroll(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var asked *apiv1.EnrollClusterRequest
	s.plane.enrolled = func(r *apiv1.EnrollClusterRequest) (*apiv1.EnrollClusterResponse, error) {
		asked = r
		return &apiv1.EnrollClusterResponse{Command: "helm install agent", ExpiresAt: instant(0)}, nil
	}
	golden(t, "cluster-enroll", s.run(t, "cluster", "enroll", "eu-1", "--namespace", "tests", "--environment", "prod"))
	if asked.GetName() != "eu-1" || asked.GetNamespace() != "tests" || asked.GetEnvironment() != "prod" {
		t.Errorf("asked for %v", asked)
	}
}

func TestClusterRevokeAndRotate(t *testing.T) {
	t.Parallel()
	s := setup(t)
	golden(t, "cluster-revoke", s.run(t, "cluster", "revoke", "eu-1", "--reason", "laptop stolen"))
	golden(t, "cluster-show", s.run(t, "cluster", "show", "eu-1"))
	golden(t, "cluster-show-revoked", s.run(t, "cluster", "show", "old"))
	if got := s.run(t, "cluster", "show", "none"); got.code == 0 || !strings.Contains(got.err, "cluster list") {
		t.Errorf("a cluster that is none: %+v", got)
	}
	golden(t, "cluster-rotate-key", s.run(t, "cluster", "rotate-key", "eu-1"))
	if want := []string{"revoke eu-1: laptop stolen", "rotate eu-1"}; !slices.Equal(s.plane.asked, want) {
		t.Errorf("asked for %q", s.plane.asked)
	}
}

// TestClusterQueue: with --wait the command goes on until nothing is under way, which is at once in a cluster without runs.
func TestClusterQueue(t *testing.T) {
	t.Parallel()
	s := setup(t)
	golden(t, "cluster-drain", s.run(t, "cluster", "drain", "eu-1", "--reason", "new nodes", "--wait"))
	golden(t, "cluster-undrain", s.run(t, "cluster", "undrain", "eu-1"))
	golden(t, "cluster-limit", s.run(t, "cluster", "limit", "eu-1", "20"))
	golden(t, "cluster-limit-none", s.run(t, "cluster", "limit", "eu-1", "0"))
	golden(t, "cluster-limit-word", s.run(t, "cluster", "limit", "eu-1", "many"))
	golden(t, "cluster-show-drained", s.run(t, "cluster", "show", "us-3"))
	if want := []string{"drain eu-1: new nodes", "undrain eu-1", "limit eu-1 to 20", "limit eu-1 to 0"}; !slices.Equal(s.plane.asked, want) {
		t.Errorf("asked for %q", s.plane.asked)
	}
}

func TestClusterDoctor(t *testing.T) {
	t.Parallel()
	s := setup(t)
	golden(t, "cluster-doctor", s.run(t, "cluster", "doctor", "eu-1"))
	golden(t, "cluster-doctor-failed", s.run(t, "cluster", "doctor", "us-2"))
	golden(t, "cluster-doctor-json", s.run(t, "cluster", "doctor", "us-2", "-o", "json"))
}

func TestCancel(t *testing.T) {
	t.Parallel()
	s := setup(t)
	golden(t, "cancel", s.run(t, "cancel", "ex-1", "--reason", "wrong branch"))
	if len(s.runs.cancelled) != 1 || s.runs.cancelled[0] != "ex-1: wrong branch" {
		t.Errorf("asked for %q", s.runs.cancelled)
	}
}

func TestResume(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.runs.states = []*apiv1.Execution{execution(apiv1.Status_STATUS_PAUSED, "")}
	golden(t, "resume", s.run(t, "resume", "ex-1", "--step", "approve", "--comment", "looks good"))
	if len(s.runs.resumed) != 1 || s.runs.resumed[0].GetStep() != "approve" || s.runs.resumed[0].GetComment() != "looks good" {
		t.Errorf("asked for %v", s.runs.resumed)
	}
	golden(t, "resume-no-run", s.run(t, "resume", "ex-1", "--run", "browser=netscape"))
	if len(s.runs.resumed) != 1 {
		t.Errorf("resumed although there is no such run: %v", s.runs.resumed)
	}
}

// TestCancel_WithoutTheAgent proves that what ended at once is not said to be asked for.
func TestCancel_WithoutTheAgent(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.runs.stopped = execution(apiv1.Status_STATUS_CANCELLED, "Cancelled by ada. The agent of cluster eu-1 is offline.")
	golden(t, "cancel-offline", s.run(t, "cancel", "ex-1"))
}

func TestTokenCreate(t *testing.T) {
	t.Parallel()
	if got := setup(t).run(t, "token", "create", "ci"); got.code != exitcode.Passed || got.out != "st_ci\n" || !strings.Contains(got.err, "not shown again") {
		t.Errorf("%+v", got)
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.in = "ada@acme.example\ncorrect horse\n"
	url := s.server.URL
	delete(s.env, "SEATRIAL_SERVER")
	delete(s.env, "SEATRIAL_TOKEN")
	got := s.run(t, "login", "--server", url+"/")
	if got.code != exitcode.Passed || !strings.Contains(got.out, "Bearer fresh, organization acme") {
		t.Fatalf("%+v", got)
	}
	path := config.Path(func(k string) string { return s.env[k] })
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the configuration holds a token: mode %v, %v", info.Mode(), err)
	}
	if got := s.run(t, "get", "clusters"); got.code != exitcode.Passed {
		t.Errorf("after logging in: %+v", got)
	}
}

func TestLogin_Refused(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{"WrongPassword": "ada\nwrong\n", "NoPassword": "ada\n", "Nothing": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			s.in = in
			got := s.run(t, "login")
			if got.code == exitcode.Passed || strings.Contains(got.err, "wrong") {
				t.Errorf("%+v", got)
			}
			if _, err := os.Stat(config.Path(func(k string) string { return s.env[k] })); err == nil {
				t.Error("a configuration was written")
			}
		})
	}
}

func TestLogin_BadAddress(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"seatrial.example.com", "ftp://x", "http://", "://"} {
		if got := setup(t).run(t, "login", "--server", address, "--token", "x"); got.code != exitcode.Usage || !strings.Contains(got.err, "https://seatrial.example.com") {
			t.Errorf("%s: %+v", address, got)
		}
	}
}

// TestLogin_TokenIsChecked proves that a token that the control plane refuses is not stored.
func TestLogin_TokenIsChecked(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.plane.who = connect.NewError(connect.CodeUnauthenticated, textError("unknown token"))
	if got := s.run(t, "login", "--token", "bad"); got.code != exitcode.Errored {
		t.Errorf("%+v", got)
	}
	if _, err := os.Stat(config.Path(func(k string) string { return s.env[k] })); err == nil {
		t.Error("a refused token was stored")
	}
}
