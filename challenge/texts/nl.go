package texts

var dutch = map[Key]string{
	MailCodeSubject: "Je code voor {site}",
	MailCodeBody: `Je code voor {site}:

{code}

De code werkt één keer en blijft {minutes} {minutes|minuut|minuten} geldig. Vul hem alleen in op {site}.

Wij vragen nooit om deze code, niet per telefoon, mail of chat. Heb jij hem niet aangevraagd? Wijzig dan je wachtwoord: misschien kent iemand anders het.
`,
	SMSCodeBody: `Je code, {minutes} {minutes|minuut|minuten} geldig. Geef hem aan niemand.
{code}`,

	NoticeFactorSubject: "De tweede stap van je login bij {site} is gewijzigd",
	NoticeFactorAdded: `Aan je login bij {site} is een tweede stap toegevoegd: {method}.

Wanneer: {time}

Was jij dit? Dan hoef je niets te doen. Zo niet: wijzig nu je wachtwoord, verwijder deze stap op de beveiligingspagina van je account en meld het bij de beheerder van {site}.
`,
	NoticeFactorRemoved: `Van je login bij {site} is een tweede stap verwijderd: {method}.

Wanneer: {time}

Was jij dit? Dan hoef je niets te doen. Zo niet: wijzig nu je wachtwoord en meld het bij de beheerder van {site}.
`,
	NoticeFactorDisabled: `Een tweede stap van je login bij {site} is uitgeschakeld, omdat er te vaak achter elkaar een verkeerde code is ingevuld: {method}.

Wanneer: {time}

Misschien kent iemand je wachtwoord. Wijzig het, log op een andere manier in en stel deze stap opnieuw in. Lukt inloggen niet, vraag het dan aan de beheerder van {site}.
`,
	NoticeRecoverySubject: "Er is een herstelcode gebruikt bij {site}",
	NoticeRecoveryBody: `Er is een herstelcode gebruikt om in te loggen op je account bij {site}.

Wanneer: {time}
Vanaf: {address}

Was jij dit? Streep die code dan door op je lijst; hij werkt niet nog eens. Zo niet: wijzig nu je wachtwoord, maak nieuwe herstelcodes en meld het bij de beheerder van {site}.
`,
	NoticeNewDeviceSubject: "Nieuwe login op je account bij {site}",
	NoticeNewDeviceBody: `Iemand heeft op je account bij {site} ingelogd vanaf een apparaat waarop het niet eerder is gebruikt.

Wanneer: {time}
Vanaf: {address}

Was jij dit? Dan hoef je niets te doen. Zo niet: wijzig nu je wachtwoord en log overal uit op de beveiligingspagina van je account.
`,
	NoticeNewNetworkBody: `Een programma, zoals een app op een telefoon, heeft op je account bij {site} ingelogd vanaf een netwerk vanwaar dat niet eerder is gebeurd.

Wanneer: {time}
Vanaf: {address}

Was jij dit? Dan hoef je niets te doen. Zo niet: wijzig nu je wachtwoord en log overal uit op de beveiligingspagina van je account.
`,
	NoticeBlockedSubject: "Inloggen op je account bij {site} is even geblokkeerd",
	NoticeBlockedBody: `Er zijn te veel mislukte pogingen gedaan om in te loggen op je account bij {site}. Nieuwe pogingen worden {wait} lang geweigerd; daarna kun je weer inloggen.

Wanneer: {time}
Vanaf: {address}

Was jij dit? Wacht dan even en probeer het opnieuw. Zo niet, dan is iemand misschien aan het raden: kies een nieuw, lang wachtwoord dat je nergens anders gebruikt.
`,
	NoticePasswordSubject: "Je wachtwoord bij {site} is gewijzigd",
	NoticePasswordBody: `Het wachtwoord van je account bij {site} is gewijzigd en alle andere logins zijn beëindigd.

Wanneer: {time}

Was jij dit? Dan hoef je niets te doen. Zo niet: stel nu een nieuw wachtwoord in en meld het bij de beheerder van {site}.
`,
	NoticeDestinationSubject: "Je codes van {site} gaan nu ergens anders heen",
	NoticeDestinationBody: `Codes om in te loggen op je account bij {site} gaan voortaan naar {destination}.

Wanneer: {time}

Was jij dit? Dan hoef je niets te doen. Zo niet: wijzig nu je wachtwoord en meld het bij de beheerder van {site}.
`,

	TitleLogin:       "Inloggen",
	TitleCode:        "Vul je code in",
	TitleEnrolProof:  "Laat eerst zien dat jij het bent",
	TitleEnrol:       "Stel je authenticator-app in",
	TitleRecovery:    "Je herstelcodes",
	TitleFresh:       "Bevestig dat jij het bent",
	TitleBlocked:     "Wacht een paar minuten",
	TitleError:       "Dat is niet gelukt",
	TitleUnavailable: "Probeer het zo nog eens",
	TitleNotFound:    "Pagina niet gevonden",
	TitlePage:        "{title} · {brand}",

	LabelUsername:     "Gebruikersnaam",
	LabelPassword:     "Wachtwoord",
	LabelCode:         "Code",
	LabelRecoveryCode: "Herstelcode",
	LabelOtherWays:    "Probeer een andere manier",

	ButtonLogIn:        "Inloggen",
	ButtonLogInPasskey: "Inloggen met een passkey",
	ButtonVerify:       "Controleren",
	ButtonResend:       "Stuur een nieuwe code",
	ButtonConfirm:      "Bevestigen",
	ButtonActivate:     "Inschakelen",
	ButtonCancel:       "Annuleren",
	ButtonLogOut:       "Uitloggen",
	ButtonContinue:     "Ik heb ze bewaard: verder",
	LinkLogin:          "Naar de inlogpagina",
	LinkHome:           "Naar de startpagina",

	MethodPassword: "Wachtwoord",
	MethodTOTP:     "Authenticator-app",
	MethodEmail:    "E-mail",
	MethodSMS:      "Sms",
	MethodRecovery: "Herstelcode",
	MethodPasskey:  "Passkey",
	MethodCustom:   "Andere code",

	UsePassword: "Gebruik je wachtwoord",
	UseTOTP:     "Gebruik de authenticator-app",
	UseEmail:    "Stuur een code per e-mail",
	UseSMS:      "Stuur een code per sms",
	UseRecovery: "Gebruik een herstelcode",
	UsePasskey:  "Gebruik een passkey",
	UseCustom:   "Gebruik een andere code",

	HintTOTP:     "Open je authenticator-app en vul de code in die daar bij dit account staat.",
	HintEmail:    "We hebben een code gestuurd naar {destination}. Kijk ook bij de spam als hij niet aankomt.",
	HintSMS:      "We hebben een code per sms gestuurd naar {destination}.",
	HintRecovery: "Vul een van de herstelcodes in die je hebt bewaard. Elke code werkt één keer.",
	HintPasskey:  "Bevestig met je vingerafdruk, gezicht, pincode of beveiligingssleutel.",
	HintCustom:   "Vul de code voor deze login in.",

	ErrorRefused:         "De gebruikersnaam of het wachtwoord klopt niet. Controleer beide en probeer het opnieuw. Is het vaker mislukt, wacht dan eerst een paar minuten: tot dan wordt ook het juiste wachtwoord geweigerd.",
	ErrorPasskeyRefused:  "Deze passkey kan hier niet worden gebruikt. Log in met je gebruikersnaam en wachtwoord, of probeer het opnieuw. Is het vaker mislukt, wacht dan eerst een paar minuten: tot dan wordt ook de juiste passkey geweigerd.",
	ErrorWrongCode:       "Die code klopt niet. Controleer hem en probeer het opnieuw.",
	ErrorReplayed:        "Die code is al gebruikt. Wacht tot er een nieuwe verschijnt en vul die in.",
	ErrorMalformed:       "Dat kan geen code zijn. Vul hem precies zo in als hij er staat. Dit telde niet als poging.",
	ErrorNoCode:          "Voor deze login is nog geen code gestuurd. Vraag hieronder een nieuwe code aan.",
	ErrorNoCodeWait:      "Voor deze login is nog geen code gestuurd. Over {wait} kun je er een laten sturen.",
	ErrorCodeExpired:     "Die code is te oud. Vraag hieronder een nieuwe aan.",
	ErrorBlockedCode:     "Er waren te veel verkeerde codes, dus nu wordt geen code geaccepteerd. Wacht {wait} en log dan opnieuw in.",
	ErrorBlockedPassword: "Er waren te veel verkeerde wachtwoorden, dus nu wordt er geen geaccepteerd. Wacht {wait} en probeer het dan opnieuw.",
	ErrorCooldown:        "Er kan nog geen nieuwe code worden gestuurd. Gebruik de laatste die je hebt ontvangen, of vraag over {wait} een nieuwe aan.",
	ErrorSendFailed:      "De code kon niet worden verstuurd. Kies hieronder een andere manier, of probeer het over een minuut nog eens.",
	ErrorSendFailedAlone: "De code kon niet worden verstuurd. Probeer het over een minuut nog eens. Blijft het mislukken, vraag het dan aan je beheerder.",
	ErrorBusy:            "Er loggen nu veel mensen tegelijk in. Wacht even en probeer het opnieuw.",
	ErrorLoginExpired:    "Deze login duurde te lang of is beëindigd. Begin opnieuw met je wachtwoord.",
	ErrorOtherLogin:      "In deze browser is een nieuwere login begonnen, dus deze pagina telt niet meer. Begin opnieuw met je wachtwoord.",
	ErrorEnded:           "Je bent niet meer ingelogd. Log opnieuw in om verder te gaan.",
	ErrorMethod:          "Die manier kan bij deze login niet. Kies een andere.",
	ErrorNotAllowed:      "Dat kan niet met deze login. Heb je het toch nodig, vraag het dan aan je beheerder.",
	ErrorSession:         "Log in om verder te gaan.",
	ErrorCrossSite:       "Het formulier was te oud of kwam van een andere site, dus er is niets gedaan. Laad de pagina opnieuw en probeer het nog eens.",
	ErrorBadRequest:      "De aanvraag was niet te lezen, dus er is niets gedaan. Ga terug, laad de pagina opnieuw en probeer het nog eens.",
	ErrorNotThisWay:      "Dit gaat met een knop, niet via het adres. Ga terug naar de pagina waar die op staat.",
	ErrorTooLarge:        "Dat was meer dan er in één keer kan, dus er is niets gedaan. Ga terug en vul minder in.",
	ErrorTooManyRequests: "Dat ging wat te snel. Wacht {wait} en probeer het dan opnieuw.",
	ErrorUnavailable:     "Aan onze kant werkt iets niet, dus er is niets gedaan. Wacht een minuut en probeer het opnieuw.",
	ErrorNotFound:        "Op dit adres staat niets. Controleer het, of ga naar de startpagina.",
	ErrorClockOff:        "De code klopt voor een andere tijd: de klok van je telefoon loopt niet goed. Zet datum en tijd op de telefoon op automatisch en vul daarna de volgende code in.",
	ErrorEnrolImpossible: "Je account heeft een tweede stap nodig, maar er is geen adres of telefoonnummer bekend waar we een code heen kunnen sturen. Vraag het aan je beheerder.",
	ErrorPasswordAgain:   "Dat wachtwoord klopt niet. Controleer het en probeer het opnieuw. Is het vaker mislukt, wacht dan eerst een paar minuten.",

	NoticeFallback:       "De gewone manier lukte niet, dus de code is anders verstuurd. {method}: {destination}.",
	NoticeResendWait:     "Over {wait} kun je een nieuwe code aanvragen.",
	EnrolProofIntro:      "Je account heeft een tweede stap nodig. Vul eerst de code in die we hebben gestuurd naar {destination}.",
	EnrolProofAdminIntro: "Je account heeft een tweede stap nodig. Vul eerst de code in die je van je beheerder hebt gekregen.",
	EnrolIntro:           "Voortaan log je in met je wachtwoord en een code uit een app zoals Google Authenticator, Microsoft Authenticator, Authy of 1Password.",
	EnrolScan:            "Scan deze afbeelding met de app.",
	EnrolQRAlt:           "QR-code met de sleutel voor je authenticator-app. Dezelfde sleutel staat hieronder als tekst.",
	EnrolTyped:           "Kun je hem niet scannen? Typ dan deze sleutel in de app.",
	EnrolOpen:            "Openen in een app op dit apparaat",
	EnrolConfirm:         "Vul de code in die de app nu toont.",
	RecoveryIntro:        "Met elk van deze codes kun je één keer inloggen als je je telefoon niet bij je hebt. Druk deze pagina af of neem de codes over, en bewaar ze op een veilige plek.",
	RecoveryWarning:      "Ze worden alleen nu getoond. Oudere herstelcodes werken niet meer.",
	FreshIntro:           "Voor deze pagina moet je nog eens laten zien dat jij het bent.",
	FreshPassword:        "Vul je wachtwoord opnieuw in om verder te gaan.",

	TitleSecurity:         "Beveiliging",
	TitleSecurityTOTP:     "Authenticator-apps",
	TitleSecurityPasskey:  "Passkeys",
	TitleSecurityEmail:    "Codes per e-mail",
	TitleSecuritySMS:      "Codes per sms",
	TitleSecurityCustom:   "Andere tweede stappen",
	TitleSecurityRecovery: "Herstelcodes",
	TitleSecurityDevices:  "Bekende apparaten",
	TitleSecuritySessions: "Logins",
	TitleRemove:           "Deze tweede stap verwijderen?",
	TitleEnrolPasskey:     "Stel een passkey in",
	TitleEnrolOther:       "Stel een tweede stap in",

	LabelName:             "Naam (niet verplicht)",
	LabelAddress:          "E-mailadres",
	LabelPhone:            "Mobiel nummer",
	HintName:              "Zodat je hem van andere kunt onderscheiden, zoals “werktelefoon”.",
	HintPhone:             "Met landcode, zoals +31 6 12345678.",
	SecurityNeeded:        "Je account heeft een tweede stap nodig om in te loggen.",
	SecurityNotNeeded:     "Je account kan met alleen het wachtwoord inloggen. Met een tweede stap is het veiliger.",
	SecurityMethods:       "Bij de volgende login kun je gebruiken",
	SecurityFactors:       "Je tweede stappen",
	SecurityNone:          "Hier is nog niets ingesteld.",
	SecurityOwn:           "Een code kan gaan naar het adres of nummer dat bij je account hoort.",
	SecurityAdded:         "Toegevoegd {time}",
	SecurityWeak:          "Met een herstelcode toegevoegd: kan niets verwijderen of wijzigen vóór {time}",
	SecurityDisabled:      "Uitgeschakeld na te veel verkeerde codes. Verwijder hem en stel hem opnieuw in, of vraag het aan je beheerder.",
	SecurityAdd:           "Voeg een tweede stap toe",
	SecurityConfirmFirst:  "Laat eerst nog eens zien dat jij het bent voordat je hier iets verandert.",
	SecurityEndsOthers:    "Je wordt dan overal elders uitgelogd.",
	SecurityRemoveIntro:   "Daarna kun je er niet meer mee inloggen.",
	SecurityRecoveryIntro: "Met een herstelcode kun je één keer inloggen als je je andere tweede stap niet kunt gebruiken.",
	SecurityRecoveryLeft:  "Je hebt er nog {n}.",
	SecurityRecoveryFew:   "Dat zijn er niet veel. Maak nieuwe voordat je ze nodig hebt.",
	SecurityRecoveryNone:  "Ze komen in de plaats van een tweede stap die je zelf hebt ingesteld, en die is er nog niet.",
	SecurityRecoveryRenew: "De codes die je hebt werken dan niet meer, en je wordt overal elders uitgelogd.",
	SecurityPreferred:     "Wordt als eerste gevraagd",
	ButtonPrefer:          "Hier als eerste om vragen",
	LabelTrust:            "Vraag op dit apparaat {wait} niet om een code",
	SecurityTrusted:       "Vertrouwde apparaten",
	SecurityTrustedIntro:  "Op deze apparaten wordt alleen om je wachtwoord gevraagd.",
	ButtonDistrust:        "Niet meer vertrouwen",
	ButtonDistrustAll:     "Geen enkel meer vertrouwen",
	SecurityDevicesIntro:  "Op deze apparaten heb je eerder ingelogd. Daar kunnen verkeerde pogingen van een ander je niet buitensluiten.",
	SecurityDevicesNone:   "Er is geen apparaat bekend.",
	SecuritySessionsIntro: "Hier ben je nu ingelogd. Zie je er een die jij niet bent? Log hem uit en verander je wachtwoord.",
	SecurityCurrent:       "Dit apparaat",
	SecurityAccess:        "Toegangstoken",
	SecurityDevice:        "Een apparaat",
	SecuritySince:         "Sinds {time}",
	SecurityUsed:          "Laatst gebruikt {time}",
	SecurityUntil:         "Uiterlijk tot {time}",
	SecurityFrom:          "Vanaf {address}",
	SecurityBy:            "Met {methods}",

	ButtonAdd:       "Toevoegen",
	ButtonRename:    "Naam wijzigen",
	ButtonRemove:    "Verwijderen",
	ButtonNewCodes:  "Nieuwe herstelcodes maken",
	ButtonDownload:  "Als tekstbestand opslaan",
	ButtonEnd:       "Daar uitloggen",
	ButtonEndOthers: "Overal elders uitloggen",
	ButtonEndAll:    "Overal uitloggen, ook hier",
	ButtonForget:    "Vergeten",
	ButtonForgetAll: "Alle vergeten",
	ButtonPasskey:   "Maak een passkey",
	LinkSecurity:    "Terug naar beveiliging",
	LinkAccount:     "Naar je account",

	EnrolPasskeyIntro:  "Met een passkey bevestig je met vingerafdruk, gezicht, pincode of beveiligingssleutel dat jij het bent. Hij werkt alleen op deze site, dus niemand kan hem je aftroggelen.",
	EnrolCustomIntro:   "Vul de code in om deze tweede stap in te schakelen.",
	PasskeyCancelled:   "Dat is geannuleerd of duurde te lang. Probeer het opnieuw.",
	PasskeyFailed:      "Dat is niet gelukt. Probeer het opnieuw, of gebruik een andere manier.",
	PasskeyUnsupported: "Deze browser kan geen passkeys gebruiken. Gebruik een andere manier.",
	PasskeyExists:      "Dit apparaat heeft al een passkey voor je account.",
	PasskeyNoScript:    "Passkeys hebben JavaScript nodig. Zet het aan, of gebruik een andere manier.",
	RecoveryFile:       "Herstelcodes voor {site}. Elke code werkt één keer.",
	FreshChange:        "Om te veranderen hoe je inlogt moet je nog eens laten zien dat jij het bent: met je wachtwoord, en met je tweede stap als je die hebt.",
	FreshStrong:        "Een herstelcode is hiervoor niet genoeg.",
	ErrorName:          "Een naam is hooguit 64 letters, op één regel.",
	ErrorAddress:       "Dat is geen e-mailadres. Schrijf het als naam@example.com.",
	ErrorPhone:         "Dat is geen nummer met landcode. Begin met + en het land.",
	ErrorNumber:        "Naar zulke nummers sturen wij geen codes. Gebruik een ander nummer.",
	ErrorGone:          "Dat is er niet meer. Dit is wat er nu is.",
	ErrorEnrolExpired:  "Dat duurde te lang, dus er is niets ingesteld. Begin opnieuw.",
	ErrorLastFactor:    "Dit is je laatste tweede stap, en je account heeft er een nodig. Voeg eerst een andere toe.",
	ErrorTooMany:       "Je account heeft al zoveel tweede stappen als kan. Verwijder er eerst een.",
	ErrorLoginAgain:    "Je login is te oud voor deze wijziging. Log uit, log opnieuw in en kom binnen vijf minuten terug.",
	ErrorFactorFirst:   "Dit vraagt om een tweede stap die je account nog niet heeft: {method}.",
	ErrorTriesSpent:    "In deze login waren te veel antwoorden fout. Log uit en log opnieuw in.",
	ErrorWeak:          "Wat je met een herstelcode hebt toegevoegd, is hiervoor nog niet genoeg. Over {wait} wel.",

	DurationSeconds: "{n} {n|seconde|seconden}",
	DurationMinutes: "{n} {n|minuut|minuten}",
	DurationHours:   "{n} uur",
	DurationDays:    "{n} {n|dag|dagen}",
}
