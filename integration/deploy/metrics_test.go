package deploy_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metricsql"
	"go.yaml.in/yaml/v3"

	"github.com/seatrial/seatrial/agent/link"
)

const root = "../.."

// metric is one that the programs register.
type metric struct {
	kind   string // such as GaugeOpts
	labels []string
}

// registered reads from the sources which metrics the programs register, with their labels: one that nothing has counted yet is not among
// those that are served.
func registered(t *testing.T) map[string]metric {
	t.Helper()
	out := map[string]metric{}
	for _, of := range []string{"agent", "controlplane"} {
		err := filepath.WalkDir(filepath.Join(root, of), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok && len(call.Args) > 0 {
					if name, m := metricOf(call); name != "" {
						out[name] = m
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(out) < 10 {
		t.Fatalf("only %v were found", out)
	}
	return out
}

// metricOf reads a call such as NewCounterVec(prometheus.CounterOpts{Name: …}, []string{…}).
func metricOf(call *ast.CallExpr) (name string, m metric) {
	options, ok := call.Args[0].(*ast.CompositeLit)
	if !ok {
		return "", m
	}
	if kind, ok := options.Type.(*ast.SelectorExpr); ok {
		m.kind = kind.Sel.Name
	}
	for _, e := range options.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		switch key, _ := kv.Key.(*ast.Ident); {
		case key == nil:
		case key.Name == "Name":
			name = literal(kv.Value)
		case key.Name == "ConstLabels":
			if of, ok := kv.Value.(*ast.CompositeLit); ok {
				for _, l := range of.Elts {
					if pair, ok := l.(*ast.KeyValueExpr); ok {
						m.labels = append(m.labels, literal(pair.Key))
					}
				}
			}
		}
	}
	if len(call.Args) > 1 {
		if list, ok := call.Args[1].(*ast.CompositeLit); ok {
			for _, e := range list.Elts {
				m.labels = append(m.labels, literal(e))
			}
		}
	}
	if !strings.HasPrefix(name, "seatrial_") {
		return "", m
	}
	return name, m
}

func literal(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok {
		return ""
	}
	s, err := strconv.Unquote(lit.Value)
	if err != nil {
		return ""
	}
	return s
}

// values are those that a label has, where there are few; anything else is not known here.
func values() map[string][]string {
	return map[string][]string{
		"hop":   {"queue", "job", "schedule", "container", "run", "link", "total"},
		"state": {string(link.StateNotEnrolled), string(link.StateDisconnected), string(link.StateConnected), string(link.StateRevoked)},
	}
}

// wrong says what an expression names that there is not.
func wrong(t *testing.T, expr string, known map[string]metric) (faults []string) {
	t.Helper()
	parsed, err := metricsql.Parse(strings.ReplaceAll(expr, "$__rate_interval", "5m"))
	if err != nil {
		return []string{err.Error()}
	}
	var all []string // labels of all metrics in the expression
	metricsql.VisitAll(parsed, func(e metricsql.Expr) {
		m, ok := e.(*metricsql.MetricExpr)
		if !ok {
			return
		}
		labels, fault := selectorFaults(m, known)
		all, faults = append(all, labels...), append(faults, fault...)
	})
	metricsql.VisitAll(parsed, func(e metricsql.Expr) {
		if agg, ok := e.(*metricsql.AggrFuncExpr); ok {
			for _, by := range agg.Modifier.Args {
				if !slices.Contains(all, by) {
					faults = append(faults, "no metric has the label "+by)
				}
			}
		}
	})
	return faults
}

func selectorFaults(m *metricsql.MetricExpr, known map[string]metric) (labels, faults []string) {
	for _, group := range m.LabelFilterss {
		name := ""
		for _, f := range group {
			if f.Label == "__name__" {
				name = f.Value
			}
		}
		base, has := name, known[name]
		for _, end := range []string{"_bucket", "_sum", "_count"} {
			if h, ok := known[strings.TrimSuffix(name, end)]; ok && strings.HasSuffix(name, end) && h.kind == "HistogramOpts" {
				base, has = strings.TrimSuffix(name, end), h
			}
		}
		if _, ok := known[base]; !ok && name != "process_resident_memory_bytes" {
			faults = append(faults, "there is no metric "+name)
		}
		if has.kind == "HistogramOpts" && base == name {
			faults = append(faults, name+" is a histogram, which has _bucket, _sum and _count")
		}
		labels = append(labels, has.labels...)
		labels = append(labels, "le", "instance", "job", "namespace") // the last ones are Prometheus's own
		for _, f := range group {
			if f.Label == "__name__" {
				continue
			}
			if !slices.Contains(labels, f.Label) {
				faults = append(faults, name+" has no label "+f.Label)
			}
			if few, ok := values()[f.Label]; ok && !f.IsRegexp && !slices.Contains(few, f.Value) {
				faults = append(faults, f.Label+" is never "+f.Value)
			}
		}
	}
	return labels, faults
}

// TestWrong: the check finds what it is for.
func TestWrong(t *testing.T) {
	t.Parallel()
	known := registered(t)
	for expr, good := range map[string]bool{
		`sum(seatrial_agent_sessions)`:                                                             true,
		`sum(seatrial_agent_session)`:                                                              false,
		`sum by (kind) (rate(seatrial_commands_sent_total[5m]))`:                                   true,
		`sum by (kinds) (rate(seatrial_commands_sent_total[5m]))`:                                  false,
		`seatrial_attempt_hop_seconds_bucket{hop="schedule"}`:                                      true,
		`seatrial_attempt_hop_seconds_bucket{hop="scheduled"}`:                                     false,
		`seatrial_attempt_hop_seconds`:                                                             false,
		`seatrial_agent_sessions_bucket`:                                                           false,
		`seatrial_agent_connection{status="connected"}`:                                            false,
		`sum(rate(seatrial_log_bytes_total[5m])`:                                                   false,
		`histogram_quantile(0.9, sum by (le) (rate(seatrial_log_commit_seconds_bucket[10m]))) > 1`: true,
	} {
		if got := wrong(t, expr, known); (len(got) == 0) != good {
			t.Errorf("%s: %v", expr, got)
		}
	}
}

func TestAlerts(t *testing.T) {
	t.Parallel()
	var file struct {
		Groups []struct {
			Name  string `yaml:"name"`
			Rules []struct {
				Alert       string            `yaml:"alert"`
				Expr        string            `yaml:"expr"`
				For         string            `yaml:"for"`
				Labels      map[string]string `yaml:"labels"`
				Annotations map[string]string `yaml:"annotations"`
			} `yaml:"rules"`
		} `yaml:"groups"`
	}
	decode(t, "deploy/monitoring/alerts.yaml", &file)
	known, seen := registered(t), map[string]bool{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if seen[r.Alert] || !strings.HasPrefix(r.Alert, "Seatrial") {
				t.Errorf("%s: its name is taken, or not ours", r.Alert)
			}
			seen[r.Alert] = true
			for _, fault := range wrong(t, r.Expr, known) {
				t.Errorf("%s: %s", r.Alert, fault)
			}
			if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s: %v %v", r.Alert, r.Labels, r.Annotations)
			}
		}
	}
	if len(seen) < 8 {
		t.Errorf("%d alerts", len(seen))
	}
}

// TestDashboard: each panel shows what there is, and every metric is on one of them.
func TestDashboard(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join(root, "deploy/monitoring/dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			ID      int    `json:"id"`
			Title   string `json:"title"`
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(raw, &board); err != nil {
		t.Fatal(err)
	}
	known, taken := registered(t), map[[2]int]string{}
	for _, p := range board.Panels {
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if taken[at] != "" || at[0] > 23 {
					t.Fatalf("%s lies over %s, or outside", p.Title, taken[at])
				}
				taken[at] = p.Title
			}
		}
		for _, target := range p.Targets {
			for _, fault := range wrong(t, target.Expr, known) {
				t.Errorf("%s: %s", p.Title, fault)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if name != "seatrial_agent_frames_ignored_total" && !strings.Contains(string(raw), name) { // that one is for an alert
			t.Errorf("%s is on no panel", name)
		}
	}
}

func decode(t *testing.T, path string, into any) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(raw)))
	if err := decoder.Decode(into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
