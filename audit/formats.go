package audit

// FormatByName returns the format that a flag or a setting names: "datadog", "datadog-ids", "ecs", "ocsf" or "json".
func FormatByName(name string) (Format, bool) {
	switch name {
	case "datadog":
		return Datadog, true
	case "datadog-ids":
		return DatadogIDs, true
	case "ecs":
		return ECS, true
	case "ocsf":
		return OCSF, true
	case "json":
		return JSON, true
	}
	return nil, false
}
