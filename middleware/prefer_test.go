package middleware

import (
	"testing"

	"github.com/sallyport-go/sallyport/challenge"
)

func TestAPersonChoosesWhatIsAskedForFirst(t *testing.T) {
	w := home(t)
	w.Users.Change("1", func(a *challenge.Account) { a.Email = "alice@example.com" })
	b := w.browser().login()
	b.want(b.get(security), 200, "")
	b.says("Asked first", `name="method" value="email"`)
	b.want(b.post(security+"/prefer", "method", "email"), 303, security)
	for _, wrong := range []string{"recovery", "sms", "password", "nonsense"} {
		if res := b.post(security+"/prefer", "method", wrong); res.StatusCode < 400 {
			t.Errorf("%s: %d", wrong, res.StatusCode)
		}
		b.get(security)
	}
	b.want(b.post("/logout"), 303, "/")
	b.get("/login")
	b.want(b.post("/login", "username", "alice", "password", password), 303, "/login/verify")
	b.get("/login/verify")
	b.says("We sent a code", `name="method" value="totp"`)
}

func TestPagesSpeakTheAccountsLanguageOnceThePasswordIsRight(t *testing.T) {
	w := found(t)
	w.Users.Change("1", func(a *challenge.Account) { a.Language = "nl" })
	b := w.browser()
	b.get("/login")
	b.says(`<html lang="en">`)
	b.post("/login", "username", "alice", "password", "wrong")
	b.says(`<html lang="en">`) // the language would tell that the account exists
	b.want(b.post("/login", "username", "alice", "password", password), 303, "/login/verify")
	b.get("/login/verify")
	b.says(`<html lang="nl">`)
	b.want(b.post("/login/verify", "code", b.code()), 303, "/account")
	b.get("/login/fresh?next=/account")
	b.says(`<html lang="nl">`)
}
