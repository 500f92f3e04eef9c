package parse

// HasRule lets a test prove that every rule tag names a rule.
func HasRule(name string) bool { return rules()[name] != nil }
