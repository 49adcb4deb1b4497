package texts

// Key names one text. The comment behind each key lists its placeholders; a replacement keeps exactly these.
type Key string

// Mails and SMS. {minutes} is how long the code lives, {site} the origin, {time} when it happened, {address} the client's
// address, {method} the name of a second factor.
const (
	MailCodeSubject Key = "mail.code.subject" // {site}
	MailCodeBody    Key = "mail.code.body"    // {code} on a line of its own, {minutes}, {site}
	SMSCodeBody     Key = "sms.code.body"     // {code} on a line of its own, {minutes}; the origin-bound line is added by the factor

	NoticeFactorSubject      Key = "notice.factor.subject"      // {site}
	NoticeFactorAdded        Key = "notice.factor.added"        // {site}, {time}, {method}
	NoticeFactorRemoved      Key = "notice.factor.removed"      // {site}, {time}, {method}
	NoticeFactorDisabled     Key = "notice.factor.disabled"     // {site}, {time}, {method}: too many failures in a row
	NoticeRecoverySubject    Key = "notice.recovery.subject"    // {site}
	NoticeRecoveryBody       Key = "notice.recovery.body"       // {site}, {time}, {address}: a recovery code was used
	NoticeNewDeviceSubject   Key = "notice.new-device.subject"  // {site}
	NoticeNewDeviceBody      Key = "notice.new-device.body"     // {site}, {time}, {address}
	NoticeNewNetworkBody     Key = "notice.new-network.body"    // {site}, {time}, {address}: under the subject of a new device
	NoticeBlockedSubject     Key = "notice.blocked.subject"     // {site}
	NoticeBlockedBody        Key = "notice.blocked.body"        // {site}, {time}, {address}, {wait}
	NoticePasswordSubject    Key = "notice.password.subject"    // {site}
	NoticePasswordBody       Key = "notice.password.body"       // {site}, {time}: the password was changed
	NoticeDestinationSubject Key = "notice.destination.subject" // {site}
	NoticeDestinationBody    Key = "notice.destination.body"    // {site}, {time}, {destination}: the address or number for codes was changed
)

// Titles of pages; each is also the page's heading.
const (
	TitleLogin       Key = "title.login"
	TitleCode        Key = "title.code"
	TitleEnrolProof  Key = "title.enrol-proof" // the code that precedes enrolling
	TitleEnrol       Key = "title.enrol"
	TitleRecovery    Key = "title.recovery"
	TitleFresh       Key = "title.fresh" // step-up
	TitleBlocked     Key = "title.blocked"
	TitleError       Key = "title.error"
	TitleUnavailable Key = "title.unavailable"
	TitleNotFound    Key = "title.not-found"
	TitlePage        Key = "title.page" // {title}, {brand}: the browser's window title
)

// Labels of fields and headings of parts.
const (
	LabelUsername     Key = "label.username"
	LabelPassword     Key = "label.password"
	LabelCode         Key = "label.code"
	LabelRecoveryCode Key = "label.recovery-code"
	LabelOtherWays    Key = "label.other-ways"
)

// Buttons and links.
const (
	ButtonLogIn        Key = "button.log-in"
	ButtonLogInPasskey Key = "button.log-in-passkey"
	ButtonVerify       Key = "button.verify"
	ButtonResend       Key = "button.resend"
	ButtonConfirm      Key = "button.confirm" // the password again
	ButtonActivate     Key = "button.activate"
	ButtonCancel       Key = "button.cancel"
	ButtonLogOut       Key = "button.log-out"
	ButtonContinue     Key = "button.continue"
	LinkLogin          Key = "link.login"
	LinkHome           Key = "link.home"
)

// Names of methods, as they stand in a list or after a colon. See [Catalog.Method] for the method of a factor's name.
const (
	MethodPassword Key = "method.password"
	MethodTOTP     Key = "method.totp"
	MethodEmail    Key = "method.email"
	MethodSMS      Key = "method.sms"
	MethodRecovery Key = "method.recovery"
	MethodPasskey  Key = "method.passkey"
	MethodCustom   Key = "method.custom"
)

// What the button says that changes to a method. See [Catalog.Use].
const (
	UsePassword Key = "use.password"
	UseTOTP     Key = "use.totp"
	UseEmail    Key = "use.email"
	UseSMS      Key = "use.sms"
	UseRecovery Key = "use.recovery"
	UsePasskey  Key = "use.passkey"
	UseCustom   Key = "use.custom"
)

