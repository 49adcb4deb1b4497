package audit

// kind is what the formats need to know of an event besides its values. One event is one row of kinds.
type kind struct {
	name    Name
	datadog datadogFields
	ecs     ecsKind
	ocsf    ocsfActivity
	failed  severity // OCSF severity of a failure; a success is informational
}

// kinds lists every event, in the order of event.go.
var kinds = [...]kind{
	{CodeCreated, moduleFields, ecsStage, ocsfPreauth, low},
	{LoginWithMFA, moduleFieldsAgent, ecsLogin, ocsfLogon, low},
	{CodeValidated, moduleFields, ecsStage, ocsfPreauth, low},
	{UnknownUser, moduleFieldsAgent, ecsAttempt, ocsfLogon, low},
	{InvalidPassword, moduleFieldsAgent, ecsAttempt, ocsfLogon, low},
	{NoPendingLogin, moduleFieldsAgent, ecsAttempt, ocsfLogon, low},
	{InvalidCode, moduleFields, ecsAttempt, ocsfLogon, low},
	{CodeGuessesSpent, moduleFields, ecsAttempt, ocsfLogon, medium},
	{PasswordsSpent, allFieldsAgent, ecsAttempt, ocsfLogon, medium},
	{MalformedCode, allFields, ecsAttempt, ocsfLogon, low},
	{ReplayedCode, allFields, ecsAttempt, ocsfLogon, medium},
	{LoginWithoutMFA, allFieldsAgent, ecsLogin, ocsfLogon, low},
	{LoginRefused, allFieldsAgent, ecsAttempt, ocsfLogon, low},
	{PasswordValidated, allFieldsAgent, ecsStage, ocsfPreauth, low},
	{FirstFactor, allFieldsAgent, ecsStage, ocsfPreauth, low},
	{LoginCancelled, allFields, ecsStage, ocsfOther, low},
	{Logout, allFieldsAgent, ecsLogout, ocsfLogoff, low},
	{LogoutEverywhere, allFieldsAgent, ecsLogout, ocsfLogoff, low},
	{SessionEnded, allFields, ecsLogout, ocsfLogoff, low},
	{AccessToken, allFieldsAgent, ecsStage, ocsfOther, low},
	{SteppedUp, allFieldsAgent, ecsStage, ocsfOther, low},
	{PasswordAgain, allFieldsAgent, ecsStage, ocsfOther, low},
	{GuessesReleased, allFields, ecsAccount, ocsfUnlock, low},
	{FactorEnrolled, allFieldsAgent, ecsAccount, ocsfFactorOn, low},
	{FactorRemoved, allFieldsAgent, ecsAccount, ocsfFactorOff, low},
	{FactorDisabled, allFields, ecsAccount, ocsfFactorOff, medium},
	{FactorRenamed, allFieldsAgent, ecsAccount, ocsfChange, low},
	{FactorPreferred, allFieldsAgent, ecsAccount, ocsfChange, low},
	{DeviceTrusted, allFieldsAgent, ecsAccount, ocsfChange, low},
	{DeviceForgotten, allFieldsAgent, ecsAccount, ocsfChange, low},
	{DeviceDistrusted, allFieldsAgent, ecsAccount, ocsfChange, low},
	{FactorImported, allFields, ecsAccount, ocsfFactorOn, low},
	{EnrolmentRefused, allFieldsAgent, ecsAccount, ocsfFactorOn, low},
	{RecoveryCodeUsed, allFields, ecsStage, ocsfPreauth, low},
	{RecoveryCodesMade, allFieldsAgent, ecsAccount, ocsfFactorOn, low},
	{SendFailed, allFields, ecsStage, ocsfPreauth, medium},
	{SendRefused, allFields, ecsStage, ocsfPreauth, low},
	{FallbackTaken, allFields, ecsStage, ocsfPreauth, low},
	{SendsNearlySpent, allFields, ecsStage, ocsfOther, high},
	{PumpingSuspected, allFields, ecsStage, ocsfOther, high},
	{NoticeSent, allFields, ecsAccount, ocsfOther, low},
	{AccountBlocked, allFields, ecsAccount, ocsfLock, low},
	{AccountUnblocked, allFields, ecsAccount, ocsfUnlock, low},
	{LimitHit, allFieldsAgent, ecsAccess, ocsfOther, low},
	{CrossSite, allFieldsAgent, ecsAccess, ocsfOther, medium},
	{CredentialRefused, allFieldsAgent, ecsAttempt, ocsfLogon, low},
	{CredentialUsed, allFieldsAgent, ecsAttempt, ocsfLogon, low},
	{AccessGranted, allFieldsAgent, ecsAccess, ocsfOther, low},
	{ReportOnly, allFieldsAgent, ecsAccess, ocsfOther, low},
	{StoreFailed, allFields, ecsStore, ocsfOther, high},
	{EventsDropped, allFields, ecsStore, ocsfOther, high},
}

var kindByName = func() map[Name]*kind {
	m := make(map[Name]*kind, len(kinds))
	for i := range kinds {
		m[kinds[i].name] = &kinds[i]
	}
	return m
}()

// foreign stands for a name that is not ours: an application may record events of its own.
var foreign = kind{"", allFieldsAgent, ecsStage, ocsfOther, low}

func kindOf(n Name) *kind {
	if k := kindByName[n]; k != nil {
		return k
	}
	return &foreign
}

// Names returns the names of all events that Sallyport records.
func Names() []Name {
	names := make([]Name, len(kinds))
	for i, k := range kinds {
		names[i] = k.name
	}
	return names
}
