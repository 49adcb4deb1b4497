package middleware_test

// What docs/recipes.md quotes.

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/pquerna/otp/totp"
	"golang.org/x/crypto/bcrypt"
	_ "modernc.org/sqlite"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/challenge/challengetest"
	"github.com/sallyport-go/sallyport/challenge/webauthn"
	"github.com/sallyport-go/sallyport/middleware"
	"github.com/sallyport-go/sallyport/middleware/middlewaretest"
	"github.com/sallyport-go/sallyport/stores"
)

const (
	recipeSite     = "https://acme.example"
	recipePassword = "correct-horse-battery"
	recipeSecret   = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
)

// recipe is a site with ann, who has an authenticator app and a mailbox.
func recipe(change ...func(*challenge.Config)) (*challengetest.Kit, *challenge.Logins, *middleware.Web) {
	kit := challengetest.New(challengetest.NewClock())
	kit.Users.Add(challenge.Account{ID: "1", Name: "ann", Email: "ann@example.com"}, recipePassword)
	config := kit.Config(&stores.Memory{Clock: kit.Clock.Now})
	config.Site = recipeSite
	for _, f := range change {
		f(&config)
	}
	logins, err := challenge.New(config)
	must(err)
	must(logins.ImportTOTP(context.Background(), "1", recipeSecret, "phone"))
	web, err := middleware.New(logins, middleware.Config{})
	must(err)
	return kit, logins, web
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// recipeMux is the routes that every site has.
func recipeMux(web *middleware.Web) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("/login", web.Pages())
	mux.Handle("/login/", web.Pages())
	mux.Handle("/account", web.RequireSecondFactor(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		login, _ := middleware.Authenticated(r.Context())
		_, _ = fmt.Fprintf(w, "%s, by %s", login.Username, strings.Join(login.MethodNames(), " and "))
	})))
	return mux
}

func recipeCode(clock *challengetest.Clock) string {
	clock.Advance(30 * time.Second) // a code works once
	code, err := totp.GenerateCode(recipeSecret, clock.Now())
	must(err)
	return code
}

// read is where a browser has come to, with which status, and what it shows.
func read(res *http.Response, err error) string {
	must(err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	must(err)
	return fmt.Sprint(res.Request.URL.Path, " ", res.StatusCode, " ", strings.TrimSpace(string(body)))
}

// shown is the same without the page.
func shown(res *http.Response, err error) string {
	text, _, _ := strings.Cut(read(res, err), "<")
	return strings.TrimSpace(text)
}

// printer stands where a test has its *testing.T.
type printer struct{}

func (printer) Helper()                   {}
func (printer) Errorf(f string, a ...any) { fmt.Printf(f+"\n", a...) }
func (printer) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }

const people = `CREATE TABLE people (
	id             TEXT PRIMARY KEY,
	login          TEXT NOT NULL UNIQUE, -- the name in the form of Logins.CanonicalName
	name           TEXT NOT NULL,
	email          TEXT NOT NULL DEFAULT '',
	password_hash  TEXT NOT NULL DEFAULT '',
	disabled       BOOLEAN NOT NULL DEFAULT FALSE,
	last_login_2fa TIMESTAMP
)`

// table is the app's own accounts, in PostgreSQL or SQLite.
type table struct{ db *sql.DB }

var (
	_ challenge.Users              = table{}
	_ challenge.PasswordHashSetter = table{}
	_ challenge.LoginRecorder      = table{}
)

func (t table) Find(ctx context.Context, name string) (challenge.Account, error) {
	return t.one(ctx, "login = $1", name)
}

func (t table) ByID(ctx context.Context, id string) (challenge.Account, error) {
	return t.one(ctx, "id = $1", id)
}

func (t table) one(ctx context.Context, where, value string) (a challenge.Account, err error) {
	err = t.db.QueryRowContext(ctx, "SELECT id, name, email, password_hash, disabled FROM people WHERE "+where, value).
		Scan(&a.ID, &a.Name, &a.Email, &a.PasswordHash, &a.Disabled)
	if errors.Is(err, sql.ErrNoRows) {
		return a, challenge.ErrUnknown
	}
	return a, err // any other error denies, and is answered 503
}

