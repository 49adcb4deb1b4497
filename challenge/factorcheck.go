package challenge

var (
	_ Checker = (*TOTP)(nil)
	_ Checker = (*Email)(nil)
	_ Checker = (*SMS)(nil)
	_ Checker = (*Recovery)(nil)
	_ Checker = (*Custom)(nil)
	_ Checker = (*CustomCheck)(nil)
)

// Check refuses settings outside their bounds.
func (t *TOTP) Check(Site) error { return t.valid() }

// Check refuses a missing Sender and a code length out of bounds.
func (e *Email) Check(Site) error { return e.factor().valid() }

// Check refuses a missing Sender and a code length out of bounds.
func (s *SMS) Check(Site) error { return s.factor().valid() }

// Check refuses a Count out of bounds.
func (r *Recovery) Check(Site) error { return r.valid() }

// Check refuses a missing function and settings out of bounds.
func (c *Custom) Check(Site) error { return c.valid() }

// Check refuses a missing function.
func (c *CustomCheck) Check(Site) error { return c.valid() }
