package prommetrics_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/audit/internal/label"
	"github.com/sallyport-go/sallyport/audit/prommetrics"
	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/challengetest"
	"github.com/sallyport-go/sallyport/middleware"
	"github.com/sallyport-go/sallyport/stores"
)

var _ challenge.Observer = (*prommetrics.Metrics)(nil)

// site is a site with its metrics, and carol and sam who have accounts there.
type site struct {
	*challengetest.Kit
	t       *testing.T
	metrics *prommetrics.Metrics
	reg     *prometheus.Registry
	root    http.Handler
}

func open(t *testing.T) *site {
	t.Helper()
	s := &site{Kit: challengetest.New(challengetest.NewClock()), t: t, reg: prometheus.NewRegistry()}
	s.Users.Add(challenge.Account{ID: "3", Name: "carol", Email: "carol@example.com"}, "good-password")
	s.Users.Add(challenge.Account{ID: "6", Name: "sam", Email: "sam@example.com", Phone: "+31600000001"}, "good-password")
	var err error
	if s.metrics, err = prommetrics.New(s.reg); err != nil {
		t.Fatal(err)
	}
	queue, err := audit.NewQueue(audit.Discard, audit.QueueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = queue.Close(t.Context()) })
	c := s.Config(&stores.Memory{Clock: s.Clock.Now})
	c.Audit, c.Observer = audit.Fanout(s.Audit, queue, s.metrics), s.metrics
	logins, err := challenge.New(c)
	if err != nil {
		t.Fatal(err)
	}
	web, err := middleware.New(logins, middleware.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.metrics.Count(prommetrics.Counts{
		LostEvents: logins.LostEvents, DroppedEvents: queue.Dropped,
		Unavailable: func() uint64 { return web.Counts().Failures }, Anonymous: func() uint64 { return web.Counts().Anonymous },
	}); err != nil {
		t.Fatal(err)
	}
	api := web.API()
	mux := http.NewServeMux()
	mux.Handle("/api/login", api.Routes())
	mux.Handle("/api/login/", api.Routes())
	mux.Handle("/api/", api.RequireSecondFactor(http.NotFoundHandler()))
	s.root = web.AuditLog(web.RateLimit(middleware.ByClient)(mux))
	return s
}

// ask posts JSON, or gets where there is none; the token of the answer is returned.
func (s *site) ask(target, token, body string, want int) string {
	s.t.Helper()
	method := "GET"
	if body != "" {
		method = "POST"
	}
	r := httptest.NewRequest(method, "https://app.example"+target, strings.NewReader(body))
	r.RequestURI, r.RemoteAddr = target, "192.0.2.77:4711"
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "agent-x")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	rec := httptest.NewRecorder()
	s.root.ServeHTTP(rec, r)
	if rec.Code != want {
		s.t.Fatalf("%s %s: %d %s", target, body, rec.Code, rec.Body)
	}
	var answer struct{ Token string }
	_ = json.Unmarshal(rec.Body.Bytes(), &answer)
	return answer.Token
}

func password(name, word string) string {
	return fmt.Sprintf(`{"username":%q,"password":%q}`, name, word)
}

// day is a day at the site: logins, wrong passwords and codes, a block, a send that fails, an outage.
func (s *site) day() {
	s.t.Helper()
	s.ask("/api/me", "", "", 401)
	s.ask("/api/login", "", password("henk", "good-password"), 401)
	s.ask("/api/login", "", password("carol", "wrong"), 401)
	pending := s.ask("/api/login", "", password("carol", "good-password"), 200)
	s.ask("/api/login/verify", pending, `{"code":"00"}`, 400)
	for range 3 {
		s.ask("/api/login/verify", pending, `{"code":"000000"}`, 401)
	}
	s.Outbox.Fail("sms", errors.New("no signal"))
	pending = s.ask("/api/login", "", password("sam", "good-password"), 200)
	login := s.ask("/api/login/verify", pending, `{"code":"`+s.Outbox.Code("sam@example.com")+`"}`, 200)
	s.Users.Fail(errors.New("gone"))
	s.ask("/api/login", "", password("carol", "good-password"), 503)
	s.Users.Fail(nil)
	s.ask("/api/me", login, "", 404)
}

func (s *site) value(series string) float64 {
	s.t.Helper()
	for name, v := range s.series() {
		if name == series {
			return v
		}
	}
	s.t.Errorf("there is no %s", series)
	return -1
}