// SetPasswordHash replaces an outdated hash after a right password, unless somebody has changed the password meanwhile.
func (t table) SetPasswordHash(ctx context.Context, id, old, new string) error {
	_, err := t.db.ExecContext(ctx, "UPDATE people SET password_hash = $1 WHERE id = $2 AND password_hash = $3", new, id, old)
	return err
}

// LoggedIn is called after each full login.
func (t table) LoggedIn(ctx context.Context, id string, l challenge.LoggedIn) error {
	if !l.SecondFactor {
		return nil
	}
	_, err := t.db.ExecContext(ctx, "UPDATE people SET last_login_2fa = $1 WHERE id = $2", l.At.UTC(), id)
	return err
}

func Example_usersInSQL() {
	db, err := sql.Open("sqlite", ":memory:")
	must(err)
	db.SetMaxOpenConns(1) // of a database in memory
	_, err = db.Exec(people)
	must(err)
	old, err := bcrypt.GenerateFromPassword([]byte(recipePassword), bcrypt.MinCost) // as the app had them
	must(err)
	_, err = db.Exec("INSERT INTO people (id, login, name, email, password_hash) VALUES ('1', 'ann', 'Ann', 'ann@example.com', $1)", string(old))
	must(err)

	kit, _, web := recipe(func(c *challenge.Config) { c.Users, c.Passwords = table{db}, new(challenge.Argon2id) })
	client := middlewaretest.Login(printer{}, middlewaretest.App{Handler: recipeMux(web), Site: recipeSite, Username: "ANN", Password: recipePassword,
		Code: func() string { return recipeCode(kit.Clock) }})
	fmt.Println(read(client.Get(recipeSite + "/account")))

	var hash string
	var last sql.NullTime
	must(db.QueryRow("SELECT password_hash, last_login_2fa FROM people").Scan(&hash, &last))
	fmt.Println(strings.Split(hash, "$")[1], last.Valid)
	_, err = table{db}.ByID(context.Background(), "2")
	fmt.Println(errors.Is(err, challenge.ErrUnknown))
	// Output:
	// /account 200 Ann, by password and totp
	// argon2id true
	// true
}

// oidc is what a client library does: it sends people to the provider, and redeems the code that they come back with for a
// verified ID token.
type oidc struct{}

func (oidc) URL(state, nonce string) string {
	return recipeSite + "/callback?code=abc&state=" + state // the provider's page, which sends back at once
}

func (oidc) Redeem(ctx context.Context, code, nonce string) (issuer, subject string, err error) {
	return "https://idp.example", "248289761001", nil
}

func accountOf(ctx context.Context, issuer, subject string) (id string, err error) { return "1", nil }

func Example_enterByOIDC() {
	kit, _, web := recipe()
	mux := recipeMux(web)
	var provider oidc

	mux.Handle("GET /oidc", web.Sessions(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		state, nonce := rand.Text(), rand.Text()
		web.Session.Put(r.Context(), "oidc.state", state)
		web.Session.Put(r.Context(), "oidc.nonce", nonce)
		http.Redirect(w, r, provider.URL(state, nonce), http.StatusSeeOther)
	})))
	mux.Handle("GET /callback", web.Sessions(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		state, nonce := web.Session.PopString(r.Context(), "oidc.state"), web.Session.PopString(r.Context(), "oidc.nonce")
		if state == "" || r.FormValue("state") != state { // this browser did not begin it
			http.Error(w, "Log in again.", http.StatusForbidden)
			return
		}
		issuer, subject, err := provider.Redeem(r.Context(), r.FormValue("code"), nonce)
		if err != nil {
			http.Error(w, "Log in again.", http.StatusForbidden)
			return
		}
		id, err := accountOf(r.Context(), issuer, subject) // by both, never by an e-mail address that the provider tells
		if err != nil {
			http.Error(w, "No account.", http.StatusForbidden)
			return
		}
		web.Enter(w, r, id, challenge.FirstFactor{Method: "oidc", Next: "/account"}) // writes the whole answer
	})))

	client := middlewaretest.App{Handler: mux, Site: recipeSite}.Client()
	page := read(client.Get(recipeSite + "/oidc"))
	fmt.Println(strings.TrimSpace(strings.Split(page, "<")[0]))
	fmt.Println(shown(client.Get(recipeSite + "/callback?code=abc&state=stolen")))
	form := middlewaretest.FillIn(page, "code", recipeCode(kit.Clock))
	fmt.Println(read(client.PostForm(recipeSite+"/login/verify", form)))
	// Output:
	// /login/verify 200
	// /callback 403 Log in again.
	// /account 200 ann, by oidc and totp
}

