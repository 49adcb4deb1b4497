package audit_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/sallyport-go/sallyport/audit"
)

var wrongPassword = audit.Event{
	Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Name: audit.InvalidPassword, Outcome: audit.Failure,
	User: "demo_user", Client: netip.MustParseAddr("192.0.2.7"), UserAgent: "curl/8.5.0",
}

func ExampleTo() {
	rec := audit.To(os.Stdout, audit.Datadog)
	if err := rec.Record(context.Background(), wrongPassword); err != nil {
		fmt.Println("the event may be lost:", err)
	}
	// Output:
	// evt.category="authentication" evt.name="invalid password" http.useragent="curl/8.5.0" network.client.ip=192.0.2.7 evt.outcome="failure" usr.name="demo_user"
}

func ExampleJSON() {
	os.Stdout.Write(audit.JSON(nil, wrongPassword))
	// Output:
	// {"time":"2026-03-01T12:00:00.000Z","event":"invalid password","outcome":"failure","user":"demo_user","client":"192.0.2.7","user_agent":"curl/8.5.0"}
}

func ExampleECS() {
	os.Stdout.Write(audit.ECS(nil, wrongPassword))
	// Output:
	// {"@timestamp":"2026-03-01T12:00:00.000Z","ecs":{"version":"8.17.0"},"message":"invalid password","event":{"kind":"event","category":["authentication"],"type":["start"],"action":"invalid password","outcome":"failure","provider":"sallyport"},"user":{"name":"demo_user"},"source":{"ip":"192.0.2.7"},"user_agent":{"original":"curl/8.5.0"}}
}

func ExampleOCSF() {
	os.Stdout.Write(audit.OCSF(nil, wrongPassword))
	// Output:
	// {"metadata":{"version":"1.8.0","product":{"name":"Sallyport","vendor_name":"Sallyport"},"event_code":"invalid password"},"time":1772366400000,"category_uid":3,"category_name":"Identity & Access Management","class_uid":3002,"class_name":"Authentication","type_uid":300201,"activity_id":1,"activity_name":"Logon","status_id":2,"status":"Failure","severity_id":2,"severity":"Low","message":"invalid password","user":{"name":"demo_user"},"src_endpoint":{"ip":"192.0.2.7"},"service":{"name":"sallyport"},"is_remote":true,"http_request":{"user_agent":"curl/8.5.0"}}
}

// A format is one function. It takes care of its own escaping; strconv.AppendQuote is enough for a line of text.
func ExampleFormat() {
	short := func(dst []byte, e audit.Event) []byte {
		return fmt.Appendf(dst, "%s %q %q\n", e.Outcome, e.Name, e.User)
	}
	audit.To(os.Stdout, short).Record(context.Background(), wrongPassword)
	// Output:
	// failure "invalid password" "demo_user"
}

func ExampleFormatByName() {
	f, ok := audit.FormatByName("json")
	fmt.Println(f != nil, ok)
	_, ok = audit.FormatByName("xml")
	fmt.Println(ok)
	// Output:
	// true true
	// false
}

func ExampleNames() {
	for _, n := range audit.Names() {
		if strings.HasPrefix(string(n), "Max ") {
			fmt.Println(n)
		}
	}
	// Output:
	// Max MFA attempts exceeded
	// Max login attempts exceeded
}

func ExampleSlog() {
	withoutTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	audit.Slog(logger).Record(context.Background(), wrongPassword)
	// Output:
	// level=WARN msg="invalid password" outcome=failure user=demo_user client=192.0.2.7 user_agent=curl/8.5.0
}

// The line for the SIEM must not fail; a copy of the failures alone goes to the operators.
func ExampleFanout() {
	siem := audit.To(os.Stdout, audit.Datadog)
	failures := audit.RecorderFunc(func(ctx context.Context, e audit.Event) error {
		if e.Outcome == audit.Success {
			return nil
		}
		_, err := fmt.Println("operators:", e.Name)
		return err
	})
	rec := audit.Fanout(siem, failures)
	rec.Record(context.Background(), wrongPassword)
	// Output:
	// evt.category="authentication" evt.name="invalid password" http.useragent="curl/8.5.0" network.client.ip=192.0.2.7 evt.outcome="failure" usr.name="demo_user"
	// operators: invalid password
}

// In a test of your own: log in through your handler, then look at the trace.
func ExampleMemory() {
	var trace audit.Memory
	trace.Record(context.Background(), wrongPassword)
	fmt.Println(trace.Names())
	fmt.Println(trace.Events()[0].User)
	// Output:
	// [invalid password]
	// demo_user
}

// A slow or shared sink gets a queue in front; Close at the end writes what still waits.
func ExampleNewQueue() {
	queue, err := audit.NewQueue(audit.To(os.Stdout, audit.Datadog), audit.QueueOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	queue.Record(context.Background(), wrongPassword) // returns at once
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	fmt.Println("left over:", queue.Close(ctx))
	// Output:
	// evt.category="authentication" evt.name="invalid password" http.useragent="curl/8.5.0" network.client.ip=192.0.2.7 evt.outcome="failure" usr.name="demo_user"
	// left over: <nil>
}

// A file that logrotate may move away: the program opens it anew on the signal that follows.
func ExampleFile() {
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "audit.log")
	file, err := audit.OpenFile(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	rec := audit.To(file, audit.JSON)

	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	go func() {
		for range hangups {
			if err := file.Reopen(); err != nil {
				fmt.Println(err)
			}
		}
	}()

	rec.Record(context.Background(), wrongPassword)
	fmt.Println(os.Rename(path, path+".1"), file.Reopen()) // what logrotate and its signal do
	rec.Record(context.Background(), wrongPassword)
	for _, name := range []string{path + ".1", path} {
		raw, _ := os.ReadFile(name)
		fmt.Println(filepath.Base(name), strings.Count(string(raw), "\n"))
	}
	// Output:
	// <nil> <nil>
	// audit.log.1 1
	// audit.log 1
}

// Names become pseudonyms before anything is written; whoever has the key can ask for one person's lines.
func ExamplePseudonyms() {
	key := []byte("0123456789abcdef0123456789abcdef") // 32 random bytes, kept apart from the log
	rec, err := audit.Pseudonyms(key, audit.To(os.Stdout, audit.JSON))
	if err != nil {
		fmt.Println(err)
		return
	}
	rec.Record(context.Background(), wrongPassword)
	fmt.Println(audit.Pseudonym(key, "demo_user"))
	// Output:
	// {"time":"2026-03-01T12:00:00.000Z","event":"invalid password","outcome":"failure","user":"p-cbd8d59a5e2c33bf29ca4eb9a614df6b","client":"192.0.2.7","user_agent":"curl/8.5.0"}
	// p-cbd8d59a5e2c33bf29ca4eb9a614df6b
}

func ExampleDatadogIDs() {
	os.Stdout.Write(audit.DatadogIDs(nil, audit.Event{Name: audit.CodeValidated, Outcome: audit.Success, User: "ann",
		RequestID: "QX3J", PendingID: "14db9c", LoginID: "5ee2f0"}))
	// Output:
	// evt.category="authentication" evt.name="MFA validated" evt.outcome="success" usr.name="ann" http.request_id="QX3J" evt.pending_id="14db9c" evt.login_id="5ee2f0"
}