// series are all values by name{label="value",…}.
func (s *site) series() map[string]float64 {
	s.t.Helper()
	families, err := s.reg.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			name := f.GetName() + "{" + strings.Join(labels, ",") + "}"
			switch {
			case m.GetCounter() != nil:
				out[name] = m.GetCounter().GetValue()
			case m.GetGauge() != nil:
				out[name] = m.GetGauge().GetValue()
			default:
				out[name] = float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return out
}

func TestTheWayFromPasswordToLoginIsCounted(t *testing.T) {
	s := open(t)
	s.day()
	for series, want := range map[string]float64{
		`sallyport_events_total{event="password validated",outcome="success"}`:                       2,
		`sallyport_events_total{event="unknown user",outcome="failure"}`:                             1,
		`sallyport_events_total{event="user login with MFA",outcome="success"}`:                      1,
		`sallyport_events_total{event="second factor disabled",outcome="failure"}`:                   0, // there from the start
		`sallyport_methods_total{event="MFA code created",method="email"}`:                           2,
		`sallyport_methods_total{event="MFA send failed",method="sms"}`:                              1,
		`sallyport_methods_total{event="user login with MFA",method="email"}`:                        1,
		`sallyport_refusals_total{event="Max MFA attempts exceeded",reason="now blocked"}`:           1,
		`sallyport_refusals_total{event="store failed",reason="users unavailable, request refused"}`: 1,
		`sallyport_operation_seconds{operation="hash"}`:                                              4,
		`sallyport_operation_seconds{operation="send"}`:                                              3,
		`sallyport_operation_errors_total{error="failed",operation="send"}`:                          1,
		`sallyport_operation_errors_total{error="failed",operation="users"}`:                         1,
		`sallyport_operations_in_progress{operation="hash-wait"}`:                                    0,
		`sallyport_unavailable_total{}`:                                                              1, `sallyport_anonymous_total{}`: 1, `sallyport_lost_events_total{}`: 0, `sallyport_dropped_events_total{}`: 0,
	} {
		if got := s.value(series); got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
	problems, err := testutil.GatherAndLint(s.reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestNoLabelHoldsANameOrGrowsWithoutBound_I23(t *testing.T) {
	s := open(t)
	s.day()
	for i := range 5000 {
		_ = s.metrics.Record(t.Context(), audit.Event{Name: audit.Name(fmt.Sprint("event ", i)), User: fmt.Sprint("user", i), Method: fmt.Sprint("m", i), Reason: fmt.Sprint("reason ", i)})
		word := strings.Repeat("x", i%63+1) + string(rune('a'+i%26))
		_ = s.metrics.Record(t.Context(), audit.Event{Name: audit.LoginRefused, Method: word, Reason: word})
		_, end := s.metrics.Begin(t.Context(), word)
		end(errors.New(word))
	}
	all := s.series()
	for name := range all {
		for _, hidden := range []string{"carol", "sam", "henk", "192.0.2.77", "agent-x", "user1", "gone", "signal"} {
			if strings.Contains(name, hidden) {
				t.Errorf("%q is in %s", hidden, name)
			}
		}
	}
	if len(all) > 500 {
		t.Errorf("%d series", len(all))
	}
}

func TestTheOperationsAreChallenges(t *testing.T) {
	want := []string{challenge.OpLoad, challenge.OpSwap, challenge.OpTake, challenge.OpAccountsLoad, challenge.OpAccountsSwap,
		challenge.OpUsers, challenge.OpHashWait, challenge.OpHash, challenge.OpSend}
	if !slices.Equal(label.Operations, want) {
		t.Errorf("%q, want %q", label.Operations, want)
	}
}

func TestWhatIsRegisteredTwiceIsRefused_I19(t *testing.T) {
	s := open(t)
	if _, err := prommetrics.New(s.reg); err == nil {
		t.Error("the same registry is accepted twice")
	}
	if _, err := prommetrics.New(nil); err == nil {
		t.Error("no registry is accepted")
	}
	if err := s.metrics.Count(prommetrics.Counts{LostEvents: func() uint64 { return 0 }}); err == nil {
		t.Error("the same number is counted twice")
	}
}

func TestWhatCouldNotBeRegisteredWholeLeavesNothingBehind(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "sallyport_operation_errors_total", Help: "not ours"}))
	if _, err := prommetrics.New(reg); err == nil {
		t.Fatal("a name that is taken is accepted")
	}
	if all, err := reg.Gather(); err != nil || len(all) != 1 {
		t.Errorf("%d metrics are there, %v", len(all), err)
	}
}

// The dashboard and the rules in docs.

const dashboard, rules = "../../docs/grafana.json", "../../docs/alerts.yml"

// expressions are the queries of the dashboard and the rules.
func expressions(t *testing.T) (list []string) {
	t.Helper()
	raw, err := os.ReadFile(dashboard)
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(raw, &board); err != nil {
		t.Fatal(err)
	}
	for _, p := range board.Panels {
		if p.Title == "" || len(p.Targets) == 0 {
			t.Errorf("a panel %q with %d queries", p.Title, len(p.Targets))
		}
		for _, q := range p.Targets {
			list = append(list, q.Expr)
		}
	}
	raw, err = os.ReadFile(rules)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?ms)^ +expr: (.*?)^ +(?:for|labels):`).FindAllStringSubmatch(string(raw), -1)
	if len(found) != strings.Count(string(raw), "- alert:") {
		t.Fatalf("%d queries in the rules", len(found))
	}
	for _, m := range found {
		list = append(list, strings.TrimPrefix(m[1], "|\n"))
	}
	return list
}

func TestEveryMetricOfDashboardAndRulesIsThereAfterADay(t *testing.T) {
	s := open(t)
	s.day()
	labels := map[string]map[string]bool{} // of each metric
	values := map[string]bool{}            // label="value" that a day left
	for name := range s.series() {
		metric, rest, _ := strings.Cut(strings.TrimSuffix(name, "}"), "{")
		if labels[metric] == nil {
			labels[metric] = map[string]bool{"le": true}
		}
		for _, m := range regexp.MustCompile(`(\w+)="([^"]*)"`).FindAllStringSubmatch(rest, -1) {
			labels[metric][m[1]] = true
			values[m[1]+"="+m[2]] = true
		}
	}
	used := regexp.MustCompile(`(sallyport_\w+)(?:\{([^}]*)\})?`)
	n := 0
	for _, expr := range expressions(t) {
		for _, m := range used.FindAllStringSubmatch(expr, -1) {
			n++
			metric := m[1]
			for _, suffix := range []string{"_bucket", "_count", "_sum"} {
				metric = strings.TrimSuffix(metric, suffix)
			}
			if labels[metric] == nil {
				t.Errorf("%s is not exported: %s", m[1], expr)
			}
			for _, match := range regexp.MustCompile(`(\w+)=~?"([^"]*)"`).FindAllStringSubmatch(m[2], -1) {
				if !labels[metric][match[1]] {
					t.Errorf("%s has no label %s: %s", m[1], match[1], expr)
				}
				for _, v := range strings.Split(match[2], "|") {
					if !values[match[1]+"="+v] {
						t.Errorf("%s: no %s is ever %q", m[1], match[1], v)
					}
				}
			}
		}
	}
	if n < 30 {
		t.Errorf("%d uses of metrics: is this check blind?", n)
	}
}