// links are the magic links that were sent: use a table with these three columns.
type links struct {
	mu   sync.Mutex
	sent map[[32]byte]link
}

type link struct {
	id   string
	ends time.Time
}

// Make returns a token for a link to the account's own address. Only its hash is kept.
func (l *links) Make(id string, now time.Time) (token string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	token = rand.Text() // 130 bits
	l.sent[sha256.Sum256([]byte(token))] = link{id, now.Add(15 * time.Minute)}
	return token
}

// Take uses a token up. In SQL: DELETE … WHERE hash = $1 RETURNING id, ends.
func (l *links) Take(token string, now time.Time) (id string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	hash := sha256.Sum256([]byte(token))
	found := l.sent[hash]
	delete(l.sent, hash)
	return found.id, found.id != "" && now.Before(found.ends)
}

var linkPage = template.Must(template.New("").Parse(`<form method="post"><input type="hidden" name="csrf_token" value="{{.CSRF}}">
<input type="hidden" name="token" value="{{.Token}}"><button>Log in</button></form>`))

func Example_enterByLink() {
	kit, _, web := recipe()
	mux := recipeMux(web)
	sent := &links{sent: map[[32]byte]link{}}
	now := kit.Clock.Now // time.Now

	// A mail scanner follows links, so the page asks for a click, and only the post uses the token up.
	mux.Handle("GET /link", web.Sessions(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Referrer-Policy", "same-origin") // the token stands in the address, and the post needs its origin
		_ = linkPage.Execute(w, map[string]string{"CSRF": middleware.CSRFToken(r.Context()), "Token": r.FormValue("token")})
	})))
	mux.Handle("POST /link", web.Sessions(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, ok := sent.Take(r.PostFormValue("token"), now())
		if !ok {
			http.Error(w, "This link has been used or is too old.", http.StatusForbidden)
			return
		}
		// The mailbox was the first factor, so a code by mail is none: ann needs her app.
		web.Enter(w, r, id, challenge.FirstFactor{Method: "magic-link", Channel: challenge.ChannelEmail, Next: "/account"})
	})))

	token := sent.Make("1", now()) // and mail recipeSite + "/link?token=" + token
	client := middlewaretest.App{Handler: mux, Site: recipeSite}.Client()
	page := read(client.Get(recipeSite + "/link?token=" + token))
	form := middlewaretest.FillIn(page)
	page = read(client.PostForm(recipeSite+"/link", form))
	fmt.Println(strings.Split(page, "<")[0], strings.Contains(page, "ann@"))
	form.Set("csrf_token", middlewaretest.CSRFToken(page))
	fmt.Println(shown(client.PostForm(recipeSite+"/link", form)))
	form = middlewaretest.FillIn(read(client.Get(recipeSite+"/login/verify")), "code", recipeCode(kit.Clock))
	fmt.Println(read(client.PostForm(recipeSite+"/login/verify", form)))
	// Output:
	// /login/verify 200  false
	// /link 403 This link has been used or is too old.
	// /account 200 ann, by magic-link and totp
}

