package browsertest

import "testing"

func TestAliceLogsInWithHerAuthenticatorAppAndWithoutScripts(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := s.withoutScripts(t)
	v.password("alice")
	v.at("/login/verify", v.open("/account"), 200) // I-02: with a password alone she is nobody
	v.fill("Code", wrongTOTP(t, aliceSecret))
	v.at("/login/verify", v.press("Verify"), 401)
	v.describes("Code", "That code is not right.")
	v.code(s.totp(t, aliceSecret))
	v.reads("alice", "Password, then Authenticator app")
}