// What to do for each method. Those of e-mail and SMS say that a code was sent. See [Catalog.Hint].
const (
	HintTOTP     Key = "hint.totp"
	HintEmail    Key = "hint.email" // {destination}
	HintSMS      Key = "hint.sms"   // {destination}
	HintRecovery Key = "hint.recovery"
	HintPasskey  Key = "hint.passkey"
	HintCustom   Key = "hint.custom"
)

// What a person reads after something did not work. {wait} is a length of time from [Catalog.Duration].
const (
	// ErrorRefused is the one text for an unknown name, a wrong password, a blocked, disabled or service account (I-10).
	ErrorRefused         Key = "error.refused"
	ErrorPasskeyRefused  Key = "error.passkey-refused" // the same for a passkey that counts as both factors
	ErrorWrongCode       Key = "error.wrong-code"
	ErrorReplayed        Key = "error.replayed"
	ErrorMalformed       Key = "error.malformed"
	ErrorNoCode          Key = "error.no-code"      // nothing was sent in this login; sending is possible now
	ErrorNoCodeWait      Key = "error.no-code-wait" // {wait}: the same while sending has to wait
	ErrorCodeExpired     Key = "error.code-expired"
	ErrorBlockedCode     Key = "error.blocked-code"     // {wait}
	ErrorBlockedPassword Key = "error.blocked-password" // {wait}: for a known device, or after a right password
	ErrorCooldown        Key = "error.cooldown"         // {wait}
	ErrorSendFailed      Key = "error.send-failed"      // other ways are offered below it
	ErrorSendFailedAlone Key = "error.send-failed-alone"
	ErrorBusy            Key = "error.busy"
	ErrorLoginExpired    Key = "error.login-expired" // the pending login has expired, was cancelled or used
	ErrorOtherLogin      Key = "error.other-login"   // the form belongs to another pending login
	ErrorEnded           Key = "error.ended"         // a finished login has ended
	ErrorMethod          Key = "error.method"
	ErrorNotAllowed      Key = "error.not-allowed"
	ErrorSession         Key = "error.session"    // a page that needs a login
	ErrorCrossSite       Key = "error.cross-site" // wrong origin or form token
	ErrorBadRequest      Key = "error.bad-request"
	ErrorNotThisWay      Key = "error.not-this-way" // somebody has opened by its address what only a button does
	ErrorTooLarge        Key = "error.too-large"
	ErrorTooManyRequests Key = "error.too-many-requests" // {wait}
	ErrorUnavailable     Key = "error.unavailable"
	ErrorNotFound        Key = "error.not-found"
	ErrorClockOff        Key = "error.clock-off" // while enrolling only
	ErrorEnrolImpossible Key = "error.enrol-impossible"
	ErrorPasswordAgain   Key = "error.password-again" // the password asked again was wrong
)

// What a person reads beside that.
const (
	NoticeFallback       Key = "notice.fallback"         // {method}, {destination}: the code took another channel
	NoticeResendWait     Key = "notice.resend-wait"      // {wait}
	EnrolProofIntro      Key = "enrol.proof-intro"       // {destination}
	EnrolProofAdminIntro Key = "enrol.proof-admin-intro" // a one-time enrolment code from an administrator
	EnrolIntro           Key = "enrol.intro"
	EnrolScan            Key = "enrol.scan"
	EnrolQRAlt           Key = "enrol.qr-alt"
	EnrolTyped           Key = "enrol.typed"
	EnrolOpen            Key = "enrol.open" // link to the otpauth URI, for the phone itself
	EnrolConfirm         Key = "enrol.confirm"
	RecoveryIntro        Key = "recovery.intro"
	RecoveryWarning      Key = "recovery.warning"
	FreshIntro           Key = "fresh.intro"
	FreshPassword        Key = "fresh.password"
)

// Pages where people change their own second factors and see their logins. {time} is a point in time, written alike in every language.
const (
	TitleSecurity         Key = "title.security"
	TitleSecurityTOTP     Key = "title.security.totp"
	TitleSecurityPasskey  Key = "title.security.passkey"
	TitleSecurityEmail    Key = "title.security.email"
	TitleSecuritySMS      Key = "title.security.sms"
	TitleSecurityCustom   Key = "title.security.custom" // a factor of the app's own
	TitleSecurityRecovery Key = "title.security.recovery"
	TitleSecurityDevices  Key = "title.security.devices"
	TitleSecuritySessions Key = "title.security.sessions"
	TitleRemove           Key = "title.remove"
	TitleEnrolPasskey     Key = "title.enrol-passkey"
	TitleEnrolOther       Key = "title.enrol-other" // a sent code, or a factor of the app's own
)

