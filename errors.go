package sitemon

import "errors"

var (
	// ErrNotFound is wrapped by errors about a site, report or generation that
	// does not exist.
	ErrNotFound = errors.New("not found")
	// ErrInvalid is wrapped by errors about input that can never be accepted, as
	// opposed to input that came at a bad moment.
	ErrInvalid = errors.New("invalid")
)