func Example_passwordChange() {
	kit, logins, web := recipe()
	mux := recipeMux(web)
	setHash := func(_ context.Context, id, hash string) error {
		kit.Users.Change(id, func(a *challenge.Account) { a.PasswordHash = hash })
		return nil
	}
	newHash := func(password []byte) (string, error) { return challengetest.Hash(string(password)), nil } // new(challenge.Argon2id).Hash

	change := func(w http.ResponseWriter, r *http.Request) {
		login, _ := middleware.Authenticated(r.Context())
		client := web.Client(r)
		old, password := r.PostFormValue("old"), r.PostFormValue("new")

		// CheckPassword counts in the account's one budget of guesses, so that this form is no way around it.
		var blocked *challenge.BlockedError
		switch err := logins.CheckPassword(r.Context(), client, login.UserID, []byte(old)); {
		case errors.Is(err, challenge.ErrUnavailable):
			http.Error(w, "Try again later.", http.StatusServiceUnavailable)
			return
		case errors.As(err, &blocked):
			http.Error(w, "Too many wrong passwords. Wait a few minutes.", http.StatusTooManyRequests)
			return
		case err != nil:
			http.Error(w, "The old password is not right.", http.StatusForbidden)
			return
		}
		hash, err := newHash([]byte(password)) // after your own rules for passwords
		if err == nil {
			err = setHash(r.Context(), login.UserID, hash)
		}
		if err == nil { // every login of the account ends, on every node, before this returns; this one too
			err = logins.AccountChanged(r.Context(), client, login.UserID, "password changed", "")
		}
		if err != nil {
			http.Error(w, "Try again later.", http.StatusServiceUnavailable)
			return
		}
		http.Redirect(w, r, "/login", http.StatusSeeOther)
	}
	mux.Handle("GET /password", web.RequireFresh(5*time.Minute)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `<form method="post"><input type="hidden" name="csrf_token" value="%s"></form>`, middleware.CSRFToken(r.Context()))
	})))
	mux.Handle("POST /password", web.RequireFresh(5*time.Minute)(http.HandlerFunc(change)))

	app := middlewaretest.App{Handler: mux, Site: recipeSite, Username: "ann", Password: recipePassword, Code: func() string { return recipeCode(kit.Clock) }}
	client, elsewhere := middlewaretest.Login(printer{}, app), middlewaretest.Login(printer{}, app)
	form := middlewaretest.FillIn(read(client.Get(recipeSite+"/password")), "old", "wrong", "new", "a longer one than before")
	fmt.Println(read(client.PostForm(recipeSite+"/password", form)))
	form.Set("old", recipePassword)
	fmt.Println(shown(client.PostForm(recipeSite+"/password", form)))
	fmt.Println(shown(elsewhere.Get(recipeSite + "/account")))
	app.Password = "a longer one than before"
	fmt.Println(read(middlewaretest.Login(printer{}, app).Get(recipeSite + "/account")))
	// Output:
	// /password 403 The old password is not right.
	// /login 200
	// /login 200
	// /account 200 ann, by password and totp
}

func Example_programs() {
	kit, _, web := recipe(func(c *challenge.Config) { c.AccessTokens = 5 * time.Minute })
	kit.Users.Add(challenge.Account{ID: "7", Name: "reports", Service: true}, recipePassword)
	mux := http.NewServeMux()
	reports := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		login, _ := middleware.Authenticated(r.Context())
		_, _ = fmt.Fprint(w, "reports for ", login.Username)
	})
	api := web.API()
	mux.Handle("/api/login", api.Routes())
	mux.Handle("/api/login/", api.Routes())
	mux.Handle("/api/logout", api.Routes())
	mux.Handle("/api/", api.RequireSecondFactor(reports))

	client := middlewaretest.App{Handler: mux, Site: recipeSite}.Client()
	r, err := http.NewRequest("GET", recipeSite+"/api/reports", nil)
	must(err)
	r.SetBasicAuth("reports", recipePassword)
	fmt.Println(read(client.Do(r)))
	// Output: /api/reports 200 reports for reports
}

// person is a row of the old table.
type person struct{ ID, PasswordHash, TOTP string }