const (
	LabelName             Key = "label.name"
	LabelAddress          Key = "label.address"
	LabelPhone            Key = "label.phone"
	HintName              Key = "security.hint-name"
	HintPhone             Key = "security.hint-phone"
	SecurityNeeded        Key = "security.needed"
	SecurityNotNeeded     Key = "security.not-needed"
	SecurityMethods       Key = "security.methods" // heading of a list
	SecurityFactors       Key = "security.factors" // heading of a list
	SecurityNone          Key = "security.none"
	SecurityOwn           Key = "security.own"
	SecurityAdded         Key = "security.added" // {time}
	SecurityWeak          Key = "security.weak"  // {time}
	SecurityDisabled      Key = "security.disabled"
	SecurityAdd           Key = "security.add" // heading
	SecurityConfirmFirst  Key = "security.confirm-first"
	SecurityEndsOthers    Key = "security.ends-others"
	SecurityRemoveIntro   Key = "security.remove-intro"
	SecurityRecoveryIntro Key = "security.recovery-intro"
	SecurityRecoveryLeft  Key = "security.recovery-left" // {n}
	SecurityRecoveryFew   Key = "security.recovery-few"
	SecurityRecoveryNone  Key = "security.recovery-none"
	SecurityRecoveryRenew Key = "security.recovery-renew"
	SecurityPreferred     Key = "security.preferred"
	ButtonPrefer          Key = "button.prefer"
	LabelTrust            Key = "label.trust" // {wait}
	SecurityTrusted       Key = "security.trusted"
	SecurityTrustedIntro  Key = "security.trusted-intro"
	ButtonDistrust        Key = "button.distrust"
	ButtonDistrustAll     Key = "button.distrust-all"
	SecurityDevicesIntro  Key = "security.devices-intro"
	SecurityDevicesNone   Key = "security.devices-none"
	SecuritySessionsIntro Key = "security.sessions-intro"
	SecurityCurrent       Key = "security.current"
	SecurityAccess        Key = "security.access" // an access token among the logins
	SecurityDevice        Key = "security.device"
	SecuritySince         Key = "security.since" // {time}
	SecurityUsed          Key = "security.used"  // {time}
	SecurityUntil         Key = "security.until" // {time}
	SecurityFrom          Key = "security.from"  // {address}
	SecurityBy            Key = "security.by"    // {methods}
)

const (
	ButtonAdd       Key = "button.add"
	ButtonRename    Key = "button.rename"
	ButtonRemove    Key = "button.remove"
	ButtonNewCodes  Key = "button.new-codes"
	ButtonDownload  Key = "button.download"
	ButtonEnd       Key = "button.end"
	ButtonEndOthers Key = "button.end-others"
	ButtonEndAll    Key = "button.end-all"
	ButtonForget    Key = "button.forget"
	ButtonForgetAll Key = "button.forget-all"
	ButtonPasskey   Key = "button.passkey" // makes one
	LinkSecurity    Key = "link.security"
	LinkAccount     Key = "link.account"
)

const (
	EnrolPasskeyIntro  Key = "enrol.passkey-intro"
	EnrolCustomIntro   Key = "enrol.custom-intro"
	PasskeyCancelled   Key = "passkey.cancelled"
	PasskeyFailed      Key = "passkey.failed"
	PasskeyUnsupported Key = "passkey.unsupported"
	PasskeyExists      Key = "passkey.exists"
	PasskeyNoScript    Key = "passkey.no-script"
	RecoveryFile       Key = "recovery.file" // {site}: first line of the text file
	FreshChange        Key = "fresh.change"
	FreshStrong        Key = "fresh.strong"
	ErrorName          Key = "error.name"
	ErrorAddress       Key = "error.address"
	ErrorPhone         Key = "error.phone"
	ErrorNumber        Key = "error.number" // one that gets no messages
	ErrorGone          Key = "error.gone"
	ErrorEnrolExpired  Key = "error.enrol-expired"
	ErrorLastFactor    Key = "error.last-factor"
	ErrorTooMany       Key = "error.too-many"
	ErrorLoginAgain    Key = "error.login-again"
	ErrorFactorFirst   Key = "error.factor-first" // {method}: what a route demands and the account does not have
	ErrorTriesSpent    Key = "error.tries-spent"
	ErrorWeak          Key = "error.weak" // {wait}: until what a recovery code has added is enough
)

// Lengths of time, from [Catalog.Duration].
const (
	DurationSeconds Key = "duration.seconds" // {n}
	DurationMinutes Key = "duration.minutes" // {n}
	DurationHours   Key = "duration.hours"   // {n}
	DurationDays    Key = "duration.days"    // {n}
)
