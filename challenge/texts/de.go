package texts

// {wait} always stands in the accusative here, since "in 2 Tage" would be wrong. A soft hyphen is where a heading may
// break on a telephone.
var german = map[Key]string{
	MailCodeSubject: "Ihr Code für {site}",
	MailCodeBody: `Ihr Code für {site}:

{code}

Er gilt einmal und {minutes} {minutes|Minute|Minuten} lang. Geben Sie ihn nur auf {site} ein.

Wir fragen nie nach diesem Code, weder am Telefon noch per Mail oder Chat. Wenn nicht Sie ihn angefordert haben, ändern Sie Ihr Passwort: Vielleicht kennt es jemand anderes.
`,
	SMSCodeBody: `Ihr Code, {minutes} {minutes|Minute|Minuten} gültig. Geben Sie ihn niemandem.
{code}`,

	NoticeFactorSubject: "Der zweite Schritt Ihrer Anmeldung bei {site} wurde geändert",
	NoticeFactorAdded: `Zu Ihrer Anmeldung bei {site} wurde ein zweiter Schritt hinzugefügt: {method}.

Wann: {time}

Waren Sie das? Dann brauchen Sie nichts zu tun. Wenn nicht, ändern Sie jetzt Ihr Passwort, entfernen Sie diesen Schritt auf der Sicherheitsseite Ihres Kontos und melden Sie es der Verwaltung von {site}.
`,
	NoticeFactorRemoved: `Von Ihrer Anmeldung bei {site} wurde ein zweiter Schritt entfernt: {method}.

Wann: {time}

Waren Sie das? Dann brauchen Sie nichts zu tun. Wenn nicht, ändern Sie jetzt Ihr Passwort und melden Sie es der Verwaltung von {site}.
`,
	NoticeFactorDisabled: `Ein zweiter Schritt Ihrer Anmeldung bei {site} wurde abgeschaltet, weil zu oft hintereinander ein falscher Code eingegeben wurde: {method}.

Wann: {time}

Vielleicht kennt jemand Ihr Passwort. Ändern Sie es, melden Sie sich auf anderem Weg an und richten Sie diesen Schritt neu ein. Wenn Sie sich nicht anmelden können, fragen Sie die Verwaltung von {site}.
`,
	NoticeRecoverySubject: "Bei {site} wurde ein Wiederherstellungscode benutzt",
	NoticeRecoveryBody: `Für die Anmeldung an Ihrem Konto bei {site} wurde ein Wiederherstellungscode benutzt.

Wann: {time}
Von: {address}

Waren Sie das? Dann streichen Sie diesen Code von Ihrer Liste; er gilt nicht noch einmal. Wenn nicht, ändern Sie jetzt Ihr Passwort, erstellen Sie neue Wiederherstellungscodes und melden Sie es der Verwaltung von {site}.
`,
	NoticeNewDeviceSubject: "Neue Anmeldung an Ihrem Konto bei {site}",
	NoticeNewDeviceBody: `Jemand hat sich an Ihrem Konto bei {site} mit einem Gerät angemeldet, auf dem es zuvor nicht benutzt wurde.

Wann: {time}
Von: {address}

Waren Sie das? Dann brauchen Sie nichts zu tun. Wenn nicht, ändern Sie jetzt Ihr Passwort und melden Sie sich auf der Sicherheitsseite Ihres Kontos überall ab.
`,
	NoticeNewNetworkBody: `Ein Programm, etwa eine App auf einem Telefon, hat sich an Ihrem Konto bei {site} aus einem Netz angemeldet, aus dem das noch keines getan hat.

Wann: {time}
Von: {address}

Waren Sie das? Dann brauchen Sie nichts zu tun. Wenn nicht, ändern Sie jetzt Ihr Passwort und melden Sie sich auf der Sicherheitsseite Ihres Kontos überall ab.
`,
	NoticeBlockedSubject: "Die Anmeldung an Ihrem Konto bei {site} ist vorübergehend gesperrt",
	NoticeBlockedBody: `An Ihrem Konto bei {site} gab es zu viele fehlgeschlagene Anmeldeversuche. Neue Versuche werden jetzt abgelehnt. Das dauert {wait}, danach können Sie sich wieder anmelden.

Wann: {time}
Von: {address}

Waren Sie das? Dann warten Sie und versuchen Sie es erneut. Wenn nicht, versucht vielleicht jemand, Ihr Passwort zu erraten: Wählen Sie ein neues, langes, das Sie sonst nirgends benutzen.
`,
	NoticePasswordSubject: "Ihr Passwort bei {site} wurde geändert",
	NoticePasswordBody: `Das Passwort Ihres Kontos bei {site} wurde geändert, und alle anderen Anmeldungen wurden beendet.

Wann: {time}

Waren Sie das? Dann brauchen Sie nichts zu tun. Wenn nicht, setzen Sie jetzt ein neues Passwort und melden Sie es der Verwaltung von {site}.
`,
	NoticeDestinationSubject: "Ihre Codes von {site} gehen jetzt an ein anderes Ziel",
	NoticeDestinationBody: `Codes für die Anmeldung an Ihrem Konto bei {site} gehen jetzt an {destination}.

Wann: {time}

Waren Sie das? Dann brauchen Sie nichts zu tun. Wenn nicht, ändern Sie jetzt Ihr Passwort und melden Sie es der Verwaltung von {site}.
`,

	TitleLogin:       "Anmelden",
	TitleCode:        "Code eingeben",
	TitleEnrolProof:  "Zeigen Sie zuerst, dass Sie es sind",
	TitleEnrol:       "Authenticator-App einrichten",
	TitleRecovery:    "Ihre Wieder\u00adherstellungs\u00adcodes",
	TitleFresh:       "Bestätigen Sie, dass Sie es sind",
	TitleBlocked:     "Warten Sie ein paar Minuten",
	TitleError:       "Das hat nicht geklappt",
	TitleUnavailable: "Versuchen Sie es gleich noch einmal",
	TitleNotFound:    "Seite nicht gefunden",
	TitlePage:        "{title} · {brand}",

	LabelUsername:     "Benutzername",
	LabelPassword:     "Passwort",
	LabelCode:         "Code",
	LabelRecoveryCode: "Wiederherstellungscode",
	LabelOtherWays:    "Anderen Weg wählen",

	ButtonLogIn:        "Anmelden",
	ButtonLogInPasskey: "Mit einem Passkey anmelden",
	ButtonVerify:       "Prüfen",
	ButtonResend:       "Neuen Code senden",
	ButtonConfirm:      "Bestätigen",
	ButtonActivate:     "Einschalten",
	ButtonCancel:       "Abbrechen",
	ButtonLogOut:       "Abmelden",
	ButtonContinue:     "Ich habe sie aufbewahrt: weiter",
	LinkLogin:          "Zur Anmeldung",
	LinkHome:           "Zur Startseite",

	MethodPassword: "Passwort",
	MethodTOTP:     "Authenticator-App",
	MethodEmail:    "E-Mail",
	MethodSMS:      "SMS",
	MethodRecovery: "Wiederherstellungscode",
	MethodPasskey:  "Passkey",
	MethodCustom:   "Anderer Code",

	UsePassword: "Passwort benutzen",
	UseTOTP:     "Authenticator-App benutzen",
	UseEmail:    "Code per E-Mail senden",
	UseSMS:      "Code per SMS senden",
	UseRecovery: "Wiederherstellungscode benutzen",
	UsePasskey:  "Passkey benutzen",
	UseCustom:   "Anderen Code benutzen",

	HintTOTP:     "Öffnen Sie Ihre Authenticator-App und geben Sie den Code ein, den sie für dieses Konto zeigt.",
	HintEmail:    "Wir haben einen Code an {destination} gesendet. Schauen Sie auch im Spam-Ordner nach, wenn er nicht ankommt.",
	HintSMS:      "Wir haben einen Code per SMS an {destination} gesendet.",
	HintRecovery: "Geben Sie einen der Wiederherstellungscodes ein, die Sie aufbewahrt haben. Jeder gilt einmal.",
	HintPasskey:  "Bestätigen Sie mit Fingerabdruck, Gesicht, PIN oder Sicherheitsschlüssel.",
	HintCustom:   "Geben Sie den Code für diese Anmeldung ein.",

	ErrorRefused:         "Der Benutzername oder das Passwort stimmt nicht. Prüfen Sie beides und versuchen Sie es erneut. Nach mehreren Fehlversuchen warten Sie zuerst ein paar Minuten: Bis dahin wird auch das richtige Passwort abgelehnt.",
	ErrorPasskeyRefused:  "Dieser Passkey kann hier nicht benutzt werden. Melden Sie sich mit Benutzername und Passwort an oder versuchen Sie es erneut. Nach mehreren Fehlversuchen warten Sie zuerst ein paar Minuten: Bis dahin wird auch der richtige Passkey abgelehnt.",
	ErrorWrongCode:       "Dieser Code stimmt nicht. Prüfen Sie ihn und versuchen Sie es erneut.",
	ErrorReplayed:        "Dieser Code wurde schon benutzt. Warten Sie, bis ein neuer erscheint, und geben Sie diesen ein.",
	ErrorMalformed:       "Das kann kein Code sein. Geben Sie ihn genau so ein, wie Sie ihn sehen. Dies zählte nicht als Versuch.",
	ErrorNoCode:          "Für diese Anmeldung wurde noch kein Code gesendet. Fordern Sie unten einen neuen an.",
	ErrorNoCodeWait:      "Für diese Anmeldung wurde noch kein Code gesendet. Warten Sie noch {wait}, dann können Sie einen anfordern.",
	ErrorCodeExpired:     "Dieser Code ist zu alt. Fordern Sie unten einen neuen an.",
	ErrorBlockedCode:     "Zu viele Codes waren falsch, deshalb wird jetzt keiner angenommen. Warten Sie {wait} und melden Sie sich dann neu an.",
	ErrorBlockedPassword: "Zu viele Passwörter waren falsch, deshalb wird jetzt keines angenommen. Warten Sie {wait} und versuchen Sie es dann erneut.",
	ErrorCooldown:        "Ein neuer Code kann noch nicht gesendet werden. Benutzen Sie den letzten, den Sie erhalten haben, oder warten Sie noch {wait} und fordern Sie dann einen neuen an.",
	ErrorSendFailed:      "Der Code konnte nicht gesendet werden. Wählen Sie unten einen anderen Weg oder versuchen Sie es in einer Minute erneut.",
	ErrorSendFailedAlone: "Der Code konnte nicht gesendet werden. Versuchen Sie es in einer Minute erneut. Wenn es nicht besser wird, fragen Sie Ihre Verwaltung.",
	ErrorBusy:            "Gerade melden sich viele Menschen an. Warten Sie kurz und versuchen Sie es erneut.",
	ErrorLoginExpired:    "Diese Anmeldung hat zu lange gedauert oder wurde beendet. Beginnen Sie neu mit Ihrem Passwort.",
	ErrorOtherLogin:      "In diesem Browser wurde eine neuere Anmeldung begonnen, deshalb gilt diese Seite nicht mehr. Beginnen Sie neu mit Ihrem Passwort.",
	ErrorEnded:           "Sie sind nicht mehr angemeldet. Melden Sie sich neu an, um fortzufahren.",
	ErrorMethod:          "Dieser Weg steht für diese Anmeldung nicht zur Verfügung. Wählen Sie einen anderen.",
	ErrorNotAllowed:      "Das ist mit dieser Anmeldung nicht möglich. Wenn Sie es brauchen, fragen Sie Ihre Verwaltung.",
	ErrorSession:         "Melden Sie sich an, um fortzufahren.",
	ErrorCrossSite:       "Das Formular war zu alt oder kam von einer anderen Website, deshalb wurde nichts getan. Laden Sie die Seite neu und versuchen Sie es erneut.",
	ErrorBadRequest:      "Die Anfrage war nicht lesbar, deshalb wurde nichts getan. Gehen Sie zurück, laden Sie die Seite neu und versuchen Sie es erneut.",
	ErrorNotThisWay:      "Das geht mit einer Schaltfläche, nicht über die Adresse. Gehen Sie zurück zu der Seite, auf der sie steht.",
	ErrorTooLarge:        "Das war mehr, als auf einmal geht, deshalb wurde nichts getan. Gehen Sie zurück und geben Sie weniger ein.",
	ErrorTooManyRequests: "Das ging etwas zu schnell. Warten Sie {wait} und versuchen Sie es dann erneut.",
	ErrorUnavailable:     "Auf unserer Seite funktioniert etwas nicht, deshalb wurde nichts getan. Warten Sie eine Minute und versuchen Sie es erneut.",
	ErrorNotFound:        "Unter dieser Adresse gibt es nichts. Prüfen Sie sie oder gehen Sie zur Startseite.",
	ErrorClockOff:        "Der Code stimmt für eine andere Zeit: Die Uhr Ihres Telefons geht falsch. Stellen Sie dort Datum und Uhrzeit auf automatisch und geben Sie dann den nächsten Code ein.",
	ErrorEnrolImpossible: "Ihr Konto braucht einen zweiten Schritt, aber es ist keine Adresse oder Telefonnummer bekannt, an die wir einen Code senden könnten. Fragen Sie Ihre Verwaltung.",
	ErrorPasswordAgain:   "Dieses Passwort stimmt nicht. Prüfen Sie es und versuchen Sie es erneut. Nach mehreren Fehlversuchen warten Sie zuerst ein paar Minuten.",

	NoticeFallback:       "Auf dem üblichen Weg ging es nicht, deshalb nahm der Code einen anderen. {method}: {destination}.",
	NoticeResendWait:     "Warten Sie noch {wait}, dann können Sie einen neuen Code anfordern.",
	EnrolProofIntro:      "Ihr Konto braucht einen zweiten Schritt. Geben Sie vor dem Einrichten den Code ein, den wir an {destination} gesendet haben.",
	EnrolProofAdminIntro: "Ihr Konto braucht einen zweiten Schritt. Geben Sie vor dem Einrichten den Code ein, den Sie von Ihrer Verwaltung bekommen haben.",
	EnrolIntro:           "Ab jetzt melden Sie sich mit Ihrem Passwort und einem Code aus einer App an, zum Beispiel Google Authenticator, Microsoft Authenticator, Authy oder 1Password.",
	EnrolScan:            "Scannen Sie dieses Bild mit der App.",
	EnrolQRAlt:           "QR-Code mit dem Schlüssel für Ihre Authenticator-App. Derselbe Schlüssel steht darunter als Text.",
	EnrolTyped:           "Scannen geht nicht? Tippen Sie diesen Schlüssel in die App.",
	EnrolOpen:            "In einer App auf diesem Gerät öffnen",
	EnrolConfirm:         "Geben Sie den Code ein, den die App jetzt zeigt.",
	RecoveryIntro:        "Mit jedem dieser Codes können Sie sich einmal anmelden, wenn Sie Ihr Telefon nicht haben. Drucken Sie diese Seite oder schreiben Sie die Codes ab, und bewahren Sie sie sicher auf.",
	RecoveryWarning:      "Sie werden nur jetzt gezeigt. Ältere Wiederherstellungscodes gelten nicht mehr.",
	FreshIntro:           "Für diese Seite müssen Sie noch einmal zeigen, dass Sie es sind.",
	FreshPassword:        "Geben Sie Ihr Passwort noch einmal ein, um fortzufahren.",

	TitleSecurity:         "Sicherheit",
	TitleSecurityTOTP:     "Authenticator-Apps",
	TitleSecurityPasskey:  "Passkeys",
	TitleSecurityEmail:    "Codes per E-Mail",
	TitleSecuritySMS:      "Codes per SMS",
	TitleSecurityCustom:   "Andere zweite Schritte",
	TitleSecurityRecovery: "Wiederherstellungscodes",
	TitleSecurityDevices:  "Bekannte Geräte",
	TitleSecuritySessions: "Anmeldungen",
	TitleRemove:           "Diesen zweiten Schritt entfernen?",
	TitleEnrolPasskey:     "Passkey einrichten",
	TitleEnrolOther:       "Zweiten Schritt einrichten",

	LabelName:             "Name (freiwillig)",
	LabelAddress:          "E-Mail-Adresse",
	LabelPhone:            "Mobilnummer",
	HintName:              "Damit Sie ihn von anderen unterscheiden können, etwa „Diensthandy“.",
	HintPhone:             "Mit Landesvorwahl, etwa +49 151 12345678.",
	SecurityNeeded:        "Ihr Konto braucht zum Anmelden einen zweiten Schritt.",
	SecurityNotNeeded:     "Ihr Konto kann sich allein mit dem Passwort anmelden. Ein zweiter Schritt macht es sicherer.",
	SecurityMethods:       "Bei der nächsten Anmeldung können Sie benutzen",
	SecurityFactors:       "Ihre zweiten Schritte",
	SecurityNone:          "Hier ist noch nichts eingerichtet.",
	SecurityOwn:           "Ein Code kann an die Adresse oder Nummer gehen, die Ihr Konto von sich aus hat.",
	SecurityAdded:         "Hinzugefügt {time}",
	SecurityWeak:          "Mit einem Wiederherstellungscode hinzugefügt: kann nichts entfernen oder ändern vor {time}",
	SecurityDisabled:      "Nach zu vielen falschen Codes abgeschaltet. Entfernen Sie ihn und richten Sie ihn neu ein, oder fragen Sie Ihre Verwaltung.",
	SecurityAdd:           "Zweiten Schritt hinzufügen",
	SecurityConfirmFirst:  "Bevor Sie hier etwas ändern, zeigen Sie noch einmal, dass Sie es sind.",
	SecurityEndsOthers:    "Sie werden dann überall sonst abgemeldet.",
	SecurityRemoveIntro:   "Danach können Sie sich damit nicht mehr anmelden.",
	SecurityRecoveryIntro: "Ein Wiederherstellungscode lässt Sie einmal ein, wenn Sie Ihren anderen zweiten Schritt nicht benutzen können.",
	SecurityRecoveryLeft:  "Sie haben noch {n}.",
	SecurityRecoveryFew:   "Das sind nicht viele. Machen Sie neue, bevor Sie sie brauchen.",
	SecurityRecoveryNone:  "Sie springen für einen zweiten Schritt ein, den Sie selbst eingerichtet haben, und den gibt es noch nicht.",
	SecurityRecoveryRenew: "Die Codes, die Sie haben, gelten dann nicht mehr, und Sie werden überall sonst abgemeldet.",
	SecurityPreferred:     "Wird zuerst gefragt",
	ButtonPrefer:          "Zuerst danach fragen",
	LabelTrust:            "Auf diesem Gerät {wait} nicht nach einem Code fragen",
	SecurityTrusted:       "Vertraute Geräte",
	SecurityTrustedIntro:  "Auf diesen Geräten wird nur nach Ihrem Passwort gefragt.",
	ButtonDistrust:        "Nicht mehr vertrauen",
	ButtonDistrustAll:     "Keinem mehr vertrauen",
	SecurityDevicesIntro:  "Auf diesen Geräten haben Sie sich schon angemeldet. Dort können falsche Versuche Fremder Sie nicht aussperren.",
	SecurityDevicesNone:   "Kein Gerät ist bekannt.",
	SecuritySessionsIntro: "Hier sind Sie jetzt angemeldet. Sehen Sie eine Anmeldung, die nicht von Ihnen ist? Melden Sie sie ab und ändern Sie Ihr Passwort.",
	SecurityCurrent:       "Dieses Gerät",
	SecurityAccess:        "Zugriffstoken",
	SecurityDevice:        "Ein Gerät",
	SecuritySince:         "Seit {time}",
	SecurityUsed:          "Zuletzt benutzt {time}",
	SecurityUntil:         "Spätestens bis {time}",
	SecurityFrom:          "Von {address}",
	SecurityBy:            "Mit {methods}",

	ButtonAdd:       "Hinzufügen",
	ButtonRename:    "Namen ändern",
	ButtonRemove:    "Entfernen",
	ButtonNewCodes:  "Neue Wiederherstellungscodes machen",
	ButtonDownload:  "Als Textdatei speichern",
	ButtonEnd:       "Dort abmelden",
	ButtonEndOthers: "Überall sonst abmelden",
	ButtonEndAll:    "Überall abmelden, auch hier",
	ButtonForget:    "Vergessen",
	ButtonForgetAll: "Alle vergessen",
	ButtonPasskey:   "Passkey erstellen",
	LinkSecurity:    "Zurück zur Sicherheit",
	LinkAccount:     "Zu Ihrem Konto",

	EnrolPasskeyIntro:  "Mit einem Passkey bestätigen Sie mit Fingerabdruck, Gesicht, PIN oder Sicherheitsschlüssel, dass Sie es sind. Er gilt nur auf dieser Website, also kann ihn Ihnen niemand entlocken.",
	EnrolCustomIntro:   "Geben Sie den Code ein, um diesen zweiten Schritt einzuschalten.",
	PasskeyCancelled:   "Das wurde abgebrochen oder dauerte zu lange. Versuchen Sie es noch einmal.",
	PasskeyFailed:      "Das hat nicht geklappt. Versuchen Sie es noch einmal oder auf andere Weise.",
	PasskeyUnsupported: "Dieser Browser kann keine Passkeys benutzen. Nehmen Sie einen anderen Weg.",
	PasskeyExists:      "Dieses Gerät hat schon einen Passkey für Ihr Konto.",
	PasskeyNoScript:    "Passkeys brauchen JavaScript. Schalten Sie es ein oder nehmen Sie einen anderen Weg.",
	RecoveryFile:       "Wiederherstellungscodes für {site}. Jeder gilt einmal.",
	FreshChange:        "Um zu ändern, wie Sie sich anmelden, zeigen Sie noch einmal, dass Sie es sind: mit Ihrem Passwort und, wenn Sie einen haben, mit Ihrem zweiten Schritt.",
	FreshStrong:        "Ein Wiederherstellungscode reicht dafür nicht.",
	ErrorName:          "Ein Name hat höchstens 64 Buchstaben, in einer Zeile.",
	ErrorAddress:       "Das ist keine E-Mail-Adresse. Schreiben Sie sie wie name@example.com.",
	ErrorPhone:         "Das ist keine Nummer mit Landesvorwahl. Beginnen Sie mit + und dem Land.",
	ErrorNumber:        "An solche Nummern werden keine Codes gesendet. Verwenden Sie eine andere Nummer.",
	ErrorGone:          "Das gibt es nicht mehr. So sieht es jetzt aus.",
	ErrorEnrolExpired:  "Das dauerte zu lange, also wurde nichts eingerichtet. Fangen Sie noch einmal an.",
	ErrorLastFactor:    "Das ist Ihr letzter zweiter Schritt, und Ihr Konto braucht einen. Fügen Sie erst einen anderen hinzu.",
	ErrorTooMany:       "Ihr Konto hat schon so viele zweite Schritte, wie es haben kann. Entfernen Sie erst einen.",
	ErrorLoginAgain:    "Ihre Anmeldung ist für diese Änderung zu alt. Melden Sie sich ab und wieder an, und kommen Sie innerhalb von fünf Minuten zurück.",
	ErrorFactorFirst:   "Dies verlangt einen zweiten Schritt, den Ihr Konto noch nicht hat: {method}.",
	ErrorTriesSpent:    "In dieser Anmeldung waren zu viele Antworten falsch. Melden Sie sich ab und wieder an.",
	ErrorWeak:          "Was Sie mit einem Wiederherstellungscode hinzugefügt haben, reicht dafür noch nicht, aber in {wait}.",

	DurationSeconds: "{n} {n|Sekunde|Sekunden}",
	DurationMinutes: "{n} {n|Minute|Minuten}",
	DurationHours:   "{n} {n|Stunde|Stunden}",
	DurationDays:    "{n} {n|Tag|Tage}",
}