// move takes people over. It can be stopped and run again: a secret that an account has already changes nothing.
func move(ctx context.Context, logins *challenge.Logins, batch []person) (failed map[string]error) {
	failed = map[string]error{}
	for _, p := range batch {
		if err := new(challenge.Argon2id).Readable(p.PasswordHash); err != nil {
			failed[p.ID] = err // nobody could log in with it: send a link to set a new one
		}
		if p.TOTP == "" {
			continue
		}
		if err := logins.ImportTOTP(ctx, p.ID, p.TOTP, "authenticator app"); err != nil {
			failed[p.ID] = err // name the id in your log, never the secret
		}
	}
	return failed
}

func Example_movingUsersIn() {
	kit, logins, _ := recipe()
	hash, err := bcrypt.GenerateFromPassword([]byte(recipePassword), bcrypt.MinCost)
	must(err)
	kit.Users.Add(challenge.Account{ID: "2", Name: "bob", PasswordHash: string(hash)}, "")
	kit.Users.Add(challenge.Account{ID: "3", Name: "cy", PasswordHash: "5f4dcc3b5aa765d61d8327deb882cf99"}, "")
	batch := []person{{"2", string(hash), "KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU"}, {"3", "5f4dcc3b5aa765d61d8327deb882cf99", ""}, {"4", string(hash), "KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU"}}

	ctx := context.Background()
	for range 2 {
		failed := move(ctx, logins, batch)
		state, err := logins.State(ctx, "2")
		fmt.Println(len(state.Factors), err, failed["3"] != nil, errors.Is(failed["4"], challenge.ErrUnknown), len(failed))
	}
	// Output:
	// 1 <nil> true true 2
	// 1 <nil> true true 2
}

func Example_administration() {
	_, logins, _ := recipe()
	ctx, id, me := context.Background(), "1", "admin@example.com" // for the audit: who did it

	// Somebody has lost the phone, and the paper too.
	err := logins.ResetFactors(ctx, id, me) // ends every login, forgets known devices; told by mail
	must(err)
	// Without a confirmed address or phone of the account's own, the next login cannot enrol. Make sure of the person, and
	// hand this over; it opens nothing without the password, and only within 24 hours.
	code, err := logins.EnrolmentCode(ctx, id, me)
	must(err)

	// Somebody has typed too many wrong codes and cannot wait.
	err = logins.Unblock(ctx, id, me)
	must(err)

	// What stands in the way?
	state, err := logins.State(ctx, id)
	must(err)
	fmt.Println(len(code) > 16, state.Blocked, len(state.Factors))
	// Output: true false 0
}

// Without an Output it is compiled and not run: there is no such database.
func Example_severalProcesses() {
	ctx := context.Background()
	var config challenge.Config

	// import _ "github.com/jackc/pgx/v5/stdlib"; or the driver of MySQL or SQLite: it is yours
	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL")) // postgres://shop:password@db.example/shop
	must(err)
	store, err := stores.NewSQL(db, stores.Postgres, stores.SQLOptions{})
	must(err)
	must(store.CreateSchema(ctx))              // once; stores.Schema prints it for your own migrations
	go store.CleanEvery(ctx, time.Minute, nil) // removes what has ended

	secret, err := os.ReadFile("/etc/shop/login.key") // head -c 32 /dev/urandom > login.key; chmod 600 login.key
	must(err)
	key := challenge.Key{ID: 1}
	if copy(key.Secret[:], secret) != len(secret) || len(secret) != len(key.Secret) {
		log.Fatal("login.key has to be 32 bytes")
	}
	config.Store, config.Keys = store, []challenge.Key{key} // of challenge.Config; without the key every secret is lost: keep a copy
}

func Example_exchangeOfKeys() {
	ctx := context.Background()
	store := new(stores.Memory)
	kit := challengetest.New(challengetest.NewClock())
	kit.Users.Add(challenge.Account{ID: "1", Name: "ann"}, recipePassword)
	config := kit.Config(store)
	old, fresh := challengetest.Key(1), challengetest.Key(2)
	config.Keys = []challenge.Key{old}
	logins, err := challenge.New(config)
	must(err)
	must(logins.ImportTOTP(ctx, "1", recipeSecret, "phone"))
	ids := []string{"1"}

	config.Keys = []challenge.Key{old, fresh} // 1. every process can read the new one
	_, err = challenge.New(config)
	must(err)
	config.Keys = []challenge.Key{fresh, old} // 2. the new one writes
	logins, err = challenge.New(config)
	must(err)
	done, err := logins.Rotate(ctx, slices.Values(ids)) // 3. what was written before is written anew
	must(err)
	fmt.Println(done.Resealed, done.Done())
	config.Keys = []challenge.Key{fresh} // 4. when Done, and 24 hours later
	_, err = challenge.New(config)
	must(err)
	// Output: 1 true
}

