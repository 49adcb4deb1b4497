package texts

var english = map[Key]string{
	MailCodeSubject: "Your code for {site}",
	MailCodeBody: `Your code for {site}:

{code}

It works once, for {minutes} {minutes|minute|minutes}. Enter it only at {site}.

We never ask for this code, not by phone, mail or chat. If it was not you who wanted it, change your password: somebody else may know it.
`,
	SMSCodeBody: `Your code, valid {minutes} {minutes|minute|minutes}. Never give it to anybody.
{code}`,

	NoticeFactorSubject: "The second step of your login at {site} was changed",
	NoticeFactorAdded: `A second step was added to your login at {site}: {method}.

When: {time}

Was it you? Then there is nothing to do. If not, change your password now, remove it on the security page of your account, and tell the administrator of {site}.
`,
	NoticeFactorRemoved: `A second step was removed from your login at {site}: {method}.

When: {time}

Was it you? Then there is nothing to do. If not, change your password now and tell the administrator of {site}.
`,
	NoticeFactorDisabled: `A second step of your login at {site} was switched off, because too many wrong codes were entered in a row: {method}.

When: {time}

Somebody may know your password. Change it, log in another way, and set this step up again. If you cannot log in, ask the administrator of {site}.
`,
	NoticeRecoverySubject: "A recovery code was used at {site}",
	NoticeRecoveryBody: `A recovery code was used to log in to your account at {site}.

When: {time}
From: {address}

Was it you? Then cross that code off your list; it does not work again. If not, change your password now, make new recovery codes, and tell the administrator of {site}.
`,
	NoticeNewDeviceSubject: "New login to your account at {site}",
	NoticeNewDeviceBody: `Somebody logged in to your account at {site} on a device that it was not used on before.

When: {time}
From: {address}

Was it you? Then there is nothing to do. If not, change your password now and log out everywhere on the security page of your account.
`,
	NoticeNewNetworkBody: `A program, such as an app on a phone, logged in to your account at {site} from a network that none has logged in from before.

When: {time}
From: {address}

Was it you? Then there is nothing to do. If not, change your password now and log out everywhere on the security page of your account.
`,
	NoticeBlockedSubject: "Logging in to your account at {site} is blocked for a while",
	NoticeBlockedBody: `Too many wrong attempts to log in were made to your account at {site}. New attempts are refused for {wait}; then you can log in again.

When: {time}
From: {address}

Was it you? Then wait and try again. If not, somebody may be guessing: choose a new, long password that you use nowhere else.
`,
	NoticePasswordSubject: "Your password at {site} was changed",
	NoticePasswordBody: `The password of your account at {site} was changed, and all other logins were ended.

When: {time}

Was it you? Then there is nothing to do. If not, set a new password now and tell the administrator of {site}.
`,
	NoticeDestinationSubject: "Your login codes from {site} go to another place",
	NoticeDestinationBody: `Codes to log in to your account at {site} now go to {destination}.

When: {time}

Was it you? Then there is nothing to do. If not, change your password now and tell the administrator of {site}.
`,

	TitleLogin:       "Log in",
	TitleCode:        "Enter your code",
	TitleEnrolProof:  "First show that it is you",
	TitleEnrol:       "Set up your authenticator app",
	TitleRecovery:    "Your recovery codes",
	TitleFresh:       "Confirm that it is you",
	TitleBlocked:     "Wait a few minutes",
	TitleError:       "That did not work",
	TitleUnavailable: "Try again in a moment",
	TitleNotFound:    "Page not found",
	TitlePage:        "{title} · {brand}",

	LabelUsername:     "Username",
	LabelPassword:     "Password",
	LabelCode:         "Code",
	LabelRecoveryCode: "Recovery code",
	LabelOtherWays:    "Try another way",

	ButtonLogIn:        "Log in",
	ButtonLogInPasskey: "Log in with a passkey",
	ButtonVerify:       "Verify",
	ButtonResend:       "Send a new code",
	ButtonConfirm:      "Confirm",
	ButtonActivate:     "Switch on",
	ButtonCancel:       "Cancel",
	ButtonLogOut:       "Log out",
	ButtonContinue:     "I have kept them: continue",
	LinkLogin:          "Go to the login page",
	LinkHome:           "Go to the start page",

	MethodPassword: "Password",
	MethodTOTP:     "Authenticator app",
	MethodEmail:    "E-mail",
	MethodSMS:      "SMS",
	MethodRecovery: "Recovery code",
	MethodPasskey:  "Passkey",
	MethodCustom:   "Another code",

	UsePassword: "Use your password",
	UseTOTP:     "Use the authenticator app",
	UseEmail:    "Send a code by e-mail",
	UseSMS:      "Send a code by SMS",
	UseRecovery: "Use a recovery code",
	UsePasskey:  "Use a passkey",
	UseCustom:   "Use another code",

	HintTOTP:     "Open your authenticator app and enter the code that it shows for this account.",
	HintEmail:    "We sent a code to {destination}. Look in the spam folder too if it does not arrive.",
	HintSMS:      "We sent a code by SMS to {destination}.",
	HintRecovery: "Enter one of the recovery codes that you kept. Each works once.",
	HintPasskey:  "Confirm with your fingerprint, face, PIN or security key.",
	HintCustom:   "Enter the code for this login.",

	ErrorRefused:         "The username or the password is not right. Check both and try again. After several failures, wait a few minutes first: until then even the right password is refused.",
	ErrorPasskeyRefused:  "This passkey cannot be used here. Log in with your username and password, or try again. After several failures, wait a few minutes first: until then even the right passkey is refused.",
	ErrorWrongCode:       "That code is not right. Check it and try again.",
	ErrorReplayed:        "That code has been used already. Wait until a new one appears, then enter that.",
	ErrorMalformed:       "That cannot be a code. Enter it just as you see it. This did not count as an attempt.",
	ErrorNoCode:          "No code has been sent for this login yet. Ask for a new code below.",
	ErrorNoCodeWait:      "No code has been sent for this login yet. You can have one sent in {wait}.",
	ErrorCodeExpired:     "That code is too old. Ask for a new one below.",
	ErrorBlockedCode:     "Too many codes were wrong, so no code is accepted now. Wait {wait}, then log in again.",
	ErrorBlockedPassword: "Too many passwords were wrong, so none is accepted now. Wait {wait}, then try again.",
	ErrorCooldown:        "A new code cannot be sent yet. Use the last one you received, or ask again in {wait}.",
	ErrorSendFailed:      "The code could not be sent. Choose another way below, or try again in a minute.",
	ErrorSendFailedAlone: "The code could not be sent. Try again in a minute. If it keeps failing, ask your administrator.",
	ErrorBusy:            "Many people are logging in at this moment. Wait a little and try again.",
	ErrorLoginExpired:    "This login took too long or was ended. Start again with your password.",
	ErrorOtherLogin:      "A newer login was started in this browser, so this page no longer counts. Start again with your password.",
	ErrorEnded:           "You are no longer logged in. Log in again to continue.",
	ErrorMethod:          "That way is not available for this login. Choose another one.",
	ErrorNotAllowed:      "That is not possible with this login. If you need it, ask your administrator.",
	ErrorSession:         "Log in to continue.",
	ErrorCrossSite:       "The form was too old or came from another site, so nothing was done. Reload the page and try again.",
	ErrorBadRequest:      "The request could not be read, so nothing was done. Go back, reload the page and try again.",
	ErrorNotThisWay:      "This is done by a button, not by its address. Go back to the page it is on.",
	ErrorTooLarge:        "That was more than can be taken in at once, so nothing was done. Go back and enter less.",
	ErrorTooManyRequests: "That was a bit fast. Wait {wait}, then try again.",
	ErrorUnavailable:     "Something does not work on our side, so nothing was done. Wait a minute and try again.",
	ErrorNotFound:        "There is nothing at this address. Check it, or go to the start page.",
	ErrorClockOff:        "The code is right for another time: the clock of your phone is off. Set date and time to automatic on the phone, then enter the next code.",
	ErrorEnrolImpossible: "Your account needs a second step, but it has no address or phone number that we could send a code to. Ask your administrator.",
	ErrorPasswordAgain:   "That password is not right. Check it and try again. After several failures, wait a few minutes first.",

	NoticeFallback:       "The usual way did not work, so the code took another one. {method}: {destination}.",
	NoticeResendWait:     "You can ask for a new code in {wait}.",
	EnrolProofIntro:      "Your account needs a second step. Before you set it up, enter the code that we sent to {destination}.",
	EnrolProofAdminIntro: "Your account needs a second step. Before you set it up, enter the code that your administrator gave you.",
	EnrolIntro:           "From now on you log in with your password and a code from an app such as Google Authenticator, Microsoft Authenticator, Authy or 1Password.",
	EnrolScan:            "Scan this picture with the app.",
	EnrolQRAlt:           "QR code with the key for your authenticator app. The same key stands below as text.",
	EnrolTyped:           "You cannot scan it? Type this key into the app.",
	EnrolOpen:            "Open in an app on this device",
	EnrolConfirm:         "Enter the code that the app shows now.",
	RecoveryIntro:        "Each of these codes lets you log in once when you do not have your phone. Print this page or copy the codes, and keep them in a safe place.",
	RecoveryWarning:      "They are shown only now. Older recovery codes do not work any more.",
	FreshIntro:           "This page asks you to show once more that it is you.",
	FreshPassword:        "Enter your password again to continue.",

	TitleSecurity:         "Security",
	TitleSecurityTOTP:     "Authenticator apps",
	TitleSecurityPasskey:  "Passkeys",
	TitleSecurityEmail:    "Codes by e-mail",
	TitleSecuritySMS:      "Codes by SMS",
	TitleSecurityCustom:   "Other second steps",
	TitleSecurityRecovery: "Recovery codes",
	TitleSecurityDevices:  "Known devices",
	TitleSecuritySessions: "Logins",
	TitleRemove:           "Remove this second step?",
	TitleEnrolPasskey:     "Set up a passkey",
	TitleEnrolOther:       "Set up a second step",

	LabelName:             "Name (optional)",
	LabelAddress:          "E-mail address",
	LabelPhone:            "Mobile number",
	HintName:              "So that you can tell it from others, such as “work phone”.",
	HintPhone:             "With the country code, such as +31 6 12345678.",
	SecurityNeeded:        "Your account needs a second step to log in.",
	SecurityNotNeeded:     "Your account may log in with its password alone. A second step makes it safer.",
	SecurityMethods:       "At the next login you can use",
	SecurityFactors:       "Your second steps",
	SecurityNone:          "Nothing is set up here yet.",
	SecurityOwn:           "A code can go to the address or number that your account has by itself.",
	SecurityAdded:         "Added {time}",
	SecurityWeak:          "Added with a recovery code: cannot remove or change anything before {time}",
	SecurityDisabled:      "Switched off after too many wrong codes. Remove it and set it up again, or ask your administrator.",
	SecurityAdd:           "Add a second step",
	SecurityConfirmFirst:  "Before you change anything here, show once more that it is you.",
	SecurityEndsOthers:    "You are then logged out everywhere else.",
	SecurityRemoveIntro:   "It can then no longer be used to log in.",
	SecurityRecoveryIntro: "A recovery code lets you in once when you cannot use your other second step.",
	SecurityRecoveryLeft:  "You have {n} left.",
	SecurityRecoveryFew:   "That is not many. Make new ones before you need them.",
	SecurityRecoveryNone:  "They stand in for a second step that you have set up yourself, and there is none yet.",
	SecurityRecoveryRenew: "The codes that you have stop working, and you are logged out everywhere else.",
	SecurityPreferred:     "Asked first",
	ButtonPrefer:          "Ask for this first",
	LabelTrust:            "Do not ask for a code on this device for {wait}",
	SecurityTrusted:       "Trusted devices",
	SecurityTrustedIntro:  "On these devices you are asked for your password only.",
	ButtonDistrust:        "Stop trusting",
	ButtonDistrustAll:     "Stop trusting all",
	SecurityDevicesIntro:  "You have logged in on these devices before. On them, a stranger’s wrong guesses cannot lock you out.",
	SecurityDevicesNone:   "No device is known.",
	SecuritySessionsIntro: "This is where you are logged in now. Do you see one that is not you? Log it out and change your password.",
	SecurityCurrent:       "This device",
	SecurityAccess:        "Access token",
	SecurityDevice:        "A device",
	SecuritySince:         "Since {time}",
	SecurityUsed:          "Last used {time}",
	SecurityUntil:         "Until {time} at the latest",
	SecurityFrom:          "From {address}",
	SecurityBy:            "By {methods}",

	ButtonAdd:       "Add",
	ButtonRename:    "Change the name",
	ButtonRemove:    "Remove",
	ButtonNewCodes:  "Make new recovery codes",
	ButtonDownload:  "Save as a text file",
	ButtonEnd:       "Log out there",
	ButtonEndOthers: "Log out everywhere else",
	ButtonEndAll:    "Log out everywhere, here too",
	ButtonForget:    "Forget it",
	ButtonForgetAll: "Forget all",
	ButtonPasskey:   "Create a passkey",
	LinkSecurity:    "Back to security",
	LinkAccount:     "Go to your account",

	EnrolPasskeyIntro:  "A passkey confirms that it is you with your fingerprint, face, PIN or security key. It works on this site only, so nobody can trick it out of you.",
	EnrolCustomIntro:   "Enter the code to switch this second step on.",
	PasskeyCancelled:   "That was cancelled or took too long. Try again.",
	PasskeyFailed:      "That did not work. Try again, or use another way.",
	PasskeyUnsupported: "This browser cannot use passkeys. Use another way.",
	PasskeyExists:      "This device has a passkey for your account already.",
	PasskeyNoScript:    "Passkeys need JavaScript. Switch it on, or use another way.",
	RecoveryFile:       "Recovery codes for {site}. Each works once.",
	FreshChange:        "To change how you log in, show once more that it is you: with your password, and with your second step if you have one.",
	FreshStrong:        "A recovery code is not enough for this.",
	ErrorName:          "A name is at most 64 letters, on one line.",
	ErrorAddress:       "That is not an e-mail address. Write it like name@example.com.",
	ErrorPhone:         "That is not a number with its country code. Begin with + and the country.",
	ErrorNumber:        "No codes are sent to numbers like this one. Use another number.",
	ErrorGone:          "That is not there any more. This is what there is now.",
	ErrorEnrolExpired:  "That took too long, so nothing was set up. Begin again.",
	ErrorLastFactor:    "This is your last second step, and your account needs one. Add another one first.",
	ErrorTooMany:       "Your account has as many second steps as it can have. Remove one first.",
	ErrorLoginAgain:    "Your login is too old for this change. Log out, log in again and come back within five minutes.",
	ErrorFactorFirst:   "This asks for a second step that your account does not have yet: {method}.",
	ErrorTriesSpent:    "Too many answers in this login were wrong. Log out and log in again.",
	ErrorWeak:          "What you added with a recovery code is not enough for this yet. It will be in {wait}.",

	DurationSeconds: "{n} {n|second|seconds}",
	DurationMinutes: "{n} {n|minute|minutes}",
	DurationHours:   "{n} {n|hour|hours}",
	DurationDays:    "{n} {n|day|days}",
}
