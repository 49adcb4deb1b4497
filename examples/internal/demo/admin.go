package demo

import (
	"net/http"
	"net/url"

	"github.com/sallyport-go/sallyport/challenge"
	"github.com/sallyport-go/sallyport/middleware"
)

// administrator is who may look after everybody's account. A real app asks its own table of roles.
const administrator = "alice"

// Admin is a page from which an administrator looks after accounts. It stands behind RequireFresh, and lets nobody in but
// the administrator; what it does goes through the administration functions of package challenge, which write who did it.
func (p *Pages) Admin() http.Handler {
	return p.only(func(w http.ResponseWriter, r *http.Request) {
		login, ok := middleware.Authenticated(r.Context())
		if !ok || login.Username != administrator {
			p.fail(w, r, http.StatusForbidden, "Not for you", problem{Text: "Only an administrator may look after accounts.", Link: "/account", LinkText: "Back to your account"})
			return
		}
		if r.Method == http.MethodPost {
			p.administer(w, r, login)
			return
		}
		p.showAdmin(w, r, adminNews{})
	}, http.MethodGet, http.MethodHead, http.MethodPost)
}

// adminNews is what an act has led to.
type adminNews struct {
	Done string
	Code string // an enrolment code, shown once
}

func (p *Pages) showAdmin(w http.ResponseWriter, r *http.Request, news adminNews) {
	type row struct {
		Name, ID string
		challenge.AccountState
	}
	var rows []row
	for _, a := range p.demo.Accounts.list {
		s, err := p.logins.State(r.Context(), a.ID)
		if err != nil {
			p.unavailable(w, r, err)
			return
		}
		rows = append(rows, row{a.Name, a.ID, s})
	}
	p.show(w, r, http.StatusOK, "admin", "Accounts", struct {
		adminNews
		Rows []row
	}{news, rows})
}

// administer does one act for one account. The guard outside has checked origin and token.
func (p *Pages) administer(w http.ResponseWriter, r *http.Request, login *challenge.Login) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	if err := r.ParseForm(); err != nil {
		p.fail(w, r, http.StatusBadRequest, "That does not work here", problem{Text: "The form could not be read.", Link: "/admin", LinkText: "Back to the list"})
		return
	}
	a, err := p.demo.Accounts.ByID(r.Context(), once(r.PostForm, "id"))
	if err != nil {
		p.fail(w, r, http.StatusBadRequest, "No such account", problem{Text: "Choose an account from the list.", Link: "/admin", LinkText: "Back to the list"})
		return
	}
	ctx, news := r.Context(), adminNews{}
	switch once(r.PostForm, "do") {
	case "block":
		news.Done, err = a.Name+" is blocked and logged out everywhere.", p.logins.Block(ctx, a.ID, login.Username)
	case "unblock":
		news.Done, err = a.Name+" can try again.", p.logins.Unblock(ctx, a.ID, login.Username)
	case "end":
		news.Done, err = "All logins of "+a.Name+" have ended.", p.logins.AccountChanged(ctx, p.web.Client(r), a.ID, "ended by an administrator", login.Username)
	case "reset":
		news.Done, err = a.Name+" has no second step any more.", p.logins.ResetFactors(ctx, a.ID, login.Username)
	case "code":
		news.Done = "Give this code to " + a.Name + " in person. It is shown only now and is good for 24 hours, once."
		news.Code, err = p.logins.EnrolmentCode(ctx, a.ID, login.Username)
	default:
		p.fail(w, r, http.StatusBadRequest, "That does not work here", problem{Text: "This page cannot do that.", Link: "/admin", LinkText: "Back to the list"})
		return
	}
	switch {
	case err == nil && a.ID == login.UserID && once(r.PostForm, "do") != "unblock" && news.Code == "": // the page's own login is over
		http.Redirect(w, r, p.logins.Site().Origin+"/", http.StatusSeeOther)
	case err == nil:
		p.showAdmin(w, r, news)
	default:
		p.notDone(w, r, err)
	}
}

// once is a field that was sent exactly once, or empty.
func once(form url.Values, name string) string {
	if v := form[name]; len(v) == 1 {
		return v[0]
	}
	return ""
}
