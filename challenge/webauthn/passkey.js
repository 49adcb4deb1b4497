// Passkeys for forms that work like any other: this file fills the field "code" and submits. It needs script-src 'self' only.
//
//   <form method="post" data-passkey-options='{"challenge":…}'   options for get() or create(), in JSON (escaped by the template)
//         data-passkey-cancelled="…" data-passkey-failed="…"     texts to show; also -unsupported, and -exists for create()
//         data-passkey-autofill="/login" hidden>                 optional, for get(): offer passkeys in <input autocomplete="… webauthn">
//                                                                too, show the form only where there are some, and load that page when
//                                                                somebody comes back to it after the options' timeout
//     <input type="hidden" name="code">
//     <p data-passkey-status role="alert"></p>
//     <button data-passkey-start>Use a passkey</button>          gets the focus; other buttons submit as they are
//   </form>
"use strict";
(() => {
  const bytes = (s) => Uint8Array.from(atob(s.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (b) =>
    btoa(Array.from(new Uint8Array(b), (c) => String.fromCharCode(c)).join(""))
      .replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");

  // What parseRequestOptionsFromJSON and parseCreationOptionsFromJSON do, for browsers without them.
  function decoded(options) {
    const list = (l) => l && l.map((c) => ({ ...c, id: bytes(c.id) }));
    const o = { ...options, challenge: bytes(options.challenge) };
    if (o.user) o.user = { ...o.user, id: bytes(o.user.id) };
    if (o.allowCredentials) o.allowCredentials = list(o.allowCredentials);
    if (o.excludeCredentials) o.excludeCredentials = list(o.excludeCredentials);
    return o;
  }

  function publicKey(options, create) {
    const parse = create ? "parseCreationOptionsFromJSON" : "parseRequestOptionsFromJSON";
    return PublicKeyCredential[parse] ? PublicKeyCredential[parse](options) : decoded(options);
  }

  // What toJSON does, for browsers without it, and for extensions whose toJSON throws.
  function encoded(credential) {
    try {
      if (credential.toJSON) return credential.toJSON();
    } catch { /* as below */ }
    const r = credential.response;
    const response = { clientDataJSON: text(r.clientDataJSON) };
    for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"])
      if (r[name]) response[name] = text(r[name]);
    if (r.getTransports) response.transports = r.getTransports();
    return {
      id: credential.id, rawId: text(credential.rawId), type: credential.type, response,
      authenticatorAttachment: credential.authenticatorAttachment || undefined,
      clientExtensionResults: credential.getClientExtensionResults(),
    };
  }

  function setUp(form) {
    const code = form.elements.namedItem("code");
    const start = form.querySelector("[data-passkey-start]");
    const status = form.querySelector("[data-passkey-status]");
    const say = (name) => { if (status) status.textContent = (name && form.dataset["passkey" + name]) || ""; };
    let running = null; // the ceremony in progress: a browser has one at a time

    const autofill = form.dataset.passkeyAutofill;
    let options;
    try { options = JSON.parse(form.dataset.passkeyOptions); } catch { return say("Failed"); }
    const create = "pubKeyCredParams" in options;

    async function ask(mediation) {
      if (running) running.abort();
      const mine = (running = new AbortController());
      try {
        const request = { publicKey: publicKey(options, create), signal: mine.signal };
        if (mediation) request.mediation = mediation;
        const credential = await (create ? navigator.credentials.create(request) : navigator.credentials.get(request));
        if (running !== mine) return;
        code.value = text(new TextEncoder().encode(JSON.stringify(encoded(credential))));
        form.requestSubmit ? form.requestSubmit(start) : form.submit();
      } catch (e) {
        if (running !== mine) return; // another one took over
        if (mediation) return; // nobody asked: nothing to say
        say({ NotAllowedError: "Cancelled", AbortError: "Cancelled", InvalidStateError: "Exists" }[e.name] || "Failed");
        if (start) start.focus();
        running = null;
        offer();
      } finally {
        if (running === mine) running = null;
      }
    }

    let offer = () => {}; // what the field for the name shows

    code.value = ""; // a browser that restores forms may bring an answer back
    if (!window.PublicKeyCredential || !navigator.credentials) {
      if (autofill) return;
      say("Unsupported");
      if (start) start.disabled = true;
      return;
    }
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      if (code.value || (event.submitter && event.submitter !== start)) return;
      event.preventDefault();
      say("");
      ask();
    });
    if (!autofill) {
      if (start) start.focus();
      return;
    }
    // Whoever comes back to a page that has been open for longer than its challenge lives gets a new one, unless something was typed.
    const since = Date.now(), typed = () => [...document.querySelectorAll("input:not([type=hidden])")].some((i) => i.value);
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && Date.now() - since > options.timeout && !typed()) location.replace(autofill);
    });
    if (!PublicKeyCredential.isConditionalMediationAvailable) return;
    PublicKeyCredential.isConditionalMediationAvailable().then((can) => {
      if (can) offer = () => { if (!running) ask("conditional"); };
      offer();
    });
  }

  const all = () => document.querySelectorAll("form[data-passkey-options]");
  const begin = () => all().forEach(setUp);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) all().forEach((form) => { form.elements.namedItem("code").value = ""; });
  });
})();
