package texts

var spanish = map[Key]string{
	MailCodeSubject: "Su código para {site}",
	MailCodeBody: `Su código para {site}:

{code}

Sirve una sola vez y vale durante {minutes} {minutes|minuto|minutos}. Introdúzcalo solo en {site}.

Nunca pedimos este código, ni por teléfono, ni por correo, ni por chat. Si no lo ha pedido usted, cambie su contraseña: es posible que otra persona la conozca.
`,
	// Without accents: most of them would double the price of the SMS.
	SMSCodeBody: `Su clave vale {minutes} {minutes|minuto|minutos}. No la comparta con nadie.
{code}`,

	NoticeFactorSubject: "Ha cambiado el segundo paso de su inicio de sesión en {site}",
	NoticeFactorAdded: `Se ha añadido un segundo paso a su inicio de sesión en {site}: {method}.

Cuándo: {time}

¿Ha sido usted? Entonces no tiene que hacer nada. Si no, cambie ahora su contraseña, elimine este paso en la página de seguridad de su cuenta y avise al administrador de {site}.
`,
	NoticeFactorRemoved: `Se ha eliminado un segundo paso de su inicio de sesión en {site}: {method}.

Cuándo: {time}

¿Ha sido usted? Entonces no tiene que hacer nada. Si no, cambie ahora su contraseña y avise al administrador de {site}.
`,
	NoticeFactorDisabled: `Se ha desactivado un segundo paso de su inicio de sesión en {site}, porque se han introducido demasiados códigos erróneos seguidos: {method}.

Cuándo: {time}

Es posible que alguien conozca su contraseña. Cámbiela, inicie sesión de otra manera y vuelva a configurar este paso. Si no puede iniciar sesión, consulte al administrador de {site}.
`,
	NoticeRecoverySubject: "Se ha usado un código de recuperación en {site}",
	NoticeRecoveryBody: `Se ha usado un código de recuperación para iniciar sesión en su cuenta de {site}.

Cuándo: {time}
Desde: {address}

¿Ha sido usted? Entonces tache ese código de su lista; ya no sirve. Si no, cambie ahora su contraseña, cree nuevos códigos de recuperación y avise al administrador de {site}.
`,
	NoticeNewDeviceSubject: "Nuevo inicio de sesión en su cuenta de {site}",
	NoticeNewDeviceBody: `Alguien ha iniciado sesión en su cuenta de {site} con un dispositivo en el que no se había usado antes.

Cuándo: {time}
Desde: {address}

¿Ha sido usted? Entonces no tiene que hacer nada. Si no, cambie ahora su contraseña y cierre todas las sesiones en la página de seguridad de su cuenta.
`,
	NoticeNewNetworkBody: `Un programa, como una aplicación en un teléfono, ha iniciado sesión en su cuenta de {site} desde una red desde la que ninguno lo había hecho antes.

Cuándo: {time}
Desde: {address}

¿Ha sido usted? Entonces no tiene que hacer nada. Si no, cambie ahora su contraseña y cierre todas las sesiones en la página de seguridad de su cuenta.
`,
	NoticeBlockedSubject: "El inicio de sesión en su cuenta de {site} está bloqueado por un rato",
	NoticeBlockedBody: `Ha habido demasiados intentos fallidos de iniciar sesión en su cuenta de {site}. Se rechazarán nuevos intentos durante {wait}; después podrá volver a iniciar sesión.

Cuándo: {time}
Desde: {address}

¿Ha sido usted? Entonces espere y vuelva a intentarlo. Si no, es posible que alguien esté adivinando: elija una contraseña nueva y larga que no use en ningún otro sitio.
`,
	NoticePasswordSubject: "Su contraseña de {site} ha cambiado",
	NoticePasswordBody: `Se ha cambiado la contraseña de su cuenta de {site} y se han cerrado todas las demás sesiones.

Cuándo: {time}

¿Ha sido usted? Entonces no tiene que hacer nada. Si no, establezca ahora una contraseña nueva y avise al administrador de {site}.
`,
	NoticeDestinationSubject: "Sus códigos de {site} se envían ahora a otro lugar",
	NoticeDestinationBody: `Los códigos para iniciar sesión en su cuenta de {site} se envían ahora a {destination}.

Cuándo: {time}

¿Ha sido usted? Entonces no tiene que hacer nada. Si no, cambie ahora su contraseña y avise al administrador de {site}.
`,

	TitleLogin:       "Iniciar sesión",
	TitleCode:        "Introduzca su código",
	TitleEnrolProof:  "Primero demuestre que es usted",
	TitleEnrol:       "Configure su aplicación de autenticación",
	TitleRecovery:    "Sus códigos de recuperación",
	TitleFresh:       "Confirme que es usted",
	TitleBlocked:     "Espere unos minutos",
	TitleError:       "No ha funcionado",
	TitleUnavailable: "Vuelva a intentarlo en un momento",
	TitleNotFound:    "Página no encontrada",
	TitlePage:        "{title} · {brand}",

	LabelUsername:     "Nombre de usuario",
	LabelPassword:     "Contraseña",
	LabelCode:         "Código",
	LabelRecoveryCode: "Código de recuperación",
	LabelOtherWays:    "Probar de otra manera",

	ButtonLogIn:        "Iniciar sesión",
	ButtonLogInPasskey: "Iniciar sesión con una llave de acceso",
	ButtonVerify:       "Comprobar",
	ButtonResend:       "Enviar un código nuevo",
	ButtonConfirm:      "Confirmar",
	ButtonActivate:     "Activar",
	ButtonCancel:       "Cancelar",
	ButtonLogOut:       "Cerrar sesión",
	ButtonContinue:     "Los he guardado: continuar",
	LinkLogin:          "Ir a la página de inicio de sesión",
	LinkHome:           "Ir a la página principal",

	MethodPassword: "Contraseña",
	MethodTOTP:     "Aplicación de autenticación",
	MethodEmail:    "Correo electrónico",
	MethodSMS:      "SMS",
	MethodRecovery: "Código de recuperación",
	MethodPasskey:  "Llave de acceso",
	MethodCustom:   "Otro código",

	UsePassword: "Usar su contraseña",
	UseTOTP:     "Usar la aplicación de autenticación",
	UseEmail:    "Enviar un código por correo electrónico",
	UseSMS:      "Enviar un código por SMS",
	UseRecovery: "Usar un código de recuperación",
	UsePasskey:  "Usar una llave de acceso",
	UseCustom:   "Usar otro código",

	HintTOTP:     "Abra su aplicación de autenticación e introduzca el código que muestra para esta cuenta.",
	HintEmail:    "Hemos enviado un código a {destination}. Si no llega, mire también en el correo no deseado.",
	HintSMS:      "Hemos enviado un código por SMS al {destination}.",
	HintRecovery: "Introduzca uno de los códigos de recuperación que guardó. Cada uno sirve una sola vez.",
	HintPasskey:  "Confirme con su huella, su rostro, su PIN o su llave de seguridad.",
	HintCustom:   "Introduzca el código para este inicio de sesión.",

	ErrorRefused:         "El nombre de usuario o la contraseña no es correcto. Compruebe ambos y vuelva a intentarlo. Después de varios fallos, espere antes unos minutos: hasta entonces se rechaza incluso la contraseña correcta.",
	ErrorPasskeyRefused:  "Esta llave de acceso no se puede usar aquí. Inicie sesión con su nombre de usuario y contraseña, o vuelva a intentarlo. Después de varios fallos, espere antes unos minutos: hasta entonces se rechaza incluso la llave correcta.",
	ErrorWrongCode:       "Ese código no es correcto. Compruébelo y vuelva a intentarlo.",
	ErrorReplayed:        "Ese código ya se ha usado. Espere a que aparezca uno nuevo e introdúzcalo.",
	ErrorMalformed:       "Eso no puede ser un código. Introdúzcalo tal como lo ve. Esto no ha contado como intento.",
	ErrorNoCode:          "Todavía no se ha enviado ningún código para este inicio de sesión. Pida un código nuevo más abajo.",
	ErrorNoCodeWait:      "Todavía no se ha enviado ningún código para este inicio de sesión. Podrá pedir uno dentro de {wait}.",
	ErrorCodeExpired:     "Ese código es demasiado antiguo. Pida uno nuevo más abajo.",
	ErrorBlockedCode:     "Demasiados códigos eran erróneos, así que ahora no se acepta ninguno. Espere {wait} y vuelva a iniciar sesión.",
	ErrorBlockedPassword: "Demasiadas contraseñas eran erróneas, así que ahora no se acepta ninguna. Espere {wait} y vuelva a intentarlo.",
	ErrorCooldown:        "Todavía no se puede enviar un código nuevo. Use el último que haya recibido, o pida otro dentro de {wait}.",
	ErrorSendFailed:      "No se ha podido enviar el código. Elija otra manera más abajo, o vuelva a intentarlo en un minuto.",
	ErrorSendFailedAlone: "No se ha podido enviar el código. Vuelva a intentarlo en un minuto. Si sigue fallando, consulte a su administrador.",
	ErrorBusy:            "Muchas personas están iniciando sesión en este momento. Espere un poco y vuelva a intentarlo.",
	ErrorLoginExpired:    "Este inicio de sesión ha tardado demasiado o se ha terminado. Empiece de nuevo con su contraseña.",
	ErrorOtherLogin:      "En este navegador se ha empezado un inicio de sesión más reciente, así que esta página ya no cuenta. Empiece de nuevo con su contraseña.",
	ErrorEnded:           "Su sesión ha terminado. Vuelva a iniciar sesión para continuar.",
	ErrorMethod:          "Esa manera no está disponible para este inicio de sesión. Elija otra.",
	ErrorNotAllowed:      "Eso no es posible con esta sesión. Si lo necesita, consulte a su administrador.",
	ErrorSession:         "Inicie sesión para continuar.",
	ErrorCrossSite:       "El formulario era demasiado antiguo o venía de otro sitio, así que no se ha hecho nada. Recargue la página y vuelva a intentarlo.",
	ErrorBadRequest:      "No se ha podido leer la petición, así que no se ha hecho nada. Vuelva atrás, recargue la página e inténtelo otra vez.",
	ErrorNotThisWay:      "Esto se hace con un botón, no por su dirección. Vuelva a la página donde está.",
	ErrorTooLarge:        "Eso era demasiado para una sola vez, así que no se ha hecho nada. Vuelva atrás e introduzca menos.",
	ErrorTooManyRequests: "Ha ido un poco rápido. Espere {wait} y vuelva a intentarlo.",
	ErrorUnavailable:     "Algo no funciona por nuestra parte, así que no se ha hecho nada. Espere un minuto y vuelva a intentarlo.",
	ErrorNotFound:        "No hay nada en esta dirección. Compruébela o vaya a la página principal.",
	ErrorClockOff:        "El código es correcto para otra hora: el reloj de su teléfono no va bien. Ponga allí la fecha y la hora en automático e introduzca después el siguiente código.",
	ErrorEnrolImpossible: "Su cuenta necesita un segundo paso, pero no se conoce ninguna dirección ni ningún teléfono al que enviarle un código. Consulte a su administrador.",
	ErrorPasswordAgain:   "Esa contraseña no es correcta. Compruébela y vuelva a intentarlo. Después de varios fallos, espere antes unos minutos.",

	NoticeFallback:       "De la manera habitual no ha sido posible, así que el código se ha enviado de otra. {method}: {destination}.",
	NoticeResendWait:     "Podrá pedir un código nuevo dentro de {wait}.",
	EnrolProofIntro:      "Su cuenta necesita un segundo paso. Antes de configurarlo, introduzca el código que hemos enviado a {destination}.",
	EnrolProofAdminIntro: "Su cuenta necesita un segundo paso. Antes de configurarlo, introduzca el código que le ha dado su administrador.",
	EnrolIntro:           "A partir de ahora iniciará sesión con su contraseña y un código de una aplicación como Google Authenticator, Microsoft Authenticator, Authy o 1Password.",
	EnrolScan:            "Escanee esta imagen con la aplicación.",
	EnrolQRAlt:           "Código QR con la clave para su aplicación de autenticación. La misma clave está más abajo como texto.",
	EnrolTyped:           "¿No puede escanearla? Escriba esta clave en la aplicación.",
	EnrolOpen:            "Abrir en una aplicación de este dispositivo",
	EnrolConfirm:         "Introduzca el código que la aplicación muestra ahora.",
	RecoveryIntro:        "Cada uno de estos códigos le permite iniciar sesión una vez si no tiene su teléfono. Imprima esta página o copie los códigos, y guárdelos en un lugar seguro.",
	RecoveryWarning:      "Solo se muestran ahora. Los códigos de recuperación anteriores ya no sirven.",
	FreshIntro:           "Para esta página tiene que demostrar una vez más que es usted.",
	FreshPassword:        "Introduzca su contraseña otra vez para continuar.",

	TitleSecurity:         "Seguridad",
	TitleSecurityTOTP:     "Aplicaciones de autenticación",
	TitleSecurityPasskey:  "Llaves de acceso",
	TitleSecurityEmail:    "Códigos por correo",
	TitleSecuritySMS:      "Códigos por SMS",
	TitleSecurityCustom:   "Otros segundos pasos",
	TitleSecurityRecovery: "Códigos de recuperación",
	TitleSecurityDevices:  "Dispositivos conocidos",
	TitleSecuritySessions: "Sesiones",
	TitleRemove:           "¿Quitar este segundo paso?",
	TitleEnrolPasskey:     "Configure una llave de acceso",
	TitleEnrolOther:       "Configure un segundo paso",

	LabelName:             "Nombre (opcional)",
	LabelAddress:          "Dirección de correo",
	LabelPhone:            "Número de móvil",
	HintName:              "Para distinguirlo de otros, por ejemplo «móvil del trabajo».",
	HintPhone:             "Con el prefijo del país, por ejemplo +34 612 345 678.",
	SecurityNeeded:        "Su cuenta necesita un segundo paso para iniciar sesión.",
	SecurityNotNeeded:     "Su cuenta puede iniciar sesión solo con la contraseña. Un segundo paso la protege mejor.",
	SecurityMethods:       "En el próximo inicio de sesión puede usar",
	SecurityFactors:       "Sus segundos pasos",
	SecurityNone:          "Aquí todavía no hay nada configurado.",
	SecurityOwn:           "Un código puede enviarse a la dirección o al número propios de su cuenta.",
	SecurityAdded:         "Añadido el {time}",
	SecurityWeak:          "Añadido con un código de recuperación: no puede quitar ni cambiar nada antes de {time}",
	SecurityDisabled:      "Desactivado tras demasiados códigos incorrectos. Quítelo y configúrelo de nuevo, o consulte a su administrador.",
	SecurityAdd:           "Añadir un segundo paso",
	SecurityConfirmFirst:  "Antes de cambiar algo aquí, demuestre una vez más que es usted.",
	SecurityEndsOthers:    "Después se cerrará su sesión en todos los demás sitios.",
	SecurityRemoveIntro:   "Después ya no servirá para iniciar sesión.",
	SecurityRecoveryIntro: "Un código de recuperación le deja entrar una vez cuando no puede usar su otro segundo paso.",
	SecurityRecoveryLeft:  "Le quedan {n}.",
	SecurityRecoveryFew:   "Son pocos. Cree otros nuevos antes de que le hagan falta.",
	SecurityRecoveryNone:  "Sustituyen a un segundo paso que haya configurado usted, y todavía no hay ninguno.",
	SecurityRecoveryRenew: "Los códigos que tiene dejarán de funcionar y se cerrará su sesión en todos los demás sitios.",
	SecurityPreferred:     "Se pide primero",
	ButtonPrefer:          "Pedir esto primero",
	LabelTrust:            "No pedir un código en este dispositivo durante {wait}",
	SecurityTrusted:       "Dispositivos de confianza",
	SecurityTrustedIntro:  "En estos dispositivos solo se le pide la contraseña.",
	ButtonDistrust:        "Dejar de confiar",
	ButtonDistrustAll:     "Dejar de confiar en todos",
	SecurityDevicesIntro:  "Ya ha iniciado sesión en estos dispositivos. En ellos, los intentos fallidos de un extraño no pueden bloquearle.",
	SecurityDevicesNone:   "No se conoce ningún dispositivo.",
	SecuritySessionsIntro: "Aquí tiene la sesión abierta ahora. ¿Ve una que no es suya? Ciérrela y cambie su contraseña.",
	SecurityCurrent:       "Este dispositivo",
	SecurityAccess:        "Token de acceso",
	SecurityDevice:        "Un dispositivo",
	SecuritySince:         "Desde el {time}",
	SecurityUsed:          "Usado por última vez el {time}",
	SecurityUntil:         "Como máximo hasta el {time}",
	SecurityFrom:          "Desde {address}",
	SecurityBy:            "Con {methods}",

	ButtonAdd:       "Añadir",
	ButtonRename:    "Cambiar el nombre",
	ButtonRemove:    "Quitar",
	ButtonNewCodes:  "Crear nuevos códigos de recuperación",
	ButtonDownload:  "Guardar como archivo de texto",
	ButtonEnd:       "Cerrar esa sesión",
	ButtonEndOthers: "Cerrar las demás sesiones",
	ButtonEndAll:    "Cerrar todas las sesiones, también esta",
	ButtonForget:    "Olvidar",
	ButtonForgetAll: "Olvidar todos",
	ButtonPasskey:   "Crear una llave de acceso",
	LinkSecurity:    "Volver a seguridad",
	LinkAccount:     "Ir a su cuenta",

	EnrolPasskeyIntro:  "Una llave de acceso confirma que es usted con su huella, su cara, un PIN o una llave de seguridad. Solo funciona en este sitio, así que nadie puede sonsacársela.",
	EnrolCustomIntro:   "Introduzca el código para activar este segundo paso.",
	PasskeyCancelled:   "Se canceló o tardó demasiado. Inténtelo de nuevo.",
	PasskeyFailed:      "No ha funcionado. Inténtelo de nuevo o use otra forma.",
	PasskeyUnsupported: "Este navegador no puede usar llaves de acceso. Use otra forma.",
	PasskeyExists:      "Este dispositivo ya tiene una llave de acceso para su cuenta.",
	PasskeyNoScript:    "Las llaves de acceso necesitan JavaScript. Actívelo o use otra forma.",
	RecoveryFile:       "Códigos de recuperación de {site}. Cada uno sirve una vez.",
	FreshChange:        "Para cambiar cómo inicia sesión, demuestre una vez más que es usted: con su contraseña y, si tiene, con su segundo paso.",
	FreshStrong:        "Un código de recuperación no basta para esto.",
	ErrorName:          "Un nombre tiene como máximo 64 letras, en una línea.",
	ErrorAddress:       "Eso no es una dirección de correo. Escríbala como nombre@example.com.",
	ErrorPhone:         "Eso no es un número con prefijo. Empiece por + y el país.",
	ErrorNumber:        "No se envían códigos a números como este. Use otro número.",
	ErrorGone:          "Eso ya no está. Esto es lo que hay ahora.",
	ErrorEnrolExpired:  "Tardó demasiado, así que no se ha configurado nada. Empiece de nuevo.",
	ErrorLastFactor:    "Es su último segundo paso y su cuenta necesita uno. Añada antes otro.",
	ErrorTooMany:       "Su cuenta ya tiene todos los segundos pasos que puede tener. Quite antes uno.",
	ErrorLoginAgain:    "Su sesión es demasiado antigua para este cambio. Ciérrela, vuelva a iniciarla y regrese en menos de cinco minutos.",
	ErrorFactorFirst:   "Esto pide un segundo paso que su cuenta aún no tiene: {method}.",
	ErrorTriesSpent:    "Demasiadas respuestas eran erróneas en esta sesión. Ciérrela y vuelva a iniciarla.",
	ErrorWeak:          "Lo que añadió con un código de recuperación aún no basta para esto. Bastará dentro de {wait}.",

	DurationSeconds: "{n} {n|segundo|segundos}",
	DurationMinutes: "{n} {n|minuto|minutos}",
	DurationHours:   "{n} {n|hora|horas}",
	DurationDays:    "{n} {n|día|días}",
}
