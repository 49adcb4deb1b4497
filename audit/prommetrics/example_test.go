package prommetrics_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sallyport-go/sallyport/audit"
	"github.com/sallyport-go/sallyport/audit/prommetrics"
	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/challengetest"
	"github.com/sallyport-go/sallyport/middleware"
	"github.com/sallyport-go/sallyport/stores"
)

// Metrics stand beside the audit lines in a fan-out, and are the observer. The page for Prometheus belongs on a port that
// the public cannot reach.
func ExampleNew() {
	reg := prometheus.NewRegistry()
	metrics, err := prommetrics.New(reg)
	if err != nil {
		fmt.Println(err)
		return
	}
	kit := challengetest.New(challengetest.NewClock()) // in a program: your users and settings
	config := kit.Config(new(stores.Memory))
	config.Audit = audit.Fanout(audit.To(os.Stdout, audit.Datadog), metrics)
	config.Observer = metrics
	logins, err := challenge.New(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	web, err := middleware.New(logins, middleware.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = metrics.Count(prommetrics.Counts{
		LostEvents:  logins.LostEvents,
		Unavailable: func() uint64 { return web.Counts().Failures },
		Anonymous:   func() uint64 { return web.Counts().Anonymous },
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	_, err = logins.Password(context.Background(), challenge.Client{}, nil, challenge.PasswordInput{Slot: challenge.Cookie, Name: "henk", Password: []byte("x")})
	fmt.Println(err)

	page := httptest.NewServer(promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	defer page.Close()
	res, err := http.Get(page.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	for line := range strings.Lines(string(body)) {
		if strings.Contains(line, "unknown user") || strings.HasPrefix(line, "sallyport_lost") {
			fmt.Print(line)
		}
	}
	// Output:
	// evt.category="authentication" evt.name="unknown user" http.useragent="" evt.outcome="failure" usr.name="henk"
	// challenge: refused
	// sallyport_events_total{event="unknown user",outcome="failure"} 1
	// sallyport_events_total{event="unknown user",outcome="success"} 0
	// sallyport_lost_events_total 0
	// sallyport_methods_total{event="unknown user",method="password"} 1
}
