package texts

// A line never begins with a colon or a question mark: the space before it does not break.
var french = map[Key]string{
	MailCodeSubject: "Votre code pour {site}",
	MailCodeBody: `Votre code pour {site} :

{code}

Il sert une seule fois et reste valable {minutes} {minutes|minute|minutes}. Ne le saisissez que sur {site}.

Nous ne demandons jamais ce code, ni par téléphone, ni par e-mail, ni par messagerie. Si ce n'est pas vous qui l'avez demandé, changez votre mot de passe : quelqu'un d'autre le connaît peut-être.
`,
	SMSCodeBody: `Votre code, valable {minutes} {minutes|minute|minutes}. Ne le donnez à personne.
{code}`,

	NoticeFactorSubject: "La deuxième étape de votre connexion à {site} a changé",
	NoticeFactorAdded: `Une deuxième étape a été ajoutée à votre connexion à {site} : {method}.

Quand : {time}

C'était vous ? Vous n'avez rien à faire. Sinon, changez tout de suite votre mot de passe, supprimez cette étape sur la page de sécurité de votre compte et prévenez l'administrateur de {site}.
`,
	NoticeFactorRemoved: `Une deuxième étape a été supprimée de votre connexion à {site} : {method}.

Quand : {time}

C'était vous ? Vous n'avez rien à faire. Sinon, changez tout de suite votre mot de passe et prévenez l'administrateur de {site}.
`,
	NoticeFactorDisabled: `Une deuxième étape de votre connexion à {site} a été désactivée, car trop de codes faux ont été saisis de suite : {method}.

Quand : {time}

Quelqu'un connaît peut-être votre mot de passe. Changez-le, connectez-vous d'une autre façon et configurez à nouveau cette étape. Si vous ne pouvez pas vous connecter, adressez-vous à l'administrateur de {site}.
`,
	NoticeRecoverySubject: "Un code de secours a été utilisé sur {site}",
	NoticeRecoveryBody: `Un code de secours a été utilisé pour se connecter à votre compte sur {site}.

Quand : {time}
Depuis : {address}

C'était vous ? Rayez ce code de votre liste ; il ne sert plus. Sinon, changez tout de suite votre mot de passe, créez de nouveaux codes de secours et prévenez l'administrateur de {site}.
`,
	NoticeNewDeviceSubject: "Nouvelle connexion à votre compte sur {site}",
	NoticeNewDeviceBody: `Quelqu'un s'est connecté à votre compte sur {site} avec un appareil sur lequel il n'avait jamais été utilisé.

Quand : {time}
Depuis : {address}

C'était vous ? Vous n'avez rien à faire. Sinon, changez tout de suite votre mot de passe et déconnectez-vous partout sur la page de sécurité de votre compte.
`,
	NoticeNewNetworkBody: `Un programme, par exemple une application sur un téléphone, s'est connecté à votre compte sur {site} depuis un réseau d'où aucun ne s'était encore connecté.

Quand : {time}
Depuis : {address}

C'était vous ? Vous n'avez rien à faire. Sinon, changez tout de suite votre mot de passe et déconnectez-vous partout sur la page de sécurité de votre compte.
`,
	NoticeBlockedSubject: "La connexion à votre compte sur {site} est bloquée pour un moment",
	NoticeBlockedBody: `Il y a eu trop d'essais de connexion manqués à votre compte sur {site}. Les nouveaux essais sont refusés pendant {wait} ; ensuite, vous pourrez à nouveau vous connecter.

Quand : {time}
Depuis : {address}

C'était vous ? Attendez, puis réessayez. Sinon, quelqu'un essaie peut-être de deviner : choisissez un nouveau mot de passe, long, que vous n'utilisez nulle part ailleurs.
`,
	NoticePasswordSubject: "Votre mot de passe sur {site} a changé",
	NoticePasswordBody: `Le mot de passe de votre compte sur {site} a été changé, et toutes les autres connexions ont été fermées.

Quand : {time}

C'était vous ? Vous n'avez rien à faire. Sinon, choisissez tout de suite un nouveau mot de passe et prévenez l'administrateur de {site}.
`,
	NoticeDestinationSubject: "Vos codes de {site} arrivent désormais ailleurs",
	NoticeDestinationBody: `Les codes de connexion à votre compte sur {site} sont désormais envoyés à {destination}.

Quand : {time}

C'était vous ? Vous n'avez rien à faire. Sinon, changez tout de suite votre mot de passe et prévenez l'administrateur de {site}.
`,

	TitleLogin:       "Connexion",
	TitleCode:        "Saisissez votre code",
	TitleEnrolProof:  "Montrez d'abord que c'est vous",
	TitleEnrol:       "Configurez votre application d'authentification",
	TitleRecovery:    "Vos codes de secours",
	TitleFresh:       "Confirmez que c'est vous",
	TitleBlocked:     "Attendez quelques minutes",
	TitleError:       "Cela n'a pas fonctionné",
	TitleUnavailable: "Réessayez dans un instant",
	TitleNotFound:    "Page introuvable",
	TitlePage:        "{title} · {brand}",

	LabelUsername:     "Nom d'utilisateur",
	LabelPassword:     "Mot de passe",
	LabelCode:         "Code",
	LabelRecoveryCode: "Code de secours",
	LabelOtherWays:    "Essayer une autre façon",

	ButtonLogIn:        "Se connecter",
	ButtonLogInPasskey: "Se connecter avec une clé d'accès",
	ButtonVerify:       "Vérifier",
	ButtonResend:       "Envoyer un nouveau code",
	ButtonConfirm:      "Confirmer",
	ButtonActivate:     "Activer",
	ButtonCancel:       "Annuler",
	ButtonLogOut:       "Se déconnecter",
	ButtonContinue:     "Je les ai gardés\u00a0: continuer",
	LinkLogin:          "Aller à la page de connexion",
	LinkHome:           "Aller à la page d'accueil",

	MethodPassword: "Mot de passe",
	MethodTOTP:     "Application d'authentification",
	MethodEmail:    "E-mail",
	MethodSMS:      "SMS",
	MethodRecovery: "Code de secours",
	MethodPasskey:  "Clé d'accès",
	MethodCustom:   "Autre code",

	UsePassword: "Utiliser votre mot de passe",
	UseTOTP:     "Utiliser l'application d'authentification",
	UseEmail:    "Envoyer un code par e-mail",
	UseSMS:      "Envoyer un code par SMS",
	UseRecovery: "Utiliser un code de secours",
	UsePasskey:  "Utiliser une clé d'accès",
	UseCustom:   "Utiliser un autre code",

	HintTOTP:     "Ouvrez votre application d'authentification et saisissez le code qu'elle affiche pour ce compte.",
	HintEmail:    "Nous avons envoyé un code à {destination}. S'il n'arrive pas, regardez aussi dans les indésirables.",
	HintSMS:      "Nous avons envoyé un code par SMS au {destination}.",
	HintRecovery: "Saisissez l'un des codes de secours que vous avez gardés. Chacun sert une seule fois.",
	HintPasskey:  "Confirmez avec votre empreinte, votre visage, votre code PIN ou votre clé de sécurité.",
	HintCustom:   "Saisissez le code pour cette connexion.",

	ErrorRefused:         "Le nom d'utilisateur ou le mot de passe n'est pas bon. Vérifiez les deux et réessayez. Après plusieurs échecs, attendez d'abord quelques minutes\u00a0: d'ici là, même le bon mot de passe est refusé.",
	ErrorPasskeyRefused:  "Cette clé d'accès ne peut pas servir ici. Connectez-vous avec votre nom d'utilisateur et votre mot de passe, ou réessayez. Après plusieurs échecs, attendez d'abord quelques minutes\u00a0: d'ici là, même la bonne clé d'accès est refusée.",
	ErrorWrongCode:       "Ce code n'est pas bon. Vérifiez-le et réessayez.",
	ErrorReplayed:        "Ce code a déjà servi. Attendez qu'un nouveau code apparaisse, puis saisissez celui-ci.",
	ErrorMalformed:       "Cela ne peut pas être un code. Saisissez-le exactement comme vous le voyez. Cet essai n'a pas été compté.",
	ErrorNoCode:          "Aucun code n'a encore été envoyé pour cette connexion. Demandez un nouveau code ci-dessous.",
	ErrorNoCodeWait:      "Aucun code n'a encore été envoyé pour cette connexion. Vous pourrez en demander un dans {wait}.",
	ErrorCodeExpired:     "Ce code est trop ancien. Demandez-en un nouveau ci-dessous.",
	ErrorBlockedCode:     "Trop de codes étaient faux\u00a0: aucun n'est accepté pour l'instant. Attendez {wait}, puis connectez-vous à nouveau.",
	ErrorBlockedPassword: "Trop de mots de passe étaient faux\u00a0: aucun n'est accepté pour l'instant. Attendez {wait}, puis réessayez.",
	ErrorCooldown:        "Un nouveau code ne peut pas encore être envoyé. Utilisez le dernier que vous avez reçu, ou redemandez-en un dans {wait}.",
	ErrorSendFailed:      "Le code n'a pas pu être envoyé. Choisissez une autre façon ci-dessous, ou réessayez dans une minute.",
	ErrorSendFailedAlone: "Le code n'a pas pu être envoyé. Réessayez dans une minute. Si cela continue, adressez-vous à votre administrateur.",
	ErrorBusy:            "Beaucoup de personnes se connectent en ce moment. Attendez un peu, puis réessayez.",
	ErrorLoginExpired:    "Cette connexion a duré trop longtemps ou a été arrêtée. Recommencez avec votre mot de passe.",
	ErrorOtherLogin:      "Une connexion plus récente a été commencée dans ce navigateur\u00a0: cette page ne compte plus. Recommencez avec votre mot de passe.",
	ErrorEnded:           "Vous n'êtes plus connecté. Connectez-vous à nouveau pour continuer.",
	ErrorMethod:          "Cette façon n'est pas possible pour cette connexion. Choisissez-en une autre.",
	ErrorNotAllowed:      "Ce n'est pas possible avec cette connexion. Si vous en avez besoin, adressez-vous à votre administrateur.",
	ErrorSession:         "Connectez-vous pour continuer.",
	ErrorCrossSite:       "Le formulaire était trop ancien ou venait d'un autre site\u00a0: rien n'a été fait. Rechargez la page et réessayez.",
	ErrorBadRequest:      "La demande n'a pas pu être lue\u00a0: rien n'a été fait. Revenez en arrière, rechargez la page et réessayez.",
	ErrorNotThisWay:      "Cela se fait par un bouton, pas par son adresse. Revenez à la page où il se trouve.",
	ErrorTooLarge:        "C'était trop long pour une seule fois\u00a0: rien n'a été fait. Revenez en arrière et saisissez moins.",
	ErrorTooManyRequests: "C'était un peu trop rapide. Attendez {wait}, puis réessayez.",
	ErrorUnavailable:     "Quelque chose ne fonctionne pas chez nous\u00a0: rien n'a été fait. Attendez une minute, puis réessayez.",
	ErrorNotFound:        "Il n'y a rien à cette adresse. Vérifiez-la, ou allez à la page d'accueil.",
	ErrorClockOff:        "Le code est bon pour une autre heure\u00a0: l'horloge de votre téléphone est décalée. Réglez-y la date et l'heure sur automatique, puis saisissez le prochain code.",
	ErrorEnrolImpossible: "Votre compte a besoin d'une deuxième étape, mais aucune adresse ni aucun numéro n'est connu pour vous envoyer un code. Adressez-vous à votre administrateur.",
	ErrorPasswordAgain:   "Ce mot de passe n'est pas bon. Vérifiez-le et réessayez. Après plusieurs échecs, attendez d'abord quelques minutes.",

	NoticeFallback:       "La façon habituelle n'a pas marché\u00a0: le code a été envoyé autrement. {method}\u00a0: {destination}.",
	NoticeResendWait:     "Vous pourrez demander un nouveau code dans {wait}.",
	EnrolProofIntro:      "Votre compte a besoin d'une deuxième étape. Avant de la configurer, saisissez le code que nous avons envoyé à {destination}.",
	EnrolProofAdminIntro: "Votre compte a besoin d'une deuxième étape. Avant de la configurer, saisissez le code que votre administrateur vous a donné.",
	EnrolIntro:           "Désormais, vous vous connectez avec votre mot de passe et un code d'une application comme Google Authenticator, Microsoft Authenticator, Authy ou 1Password.",
	EnrolScan:            "Scannez cette image avec l'application.",
	EnrolQRAlt:           "Code QR avec la clé pour votre application d'authentification. La même clé se trouve ci-dessous en texte.",
	EnrolTyped:           "Vous ne pouvez pas la scanner\u00a0? Tapez cette clé dans l'application.",
	EnrolOpen:            "Ouvrir dans une application sur cet appareil",
	EnrolConfirm:         "Saisissez le code que l'application affiche maintenant.",
	RecoveryIntro:        "Chacun de ces codes vous permet de vous connecter une fois si vous n'avez pas votre téléphone. Imprimez cette page ou copiez les codes, et gardez-les en lieu sûr.",
	RecoveryWarning:      "Ils ne sont affichés que maintenant. Les anciens codes de secours ne servent plus.",
	FreshIntro:           "Pour cette page, montrez encore une fois que c'est vous.",
	FreshPassword:        "Saisissez à nouveau votre mot de passe pour continuer.",

	TitleSecurity:         "Sécurité",
	TitleSecurityTOTP:     "Applications d'authentification",
	TitleSecurityPasskey:  "Clés d'accès",
	TitleSecurityEmail:    "Codes par e-mail",
	TitleSecuritySMS:      "Codes par SMS",
	TitleSecurityCustom:   "Autres deuxièmes étapes",
	TitleSecurityRecovery: "Codes de secours",
	TitleSecurityDevices:  "Appareils connus",
	TitleSecuritySessions: "Connexions",
	TitleRemove:           "Supprimer cette deuxième étape ?",
	TitleEnrolPasskey:     "Configurer une clé d'accès",
	TitleEnrolOther:       "Configurer une deuxième étape",

	LabelName:             "Nom (facultatif)",
	LabelAddress:          "Adresse e-mail",
	LabelPhone:            "Numéro de mobile",
	HintName:              "Pour la distinguer des autres, par exemple « téléphone du bureau ».",
	HintPhone:             "Avec l'indicatif du pays, par exemple +33 6 12 34 56 78.",
	SecurityNeeded:        "Votre compte a besoin d'une deuxième étape pour se connecter.",
	SecurityNotNeeded:     "Votre compte peut se connecter avec le seul mot de passe. Une deuxième étape le protège mieux.",
	SecurityMethods:       "À la prochaine connexion, vous pouvez utiliser",
	SecurityFactors:       "Vos deuxièmes étapes",
	SecurityNone:          "Rien n'est encore configuré ici.",
	SecurityOwn:           "Un code peut être envoyé à l'adresse ou au numéro propre à votre compte.",
	SecurityAdded:         "Ajouté le {time}",
	SecurityWeak:          "Ajouté avec un code de secours : ne peut rien supprimer ni modifier avant {time}",
	SecurityDisabled:      "Désactivé après trop de codes faux. Supprimez-le et configurez-le à nouveau, ou adressez-vous à votre administrateur.",
	SecurityAdd:           "Ajouter une deuxième étape",
	SecurityConfirmFirst:  "Avant de changer quoi que ce soit ici, montrez encore une fois que c'est vous.",
	SecurityEndsOthers:    "Vous serez alors déconnecté partout ailleurs.",
	SecurityRemoveIntro:   "Elle ne pourra plus servir à se connecter.",
	SecurityRecoveryIntro: "Un code de secours vous laisse entrer une fois si vous ne pouvez pas utiliser votre autre deuxième étape.",
	SecurityRecoveryLeft:  "Il vous en reste {n}.",
	SecurityRecoveryFew:   "C'est peu. Faites-en de nouveaux avant d'en avoir besoin.",
	SecurityRecoveryNone:  "Ils remplacent une deuxième étape que vous avez configurée vous-même, et il n'y en a pas encore.",
	SecurityRecoveryRenew: "Les codes que vous avez ne marcheront plus, et vous serez déconnecté partout ailleurs.",
	SecurityPreferred:     "Demandé en premier",
	ButtonPrefer:          "Demander en premier",
	LabelTrust:            "Ne pas demander de code sur cet appareil pendant {wait}",
	SecurityTrusted:       "Appareils de confiance",
	SecurityTrustedIntro:  "Sur ces appareils, seul votre mot de passe est demandé.",
	ButtonDistrust:        "Ne plus faire confiance",
	ButtonDistrustAll:     "Ne plus faire confiance à aucun",
	SecurityDevicesIntro:  "Vous vous êtes déjà connecté sur ces appareils. Les essais faux d'un inconnu ne peuvent pas vous y bloquer.",
	SecurityDevicesNone:   "Aucun appareil n'est connu.",
	SecuritySessionsIntro: "Voici où vous êtes connecté maintenant. Une connexion n'est pas de vous ? Déconnectez-la et changez votre mot de passe.",
	SecurityCurrent:       "Cet appareil",
	SecurityAccess:        "Jeton d’accès",
	SecurityDevice:        "Un appareil",
	SecuritySince:         "Depuis le {time}",
	SecurityUsed:          "Utilisé pour la dernière fois le {time}",
	SecurityUntil:         "Jusqu'au {time} au plus tard",
	SecurityFrom:          "Depuis {address}",
	SecurityBy:            "Avec {methods}",

	ButtonAdd:       "Ajouter",
	ButtonRename:    "Changer le nom",
	ButtonRemove:    "Supprimer",
	ButtonNewCodes:  "Créer de nouveaux codes de secours",
	ButtonDownload:  "Enregistrer dans un fichier texte",
	ButtonEnd:       "Déconnecter",
	ButtonEndOthers: "Déconnecter partout ailleurs",
	ButtonEndAll:    "Déconnecter partout, ici aussi",
	ButtonForget:    "Oublier",
	ButtonForgetAll: "Tout oublier",
	ButtonPasskey:   "Créer une clé d'accès",
	LinkSecurity:    "Retour à la sécurité",
	LinkAccount:     "Aller à votre compte",

	EnrolPasskeyIntro:  "Une clé d'accès confirme que c'est vous par empreinte, visage, code PIN ou clé de sécurité. Elle ne marche que sur ce site : personne ne peut vous la soutirer.",
	EnrolCustomIntro:   "Saisissez le code pour activer cette deuxième étape.",
	PasskeyCancelled:   "C'était annulé ou trop long. Réessayez.",
	PasskeyFailed:      "Cela n'a pas marché. Réessayez, ou utilisez un autre moyen.",
	PasskeyUnsupported: "Ce navigateur ne peut pas utiliser de clés d'accès. Utilisez un autre moyen.",
	PasskeyExists:      "Cet appareil a déjà une clé d'accès pour votre compte.",
	PasskeyNoScript:    "Les clés d'accès ont besoin de JavaScript. Activez-le, ou utilisez un autre moyen.",
	RecoveryFile:       "Codes de secours pour {site}. Chacun marche une fois.",
	FreshChange:        "Pour changer votre façon de vous connecter, montrez encore une fois que c'est vous : avec votre mot de passe, et avec votre deuxième étape si vous en avez une.",
	FreshStrong:        "Un code de secours n'y suffit pas.",
	ErrorName:          "Un nom a au plus 64 lettres, sur une ligne.",
	ErrorAddress:       "Ce n'est pas une adresse e-mail. Écrivez-la comme nom@example.com.",
	ErrorPhone:         "Ce n'est pas un numéro avec indicatif. Commencez par + et le pays.",
	ErrorNumber:        "Aucun code n'est envoyé à ce type de numéro. Utilisez un autre numéro.",
	ErrorGone:          "Cela n'existe plus. Voici ce qu'il y a maintenant.",
	ErrorEnrolExpired:  "C'était trop long : rien n'a été configuré. Recommencez.",
	ErrorLastFactor:    "C'est votre dernière deuxième étape, et votre compte en a besoin d'une. Ajoutez-en d'abord une autre.",
	ErrorTooMany:       "Votre compte a autant de deuxièmes étapes que possible. Supprimez-en d'abord une.",
	ErrorLoginAgain:    "Votre connexion est trop ancienne pour ce changement. Déconnectez-vous, reconnectez-vous et revenez dans les cinq minutes.",
	ErrorFactorFirst:   "Ceci demande une deuxième étape que votre compte n'a pas encore : {method}.",
	ErrorTriesSpent:    "Trop de réponses étaient fausses dans cette connexion. Déconnectez-vous et reconnectez-vous.",
	ErrorWeak:          "Ce que vous avez ajouté avec un code de secours n'y suffit pas encore. Cela suffira dans {wait}.",

	DurationSeconds: "{n} {n|seconde|secondes}",
	DurationMinutes: "{n} {n|minute|minutes}",
	DurationHours:   "{n} {n|heure|heures}",
	DurationDays:    "{n} {n|jour|jours}",
}
