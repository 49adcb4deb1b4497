package webauthn

import _ "embed"

// Script is passkey.js, to be served as text/javascript from a path of the site. It must not be changed in place.
//
//go:embed passkey.js
var Script []byte