func TestEveryAlertIsExplained(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(rules)
	if err != nil {
		t.Fatal(err)
	}
	alerts, explained := map[string]bool{}, map[string]bool{}
	for _, m := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(string(raw), -1) {
		alerts[m[1]] = true
	}
	for _, heading := range regexp.MustCompile(`(?m)^### Sallyport.*$`).FindAllString(string(page), -1) {
		for _, name := range regexp.MustCompile(`Sallyport\w+`).FindAllString(heading, -1) {
			explained[name] = true
		}
	}
	if !maps.Equal(alerts, explained) || len(alerts) == 0 {
		t.Errorf("alerts %v, explained %v", alerts, explained)
	}
}

// TestPrometheusReadsTheRules lets Prometheus' own tool check the rules, and play through what makes them fire.
func TestPrometheusReadsTheRules(t *testing.T) {
	tool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("promtool is not here: Debian's package is prometheus")
		}
		t.Skip("promtool is not here: Debian's package is prometheus")
	}
	if out, err := exec.Command(tool, "check", "rules", rules).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := exec.Command(tool, "test", "rules", filepath.Join("testdata", "alerts.yml")).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	// The dashboard's queries, as recording rules: so that they parse.
	var b strings.Builder
	b.WriteString("groups:\n- name: dashboard\n  rules:\n")
	interval := strings.NewReplacer("$__rate_interval", "5m", "$__range", "6h")
	for i, expr := range expressions(t) {
		fmt.Fprintf(&b, "  - record: q%d\n    expr: %q\n", i, interval.Replace(expr))
	}
	file := filepath.Join(t.TempDir(), "dashboard.yml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(tool, "check", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