func Example_passkeys() {
	kit := challengetest.New(challengetest.NewClock())
	config := kit.Config(new(stores.Memory))
	config.Site = "https://acme.example"
	config.Factors = []challenge.Factor{new(webauthn.Factor), &challenge.TOTP{Issuer: "Acme"}, &challenge.Recovery{}}
	config.Passwordless = "passkey"           // one that has verified the person counts as both factors; leave it out if not
	config.TrustDevices = 14 * 24 * time.Hour // the code page offers it; 30 days are the most
	logins, err := challenge.New(config)
	must(err)
	web, err := middleware.New(logins, middleware.Config{PasskeyScript: webauthn.Script})
	must(err)
	page := get(web.Pages(), "/login", func(*http.Request) {}).Body.String()
	fmt.Println(strings.Contains(page, "data-passkey-options"))
	_, err = middleware.New(logins, middleware.Config{})
	fmt.Println(err)
	// Output:
	// true
	// middleware: Config.PasskeyScript is missing: give webauthn.Script, without which no browser can use a passkey
}

// myApp is the app as main builds it, with everything that tests want to be different as parameters.
func myApp(web *middleware.Web, mux interface{ Handle(string, http.Handler) }) {
	orders := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		login, _ := middleware.Authenticated(r.Context())
		_, _ = fmt.Fprintf(w, "orders of %s", login.Username)
	})
	mux.Handle("/login", web.Pages())
	mux.Handle("/login/", web.Pages())
	mux.Handle("GET /orders/{id}", web.RequireSecondFactor(orders))
}

func TestMyOrders(t *testing.T) {
	clock := challengetest.NewClock() // stands still until a test moves it
	kit := challengetest.New(clock)   // accounts, an outbox, an audit in memory; hashing that costs nothing
	kit.Users.Add(challenge.Account{ID: "1", Name: "ann", Email: "ann@example.com"}, "correct-horse-battery")
	logins, err := challenge.New(kit.Config(&stores.Memory{Clock: clock.Now}))
	if err != nil {
		t.Fatal(err)
	}
	web, err := middleware.New(logins, middleware.Config{})
	if err != nil {
		t.Fatal(err)
	}
	mux := new(middlewaretest.Mux) // an http.ServeMux that remembers its routes
	myApp(web, mux)
	app := middlewaretest.App{
		Handler: mux, Site: logins.Site().Origin, Username: "ann", Password: "correct-horse-battery",
		Code:   func() string { return kit.Outbox.Code("ann@example.com") },
		Routes: mux.Routes(),
	}

	middlewaretest.Check(t, app) // no route, method or spelling lets half a login in

	clock.Advance(time.Minute) // the walk has asked for a code, and the next one is sent after ResendAfter
	client := middlewaretest.Login(t, app)
	res, err := client.Get(app.Site + "/orders/7")
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res, err)
	}
	_ = res.Body.Close()
}

func TestMyOrdersInChi(t *testing.T) {
	kit, logins, web := recipe()
	router := chi.NewRouter()
	router.Mount("/login", web.Pages())
	router.Group(func(r chi.Router) {
		r.Use(web.RequireSecondFactor)
		r.Get("/orders/{id}", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "orders") })
	})

	var routes middlewaretest.Routes
	if err := chi.Walk(router, routes.Walk); err != nil {
		t.Fatal(err)
	}
	middlewaretest.Check(t, middlewaretest.App{
		Handler: router, Site: logins.Site().Origin, Username: "ann", Password: "correct-horse-battery",
		Routes: routes,
	})
	_ = kit
}
